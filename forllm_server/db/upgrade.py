"""Brings a database to the code's schema version at start; usually one query finds that there is nothing to do.

Each step runs in one explicit transaction together with its version row: it happens wholly or not at all, also
when the process is killed in it. An existing SQLite file is copied before its first step.
"""

import importlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from forllm_server import log, migrations
from forllm_server.db import process_lock
from forllm_server.db.engine import Database
from forllm_server.errors import ConfigurationError

#: How long a start waits for another one that is migrating the same database.
WAIT_SECONDS = 600.0
#: PostgreSQL's advisory lock: any number that nobody else uses ("FORLLM" in ASCII).
ADVISORY_LOCK = 0x464F524C4C4D


@dataclass(frozen=True)
class UpgradeResult:
    """What an upgrade did: the version before (None: the database was new) and after, and the copy it made."""

    before: str | None
    after: str
    backup: Path | None = None

    @property
    def is_changed(self) -> bool:
        return self.before != self.after


def newest_version() -> str:
    """The schema version that this code works with."""
    return migrations.list_versions()[-1]


def schema_version(database: Database) -> str | None:
    """The database's schema version; None for one that is empty or does not exist yet.

    Raises ConfigurationError for what cannot be FORLLM's database: another file, another program's tables,
    a version that this code does not know.
    """
    path = database.path
    if path is not None and not path.exists():
        return None
    with _explaining(database), database.engine.connect() as connection:
        return _read_version(connection, database, migrations.FOLDER)


def upgrade(database: Database, *, backups_dir: Path, now: datetime, folder: Path = migrations.FOLDER) -> UpgradeResult:
    """Take every step that is missing. Several processes may call this at once: the steps are taken once.

    ``folder`` holds the migrations. Raises ConfigurationError, see :func:`schema_version`.
    """
    target = migrations.list_versions(folder)[-1]
    with _explaining(database):
        with database.engine.connect() as connection:
            before = _read_version(connection, database, folder)
        if before == target:
            return UpgradeResult(before, target)
        with _alone(database):
            return _upgrade(database, target, folder, backups_dir, now)


def _upgrade(database: Database, target: str, folder: Path, backups_dir: Path, now: datetime) -> UpgradeResult:
    with database.engine.connect() as connection:
        before = _read_version(connection, database, folder)
    backup = None
    if before is not None and before != target and database.path is not None:
        backup = backups_dir / f"{database.path.stem}-{now:%Y%m%dT%H%M%SZ}-schema-{before}.db"
        copy_sqlite(database.path, backup)
    versions = migrations.list_versions(folder)
    missing = versions[versions.index(before) + 1 :] if before else versions
    if missing:
        # Imported by name because it is slow and seldom needed.
        take_step: Callable[[Connection, Path, str], None] = importlib.import_module(
            "forllm_server.migrations.steps"
        ).take_step
        for version in missing:
            with _transaction(database) as connection:
                take_step(connection, folder, version)
            log.event("schema.upgraded", version=version)
    return UpgradeResult(before, target, backup)


def copy_sqlite(source: Path, target: Path) -> None:
    """A consistent copy of a SQLite database that may be in use; ``target`` appears only when it is complete."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = target.with_name(target.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(unfinished)) as copy:
        original.backup(copy)
        # One file, readable anywhere: a copy that says WAL would want two more beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
    unfinished.replace(target)


def _read_version(connection: Connection, database: Database, folder: Path) -> str | None:
    tables = _table_names(connection, database)
    if "alembic_version" not in tables:
        if tables:
            raise ConfigurationError(_foreign(database, tables))
        return None
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if version is not None and version not in migrations.list_versions(folder):
        raise ConfigurationError(
            f"The database {_name(database)} has schema version {version}, which this FORLLM does not know: it was "
            "written by a newer one. Start that one, or restore a backup (forllm restore)."
        )
    return version


def _table_names(connection: Connection, database: Database) -> set[str]:
    statement = (
        "SELECT name FROM sqlite_master WHERE type = 'table'"
        if database.is_sqlite
        else "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"
    )
    return set(connection.execute(text(statement)).scalars())


def _foreign(database: Database, tables: set[str]) -> str:
    if {"llm_requests", "llm_model_metadata", "user_activity"} <= tables:
        return (
            f"{_name(database)} is a database of the original FORLLM. Move it away, start, and take its content over "
            "with: forllm import-original FILE"
        )
    return f"{_name(database)} is a database of another program. Choose another data folder with --data."


def _name(database: Database) -> str:
    return str(database.path) if database.path else database.engine.url.render_as_string(hide_password=True)


@contextmanager
def _alone(database: Database) -> Iterator[None]:
    """No other process takes steps on this database meanwhile; released by death too."""
    if database.path is not None:
        with process_lock.alone(
            database.path.with_name(database.path.name + ".upgrading"), timeout_seconds=WAIT_SECONDS
        ):
            yield
        return
    with database.engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})


@contextmanager
def _transaction(database: Database) -> Iterator[Connection]:
    """One transaction for one step, with its table definitions; on SQLite too, where a driver would commit early."""
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            with connection.begin():
                yield connection
            return
        # A table that is rebuilt is dropped on the way, which must not take the rows that point to it along.
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise ConfigurationError(f"The schema upgrade would have broken references, so it was undone: {broken}")
            connection.commit()
        finally:
            connection.rollback()
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")
            connection.rollback()


@contextmanager
def _explaining(database: Database) -> Iterator[None]:
    """Turn what a driver says about a file or server that cannot be used into a sentence."""
    try:
        yield
    except (sqlite3.Error, DBAPIError) as error:
        reason = str(getattr(error, "orig", None) or error)
        raise ConfigurationError(f"{_explained(_name(database), reason)}") from error


def _explained(name: str, reason: str) -> str:
    lowered = reason.lower()
    for mark, sentence in (
        ("not a database", "is not a database. Choose another data folder with --data, or restore a backup."),
        ("malformed", "is damaged. Restore a backup (forllm restore)."),
        ("readonly", "cannot be written. Check the permissions of the file and of its folder."),
        ("unable to open", "cannot be opened. Check that its folder exists and may be read and written."),
        ("locked", "is locked by another program. End that one and start again."),
        ("full", "cannot be written: the disk is full. Make some room and start again."),
    ):
        if mark in lowered:
            return f"The database {name} {sentence}"
    return f"The database {name} cannot be used: {reason.strip()}"
