"""Schema upgrades: whole steps or none, one process at a time, and a clear word about what cannot be upgraded."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from forllm_server import migrations
from forllm_server.db import Database, metadata, upgrade
from forllm_server.errors import ConfigurationError, Unavailable
from tests.conftest import postgres_database

NOW = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)

FIRST = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001", None
def upgrade():
    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text))
"""
SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.add_column("notes", sa.Column("colour", sa.Text))
    op.create_table("colours", sa.Column("id", sa.Integer, primary_key=True))
"""
FAILING = SECOND + '    op.execute("INSERT INTO nowhere VALUES (1)")\n'
HANGING = SECOND.replace("import sqlalchemy", "import time, pathlib\nimport sqlalchemy") + (
    '    pathlib.Path(__file__).with_name("reached").touch()\n    time.sleep(60)\n'
)

UPGRADE_IN_ANOTHER_PROCESS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from forllm_server.db import Database, upgrade
url, backups, folder = sys.argv[1:]
result = upgrade.upgrade(
    Database(url), backups_dir=Path(backups), now=datetime(2026, 11, 20, tzinfo=UTC), folder=Path(folder)
)
print(result.is_changed)
"""


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    """A folder of migrations with one step in it."""
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    shutil.copy(migrations.FOLDER / "env.py", folder / "env.py")
    write_step(folder, "0001", FIRST)
    return folder


def write_step(folder: Path, version: str, source: str) -> None:
    (folder / "versions" / f"{version}_step.py").write_text(source)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        database = Database.at(tmp_path / "forllm_data.db")
    else:
        database = postgres_database(request.getfixturevalue("postgres_server"))
    yield database
    database.close()


def do_upgrade(database: Database, folder: Path) -> upgrade.UpgradeResult:
    return upgrade.upgrade(database, backups_dir=folder.parent / "backups", now=NOW, folder=folder)


def tables_of(database: Database) -> set[str]:
    with database.read() as connection:
        return upgrade._table_names(connection, database)


