from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import event

from forllm_server.db import Database
from forllm_server.schedule.gate import read_gate
from forllm_server.schedule.planning import add_exception, add_window, new_exception, new_window
from forllm_server.schedule.windows import Closing
from forllm_server.settings.values import change_settings

NIGHT = new_window(days=["fri"], start_minute=1350, end_minute=360, closing="pause")


def test_the_gate_of_an_empty_schedule_is_always_open(database: Database, now: datetime) -> None:
    with database.read() as connection:
        gate = read_gate(connection, now)
    assert gate.is_open()
    assert gate.is_open(1)
    assert gate.is_always_open()
    assert gate.open_until() is None
    assert gate.next_opening() is None
    assert gate.closing() == "finish"
    assert gate.words() == "always open: no window is set"


def test_the_gate_follows_the_zone_of_the_settings(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        change_settings(connection, {"timezone": "Europe/Berlin"}, now)
        add_window(connection, NIGHT, owner_id=1, now=now)
        gate = read_gate(connection, now)
    # 22:00 in Berlin
    assert not gate.is_open()
    assert gate.next_opening() == datetime(2026, 11, 20, 21, 30, tzinfo=UTC)
    assert gate.words() == "opens 22:30, in 30 min"
    assert gate.closing() is Closing.PAUSE


def test_the_gate_differs_by_backend(database: Database, now: datetime) -> None:
    own = new_window(days=["fri"], start_minute=0, end_minute=1440, backend_id=1, closing="stop")
    with database.transaction() as connection:
        add_window(connection, NIGHT, owner_id=1, now=now)
        add_window(connection, own, owner_id=1, now=now)
        gate = read_gate(connection, now, ZoneInfo("Europe/Berlin"))
    assert not gate.is_open()
    assert gate.is_open(1)
    assert gate.open_until(1) == datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
    assert gate.closing(1) is Closing.STOP


def test_past_exceptions_do_not_burden_the_gate(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        for day in (date(2026, 10, 1), date(2026, 11, 20)):
            add_exception(connection, new_exception(day=day, kind="closed"), owner_id=1, now=now)
        gate = read_gate(connection, now, ZoneInfo("UTC"))
    assert [item.date for item in gate.plan.exceptions] == [date(2026, 11, 20)]
    assert not gate.is_open()


def test_the_gate_costs_the_same_queries_with_one_window_and_with_many(database: Database, now: datetime) -> None:
    statements: list[str] = []
    with database.transaction() as connection:
        event.listen(connection, "before_cursor_execute", lambda *call: statements.append(call[2]))
        counts = []
        for _ in range(2):
            for _ in range(10):
                add_window(connection, NIGHT, owner_id=1, now=now)
            statements.clear()
            read_gate(connection, now)
            counts.append(len(statements))
    assert counts == [3, 3]
