"""``forllm restore``: puts a backup in the place of the database, and keeps what it replaces."""

import sqlite3
from contextlib import closing
from pathlib import Path

import click

from forllm_server import clock
from forllm_server.cli.options import with_config
from forllm_server.cli.running import changing_data
from forllm_server.config import Config, make_data_dir
from forllm_server.db import Database, upgrade
from forllm_server.errors import ConfigurationError


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@with_config()
def command(config: Config, file: Path) -> None:
    """Replace the database by the copy in FILE. Refused while FORLLM runs; what was there is kept."""
    path = Database(config.effective_database_url).path
    if path is None:
        raise ConfigurationError("A PostgreSQL database is restored with its own program: pg_restore --clean FILE.")
    make_data_dir(config.data_dir)
    with changing_data(config, doing="restore"):
        kept = replace_database(path, file, config.backups_dir)
    click.echo(f"{file} is now the database. The next start brings its schema up to date.")
    if kept:
        click.echo(f"What was there before: {kept}")


def replace_database(path: Path, file: Path, backups_dir: Path) -> Path | None:
    """Put a copy of ``file`` in the place of ``path``; returns where the former content is kept.

    Raises ConfigurationError unless the file is a whole FORLLM database that this code can open.
    """
    incoming = path.with_name(path.name + ".incoming")
    try:
        upgrade.copy_sqlite(file, incoming)
        examine(incoming)
    except sqlite3.DatabaseError as error:
        raise ConfigurationError(f"{file} is not a database: {error}.") from error
    except ConfigurationError as error:
        incoming.unlink()
        raise ConfigurationError(f"{file} cannot be restored. {error.message}") from error
    kept = None
    if path.exists():
        kept = backups_dir / f"{path.stem}-{clock.now():%Y%m%dT%H%M%SZ}-replaced.db"
        _keep(path, kept)
    # A log of the former database beside the new one would be played into it.
    for leftover in ("-wal", "-shm"):
        path.with_name(path.name + leftover).unlink(missing_ok=True)
    incoming.replace(path)
    return kept


def examine(file: Path) -> None:
    """Raise ConfigurationError unless the database is whole, FORLLM's, and not too new."""
    with closing(sqlite3.connect(file)) as connection:
        verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise ConfigurationError(f"It is damaged ({verdict}); choose another copy.")
    database = Database.at(file)
    try:
        version = upgrade.schema_version(database)
    finally:
        database.close()
    if version is None:
        raise ConfigurationError("It is empty.")


def _keep(path: Path, kept: Path) -> None:
    try:
        upgrade.copy_sqlite(path, kept)
    except sqlite3.DatabaseError:
        # Damaged: that is often why one restores. Its bytes are kept as they are, with its log.
        for suffix in ("", "-wal"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                kept.with_name(kept.name + suffix).write_bytes(part.read_bytes())
