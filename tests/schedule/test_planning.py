from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from forllm_server.db import Database
from forllm_server.errors import Invalid, NotFound, TooLarge
from forllm_server.schedule import planning
from forllm_server.schedule.exception_store import get_exception, list_exceptions
from forllm_server.schedule.gate import read_gate
from forllm_server.schedule.planning import (
    MAX_EXCEPTIONS,
    MAX_WINDOWS,
    add_exception,
    add_window,
    change_window,
    delete_exception,
    delete_window,
    new_exception,
    new_window,
    open_until,
    read_clock,
    read_date,
)
from forllm_server.schedule.window_store import get_window, list_windows
from forllm_server.schedule.windows import DAYS, Closing, ExceptionKind, Window

BERLIN = ZoneInfo("Europe/Berlin")
GOOD: dict[str, Any] = {"days": ["mon", "fri"], "start_minute": 1350, "end_minute": 360}


def night(**more: Any) -> Window:
    return new_window(**(GOOD | more))


def test_a_window_is_stored_as_it_was_given(database: Database, now: datetime) -> None:
    window = night(timezone="Asia/Kolkata", closing="pause", backend_id=1, is_enabled=False)
    with database.transaction() as connection:
        added = add_window(connection, window, owner_id=1, now=now)
    with database.read() as connection:
        stored = get_window(connection, added.id)
    assert stored == added
    assert stored.day_list == ["mon", "fri"]
    assert (stored.start_minute, stored.end_minute) == (1350, 360)
    assert (stored.timezone, stored.closing, stored.backend_id) == ("Asia/Kolkata", Closing.PAUSE, 1)
    assert not stored.is_enabled
    assert (stored.owner_id, stored.created_at) == (1, now)


def test_a_changed_window_keeps_its_number(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        added = add_window(connection, night(), owner_id=1, now=now)
        changed = change_window(connection, added.id, night(days=["sun"], closing="stop"))
        assert changed == get_window(connection, added.id)
    assert (changed.id, changed.day_list, changed.closing) == (added.id, ["sun"], Closing.STOP)


def test_a_deleted_window_is_gone(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        added = add_window(connection, night(), owner_id=1, now=now)
        delete_window(connection, added.id)
        assert list_windows(connection) == []
        for attempt in (get_window, delete_window):
            with pytest.raises(NotFound):
                attempt(connection, added.id)
        with pytest.raises(NotFound):
            change_window(connection, added.id, night())


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("days", []),
        ("days", ["Monday"]),
        ("days", [3]),
        ("start_minute", -1),
        ("start_minute", 1440),
        ("start_minute", "22:30"),
        ("start_minute", True),
        ("end_minute", 1441),
        ("end_minute", 6.5),
        ("timezone", "Berlin"),
        ("timezone", "../etc/passwd"),
        ("closing", "explode"),
    ],
)
def test_what_a_window_cannot_be_is_refused_by_field(field: str, bad: object) -> None:
    with pytest.raises(Invalid) as refusal:
        night(**{field: bad})
    assert refusal.value.field == field


def test_an_end_of_zero_is_midnight_and_an_empty_zone_the_forums() -> None:
    window = night(end_minute=0, timezone="")
    assert window.end_minute == 1440
    assert window.timezone is None


@pytest.mark.parametrize("backend_id", [99, 0, -1, 10**30])
def test_a_window_for_a_backend_that_is_not_there_is_refused(
    database: Database, now: datetime, backend_id: int
) -> None:
    with database.transaction() as connection, pytest.raises(Invalid) as refusal:
        add_window(connection, night(backend_id=backend_id), owner_id=1, now=now)
    assert refusal.value.field == "backend_id"


