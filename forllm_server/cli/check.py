"""``forllm check``: every configuration problem at once, and what the configuration comes to."""

from dataclasses import fields

import click

from forllm_server.cli.options import SERVER, with_config
from forllm_server.config import SECRET_KEY_NAME, Config, read_secret_key, static_dir, templates_dir
from forllm_server.db import Database, upgrade
from forllm_server.errors import ConfigurationError

HIDDEN = ("database_url", "backends")


@click.command()
@with_config(SERVER)
def command(config: Config) -> None:
    """Check configuration, key file and database without starting anything or changing a thing."""
    problems = list_problems(config)
    for each in fields(config):
        if each.name not in HIDDEN:
            click.echo(f"{each.name} = {getattr(config, each.name)}")
    click.echo(f"backends = {', '.join(str(entry['name']) for entry in config.backends) or 'none in the file'}")
    if problems:
        lines = "\n".join(f"- {problem}" for problem in problems)
        raise ConfigurationError(f"FORLLM cannot start like this:\n{lines}")
    click.echo("All is well.")


def list_problems(config: Config) -> list[str]:
    """What would keep FORLLM from starting, a sentence each."""
    problems = [
        f"The folder {folder} is missing: the installation is incomplete."
        for folder in (templates_dir(), static_dir())
        if not folder.is_dir()
    ]
    key = config.data_dir / SECRET_KEY_NAME
    if key.exists():
        try:
            read_secret_key(key)
        except ConfigurationError as error:
            problems.append(error.message)
    try:
        database = Database(config.effective_database_url)
        try:
            upgrade.schema_version(database)
        finally:
            database.close()
    except ConfigurationError as error:
        problems.append(error.message)
    return problems
