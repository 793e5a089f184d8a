"""What a page is drawn from: one snapshot, let go of at the end, and taken anew after an error."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from forllm_server.db import Database
from forllm_server.errors import Unavailable
from forllm_server.settings.values import change_settings
from forllm_server.web.snapshot import page_read
from tests.conftest import EVENING

_COUNT = text("SELECT count(*) FROM settings")


def _write(database: Database) -> None:
    with database.transaction() as connection:
        change_settings(connection, {"theme": "dark"}, EVENING)


def _in_use(database: Database) -> int:
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


def test_all_that_is_drawn_is_of_one_moment(app: Flask, sqlite_database: Database) -> None:
    with app.test_request_context("/"):
        with page_read() as connection:
            before = connection.execute(_COUNT).scalar_one()
        _write(sqlite_database)
        with page_read() as again:
            assert again is connection
            assert again.execute(_COUNT).scalar_one() == before
        assert _in_use(sqlite_database) == 1
    assert _in_use(sqlite_database) == 0
    with app.test_request_context("/"), page_read() as later:
        assert later.execute(_COUNT).scalar_one() == before + 1


def test_after_an_error_the_next_reads_anew(app: Flask, sqlite_database: Database) -> None:
    locked = OperationalError("SELECT", None, sqlite3.OperationalError("database is locked"))
    with app.test_request_context("/"):
        with pytest.raises(Unavailable), page_read():
            raise locked
        assert _in_use(sqlite_database) == 0
        with page_read() as connection:
            assert connection.execute(_COUNT).scalar_one() >= 0
    assert _in_use(sqlite_database) == 0


def test_a_database_that_goes_when_the_page_is_drawn_takes_nothing_back(
    app: Flask, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sqlite_database.read

    @contextmanager
    def lost_at_the_end() -> Iterator[Connection]:
        with real() as connection:
            yield connection
        raise Unavailable()

    monkeypatch.setattr(sqlite_database, "read", lost_at_the_end)
    with app.test_request_context("/"), page_read() as connection:
        assert connection.execute(_COUNT).scalar_one() >= 0
    assert _in_use(sqlite_database) == 0
