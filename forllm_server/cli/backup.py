"""``forllm backup``: a copy of the database, also while everything runs."""

import os
import shutil
import subprocess
from pathlib import Path

import click

from forllm_server import clock
from forllm_server.cli.options import with_config
from forllm_server.config import SECRET_KEY_NAME, Config
from forllm_server.db import Database, upgrade
from forllm_server.errors import ConfigurationError


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@with_config()
def command(config: Config, file: Path | None) -> None:
    """Copy the database to FILE (default: a dated one in the data folder's backups)."""
    database = Database(config.effective_database_url)
    try:
        if upgrade.schema_version(database) is None:
            raise ConfigurationError(f"There is no database in {config.data_dir} yet.")
        suffix = "db" if database.is_sqlite else "dump"
        target = file or config.backups_dir / f"forllm_data-{clock.now():%Y%m%dT%H%M%SZ}.{suffix}"
        if target.exists():
            raise ConfigurationError(f"{target} exists already; name another file.")
        if database.path is not None:
            upgrade.copy_sqlite(database.path, target)
        else:
            _dump_postgresql(database, target)
    finally:
        database.close()
    click.echo(f"{target} ({target.stat().st_size:,} bytes)")
    click.echo(
        f"Keep {config.data_dir / SECRET_KEY_NAME} in another safe place: without it the API keys of backends must be "
        "entered again."
    )


def _dump_postgresql(database: Database, target: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise ConfigurationError("pg_dump is not on the PATH. Install PostgreSQL's client programs, or copy it there.")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    url = database.engine.url.set(drivername="postgresql")
    environment = {"PGPASSWORD": url.password} if url.password else {}
    done = subprocess.run(
        [program, "--format=custom", f"--file={target}", url.set(password=None).render_as_string()],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ConfigurationError(f"pg_dump failed: {done.stderr.strip()}")