def test_there_is_a_limit_to_windows(sqlite_database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MAX_WINDOWS", 2)
    with sqlite_database.transaction() as connection:
        for _ in range(2):
            add_window(connection, night(), owner_id=1, now=now)
        with pytest.raises(TooLarge):
            add_window(connection, night(), owner_id=1, now=now)
    assert MAX_WINDOWS == 200


def test_an_exception_is_stored_as_it_was_given(database: Database, now: datetime) -> None:
    item = new_exception(day=date(2026, 12, 24), kind="closed", start_minute=600, end_minute=0, backend_id=1)
    with database.transaction() as connection:
        added = add_exception(connection, item, owner_id=1, now=now, note=" holidays ")
    with database.read() as connection:
        assert get_exception(connection, added.id) == added
        assert list_exceptions(connection) == [added]
        assert list_exceptions(connection, since=date(2026, 12, 24)) == [added]
        assert list_exceptions(connection, since=date(2026, 12, 25)) == []
    assert (added.kind, added.note, added.date) == (ExceptionKind.CLOSED, "holidays", date(2026, 12, 24))
    assert (added.start_minute, added.end_minute, added.backend_id) == (600, 1440, 1)


def test_a_deleted_exception_is_gone(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        item = new_exception(day=date(2026, 12, 24), kind="closed")
        added = add_exception(connection, item, owner_id=1, now=now)
        delete_exception(connection, added.id)
        for attempt in (get_exception, delete_exception):
            with pytest.raises(NotFound):
                attempt(connection, added.id)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("kind", {"kind": "maybe"}),
        ("end_minute", {"start_minute": 600}),
        ("start_minute", {"end_minute": 600}),
        ("start_minute", {"start_minute": 1440, "end_minute": 600}),
        ("end_minute", {"start_minute": 600, "end_minute": 1441}),
    ],
)
def test_what_an_exception_cannot_be_is_refused_by_field(field: str, bad: dict[str, Any]) -> None:
    values: dict[str, Any] = {"day": date(2026, 12, 24), "kind": "open"}
    with pytest.raises(Invalid) as refusal:
        new_exception(**(values | bad))
    assert refusal.value.field == field


def test_exceptions_have_limits(sqlite_database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    near = new_exception(day=date(2026, 12, 24), kind="closed")
    far = new_exception(day=date(2126, 12, 24), kind="closed")
    nowhere = new_exception(day=date(2026, 12, 24), kind="closed", backend_id=99)
    with sqlite_database.transaction() as connection:
        for item, note, field in (
            (far, "", "date"),
            (near, "x" * 501, "note"),
            (near, "a\x00b", "note"),
            (nowhere, "", "backend_id"),
        ):
            with pytest.raises(Invalid) as refusal:
                add_exception(connection, item, owner_id=1, now=now, note=note)
            assert refusal.value.field == field
        monkeypatch.setattr(planning, "MAX_EXCEPTIONS", 0)
        with pytest.raises(TooLarge):
            add_exception(connection, near, owner_id=1, now=now)
    assert MAX_EXCEPTIONS == 1000


def test_tonight_also_until_nine(database: Database, now: datetime) -> None:
    # 22:00 in Berlin
    with database.transaction() as connection:
        add_window(connection, night(days=["mon"]), owner_id=1, now=now)
        assert not read_gate(connection, now, BERLIN).is_open()
        open_until(connection, 540, owner_id=1, now=now, zone=BERLIN)
        gate = read_gate(connection, now, BERLIN)
    assert gate.open_until() == datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
    assert gate.words() == "open until 09:00, 11 h 00 left"


def test_until_a_time_later_today_stays_today(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.transaction() as connection:
        add_window(connection, night(days=["mon"]), owner_id=1, now=now)
        open_until(connection, 0, owner_id=1, now=now, zone=BERLIN)
        assert read_gate(connection, now, BERLIN).open_until() == datetime(2026, 11, 20, 23, 0, tzinfo=UTC)


def test_until_this_very_minute_is_refused(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.transaction() as connection, pytest.raises(Invalid) as refusal:
        open_until(connection, 22 * 60, owner_id=1, now=now + timedelta(seconds=30), zone=BERLIN)
    assert refusal.value.field == "until"


@pytest.mark.parametrize(("text", "minute"), [("22:30", 1350), ("6:05", 365), (" 00:00 ", 0), ("24:00", 1440)])
def test_clock_times_are_read(text: str, minute: int) -> None:
    assert read_clock(text, "start") == minute


@pytest.mark.parametrize("text", ["", "22", "2230", "24:01", "12:60", "-1:30", "1:5", "ab:cd", "111:00", "²2:30"])
def test_clock_times_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read_clock(text, "start")
    assert refusal.value.field == "start"


def test_dates_are_read() -> None:
    assert read_date(" 2026-12-24 ") == date(2026, 12, 24)
    with pytest.raises(Invalid) as refusal:
        read_date("24.12.2026")
    assert refusal.value.field == "date"


def test_every_day_has_its_word() -> None:
    assert [DAYS[date(2026, 11, 16 + n).weekday()] for n in range(7)] == list(DAYS)
