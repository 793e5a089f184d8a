"""The hours begin and end for hooks: once each, for all processes, and not where there are none."""

from datetime import UTC, datetime

import pytest

from forllm_server.db import Database
from forllm_server.jobs.window_watch import watch_windows
from forllm_server.schedule.planning import add_window, new_window
from forllm_server.schedule.windows import DAYS
from forllm_server.settings.values import change_settings
from tests.hooks.making import add, calls
from tests.support.world import LOCAL_USER, make_world


def at(day: int, hour: int) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


@pytest.fixture
def hours(database: Database, now: datetime) -> Database:
    make_world(database, now)
    add(database, now, events=["window.opened", "window.closed"])
    with database.transaction() as connection:
        change_settings(connection, {"timezone": "UTC"}, now)
        window = new_window(days=list(DAYS), start_minute=22 * 60, end_minute=6 * 60)
        add_window(connection, window, owner_id=LOCAL_USER, now=now)
    return database


def test_each_beginning_and_end_is_told_once_and_the_first_look_is_none(hours: Database) -> None:
    assert [watch_windows(hours, at(20, hour)) for hour in (23, 23)] == [None, None]
    assert [watch_windows(hours, at(21, hour)) for hour in (5, 6, 7, 21, 22, 23)] == [
        None, False, None, None, True, None,
    ]  # fmt: skip
    assert [(call.event, call.created_at) for call in calls(hours)] == [
        ("window.closed", at(21, 6)),
        ("window.opened", at(21, 22)),
    ]


def test_without_hours_there_is_nothing_to_tell(sqlite_database: Database, now: datetime) -> None:
    make_world(sqlite_database, now)
    add(sqlite_database, now, events=["window.opened", "window.closed"])
    assert [watch_windows(sqlite_database, at(21, hour)) for hour in (1, 9, 23)] == [None, None, None]
    assert calls(sqlite_database) == []
