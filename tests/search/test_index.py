"""The index itself: made for what was there before it, kept in step, made anew."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from forllm_server import migrations
from forllm_server.db import Database, upgrade
from forllm_server.search import index_store
from forllm_server.search.tables import POSTGRESQL_STATEMENTS, SQLITE_STATEMENTS
from tests.conftest import EVENING, postgres_database
from tests.search.world import Shelf
from tests.support.world import insert

#: A topic as it was written before.
BEFORE = {
    "subforums": "INSERT INTO subforums (id, owner_id, name, name_key, created_at) VALUES (1, 1, 'H', 'h', :at)",
    "topics": "INSERT INTO topics (id, subforum_id, owner_id, title, created_at, last_post_at)"
    " VALUES (1, 1, 1, 'Mirrors', :at, :at)",
    "posts": "INSERT INTO posts (id, topic_id, owner_id, content, path, created_at)"
    " VALUES (1, 1, 1, 'first', :path, :at)",
}


def test_the_index_can_be_made_anew_from_the_posts(database: Database) -> None:
    shelf = Shelf(database)
    root = shelf.topic("Mirrors", "first", subforum="Home")
    reply = shelf.reply(root, "second")
    gone = shelf.reply(root, "third")
    shelf.change("posts", gone, deleted_at=EVENING)
    with database.transaction() as connection:
        index_store.delete_and_fill(connection)
    assert (shelf.ids("mirrors first"), shelf.ids("second"), shelf.ids("third")) == ([root], [reply], [])
    with database.read() as connection:
        assert index_store.count_missing(connection) == 0


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        database = Database.at(tmp_path / "forllm_data.db")
    else:
        database = postgres_database(request.getfixturevalue("postgres_server"))
    yield database
    database.close()


def test_a_forum_from_before_the_search_gets_its_index_with_the_upgrade(empty: Database, tmp_path: Path) -> None:
    older = tmp_path / "migrations"
    shutil.copytree(
        migrations.FOLDER, older, ignore=shutil.ignore_patterns("000[5-9]*.py", "00[1-9]*.py", "__pycache__")
    )
    upgrade.upgrade(empty, backups_dir=tmp_path / "backups", now=EVENING, folder=older)
    with empty.transaction() as connection:
        insert(connection, "users", name="You", name_key="you", created_at=EVENING)
        for table in ("subforums", "topics", "posts"):
            connection.execute(text(BEFORE[table]), {"at": EVENING.isoformat(sep=" "), "path": b"\0"})
    upgrade.upgrade(empty, backups_dir=tmp_path / "backups", now=EVENING)
    assert Shelf(empty).ids("mirrors first") == [1]


@pytest.mark.parametrize("statements", [SQLITE_STATEMENTS, POSTGRESQL_STATEMENTS])
def test_the_statements_need_no_parameters(statements: tuple[str, ...]) -> None:
    # Drivers would read a percent sign as the beginning of one.
    assert not any("%" in statement for statement in statements)


def test_an_index_out_of_step_is_noticed_and_made_anew(database: Database) -> None:
    shelf = Shelf(database)
    root = shelf.topic("Mirrors", "first")
    reply = shelf.reply(root, "second")
    lost = "search_index_docsize WHERE id" if database.is_sqlite else "search_words WHERE post_id"
    with database.transaction() as connection:
        connection.execute(text(f"DELETE FROM {lost} = {reply}"))
        assert index_store.count_missing(connection) == 1
        index_store.delete_and_fill(connection)
        assert index_store.count_missing(connection) == 0
    assert shelf.ids("second") == [reply]