def start_upgrade(database: Database, folder: Path) -> "subprocess.Popen[str]":
    url = database.engine.url.render_as_string(hide_password=False)
    return subprocess.Popen(
        [sys.executable, "-c", UPGRADE_IN_ANOTHER_PROCESS, url, str(folder.parent / "backups"), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )


SQLITE_SHAPE = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic_version%' AND sql IS NOT NULL"
POSTGRESQL_SHAPE = """
    SELECT table_name || '.' || column_name,
        concat_ws(' ', data_type, is_nullable, regexp_replace(column_default, 'nextval.*', 'serial'))
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
"""


def shape_of(database: Database) -> dict[str, list[str]]:
    """Every column, constraint and index, in a form in which their order does not matter."""
    with database.read() as connection:
        rows = connection.execute(text(SQLITE_SHAPE if database.is_sqlite else POSTGRESQL_SHAPE)).all()
    return {name: sorted(parts_of(definition)) for name, definition in rows if "alembic_version" not in name}


def parts_of(definition: str) -> list[str]:
    """A table's definition cut into its columns and constraints: one added later stands after the others."""
    head, _, body = definition.partition("(")
    if not head.startswith("CREATE TABLE"):
        return [definition]
    parts, depth = [""], 0
    for character in body.rstrip().removesuffix(")"):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [head, *(" ".join(part.split()) for part in parts)]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def declared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database made from the tables that the code declares."""
    if request.param == "sqlite":
        database = Database.at(tmp_path / "declared.db")
    else:
        database = postgres_database(request.getfixturevalue("postgres_server"))
    metadata.create_all(database.engine)
    yield database
    database.close()


def test_a_migrated_database_has_exactly_the_tables_the_code_declares(
    declared: Database, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if declared.is_sqlite:
        migrated = Database.at(tmp_path / "migrated.db")
    else:
        migrated = postgres_database(request.getfixturevalue("postgres_server"))
    upgrade.upgrade(migrated, backups_dir=tmp_path / "backups", now=NOW)
    assert shape_of(migrated) == shape_of(declared)
    migrated.close()


def test_the_versions_are_a_straight_line_named_by_their_files() -> None:
    before = None
    for file in sorted((migrations.FOLDER / "versions").glob("[0-9]*.py")):
        source = file.read_text()
        number = file.name.split("_")[0]
        assert f'revision = "{number}"' in source
        assert f"down_revision = {before!r}".replace("'", '"') in source
        before = number
    assert before == migrations.list_versions()[-1]


def test_a_new_database_is_made_and_a_second_start_changes_nothing(empty: Database, steps: Path) -> None:
    assert upgrade.schema_version(empty) is None
    first = do_upgrade(empty, steps)
    assert (first.before, first.after, first.backup, first.is_changed) == (None, "0001", None, True)
    assert not do_upgrade(empty, steps).is_changed
    assert "notes" in tables_of(empty)


def test_a_start_with_nothing_to_do_does_not_load_alembic(tmp_path: Path) -> None:
    script = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from forllm_server.db import Database, upgrade\n"
        f"result = upgrade.upgrade(Database.at(Path({str(tmp_path / 'd.db')!r})),"
        f" backups_dir=Path({str(tmp_path)!r}), now=datetime.now(UTC))\n"
        "print(result.is_changed, 'alembic' in sys.modules)"
    )
    outputs = [subprocess.run([sys.executable, "-c", script], capture_output=True, text=True) for _ in range(2)]
    assert [done.stdout.split() for done in outputs] == [["True", "True"], ["False", "False"]]


def test_an_existing_file_is_copied_before_it_is_changed(tmp_path: Path, steps: Path) -> None:
    database = Database.at(tmp_path / "forllm_data.db")
    do_upgrade(database, steps)
    with database.transaction() as connection:
        connection.execute(text("INSERT INTO notes (text) VALUES ('kept')"))
    write_step(steps, "0002", SECOND)
    result = do_upgrade(database, steps)
    database.close()
    assert result.backup is not None
    assert result.backup.name == "forllm_data-20261120T210000Z-schema-0001.db"
    with closing(sqlite3.connect(result.backup)) as copy:
        assert copy.execute("SELECT text FROM notes").fetchall() == [("kept",)]
        assert copy.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
    assert result.backup.stat().st_mode & 0o077 == 0 or os.name == "nt"


def test_a_step_that_fails_in_the_middle_leaves_the_old_version_whole(empty: Database, steps: Path) -> None:
    do_upgrade(empty, steps)
    write_step(steps, "0002", FAILING)
    with pytest.raises(ConfigurationError, match="nowhere"):
        do_upgrade(empty, steps)
    assert "colours" not in tables_of(empty)
    with empty.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "0001"
        assert connection.execute(text("SELECT * FROM notes")).keys() == ["id", "text"]
    write_step(steps, "0002", SECOND)
    assert do_upgrade(empty, steps).after == "0002"


def test_a_step_that_is_killed_in_the_middle_leaves_the_old_version_whole(empty: Database, steps: Path) -> None:
    do_upgrade(empty, steps)
    write_step(steps, "0002", HANGING)
    process = start_upgrade(empty, steps)
    deadline = time.monotonic() + 30
    while not (steps / "versions" / "reached").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    write_step(steps, "0002", SECOND)
    assert "colours" not in tables_of(empty)
    result = do_upgrade(empty, steps)
    assert (result.before, result.after) == ("0001", "0002")


def test_processes_that_start_at_once_migrate_once(empty: Database, steps: Path) -> None:
    write_step(steps, "0002", SECOND)
    processes = [start_upgrade(empty, steps) for _ in range(3)]
    outputs = sorted(process.communicate(timeout=60)[0].strip() for process in processes)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert outputs == ["False", "False", "True"]


def test_rows_that_point_to_a_rebuilt_table_stay(tmp_path: Path, steps: Path) -> None:
    write_step(
        steps,
        "0001",
        FIRST
        + '    op.create_table("marks", sa.Column("id", sa.Integer, primary_key=True),'
        + ' sa.Column("note_id", sa.Integer, sa.ForeignKey("notes.id", ondelete="CASCADE")))\n',
    )
    database = Database.at(tmp_path / "forllm_data.db")
    do_upgrade(database, steps)
    with database.transaction() as connection:
        connection.execute(text("INSERT INTO notes (id) VALUES (1)"))
        connection.execute(text("INSERT INTO marks (note_id) VALUES (1)"))
    rebuilding = SECOND.split("def upgrade")[0] + (
        'def upgrade():\n    with op.batch_alter_table("notes", recreate="always") as batch:\n'
        '        batch.alter_column("text", nullable=False, server_default="")\n'
    )
    write_step(steps, "0002", rebuilding.replace(', nullable=False, server_default=""', ', new_column_name="words"'))
    do_upgrade(database, steps)
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM marks")).scalar_one() == 1
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
    database.close()


def test_a_database_of_a_newer_version_is_refused(empty: Database, steps: Path) -> None:
    do_upgrade(empty, steps)
    with empty.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="9999, which this FORLLM does not know"):
        do_upgrade(empty, steps)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path, steps: Path) -> None:
    (tmp_path / "forllm_data.db").write_bytes(b"A shopping list, and rather a long one. " * 50)
    database = Database.at(tmp_path / "forllm_data.db")
    with pytest.raises(ConfigurationError, match="is not a database"):
        do_upgrade(database, steps)
    with pytest.raises(ConfigurationError, match="is not a database"):
        upgrade.schema_version(database)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (("recipes",), "another program"),
        (("llm_requests", "llm_model_metadata", "user_activity"), "import-original"),
    ],
)
def test_a_database_of_something_else_is_left_alone(
    tmp_path: Path, steps: Path, tables: tuple[str, ...], message: str
) -> None:
    file = tmp_path / "forllm_data.db"
    with closing(sqlite3.connect(file)) as connection:
        for table in tables:
            connection.execute(f"CREATE TABLE {table} (id INTEGER)")
    database = Database.at(file)
    with pytest.raises(ConfigurationError, match=message):
        do_upgrade(database, steps)
    assert tables_of(database) == set(tables)
    database.close()


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path, steps: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        do_upgrade(Database.at(tmp_path / "nowhere" / "forllm_data.db"), steps)


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("attempt to write a readonly database", "permissions"),
        ("database disk image is malformed", "Restore a backup"),
        ("database or disk is full", "Make some room"),
        ("database is locked", "another program"),
    ],
)
def test_what_a_driver_says_becomes_a_remedy(reason: str, remedy: str) -> None:
    assert remedy in upgrade._explained("forllm_data.db", reason)


def test_a_shared_lock_keeps_out_who_wants_to_be_alone(tmp_path: Path) -> None:
    lock = tmp_path / "running.lock"
    process_lock = upgrade.process_lock
    with process_lock.shared(lock), process_lock.shared(lock), pytest.raises(Unavailable), process_lock.alone(lock):
        pass
    with process_lock.alone(lock), pytest.raises(Unavailable), process_lock.shared(lock):
        pass
