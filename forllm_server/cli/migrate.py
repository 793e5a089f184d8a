"""``forllm migrate``: the schema upgrade that every start does, by itself."""

import click

from forllm_server.cli import runtime
from forllm_server.cli.options import with_config
from forllm_server.config import Config, make_data_dir
from forllm_server.db import Database
from forllm_server.forum import subforum_store, tag_store


@click.command()
@with_config()
def command(config: Config) -> None:
    """Bring the database to this version's schema, after a backup copy."""
    make_data_dir(config.data_dir)
    database = Database(config.effective_database_url)
    try:
        result = runtime.migrate(config, database)
        # What is counted in advance, for a database that was changed by other hands than FORLLM's.
        with database.transaction() as connection:
            subforum_store.update_topic_counts(connection)
            tag_store.update_all_counts(connection)
    finally:
        database.close()
    if not result.is_changed:
        click.echo(f"Nothing to do: the schema is at version {result.after}.")
        return
    click.echo(f"The schema went from {result.before or 'nothing'} to version {result.after}.")
    if result.backup:
        click.echo(f"The database as it was: {result.backup}")
