"""Hours that cannot be meant, or that never come: what waits says so, nothing is foretold, and "run now" still runs."""

from datetime import date, datetime, timedelta

import pytest
import time_machine

from forllm_server.db import Database
from forllm_server.jobs.forecast import forecast
from forllm_server.jobs.standing import list_standings
from forllm_server.queue.model import Status
from forllm_server.schedule.gate import read_gate
from forllm_server.schedule.planning import add_exception, add_window, new_exception, new_window
from tests.jobs.conftest import Evening
from tests.support.world import LOCAL_USER


def close_for_ever(database: Database, now: datetime) -> None:
    """A window on Fridays alone, and every Friday of the next ten years closed by hand."""
    fridays = [date(2026, 11, 20) + timedelta(weeks=week) for week in range(530)]
    with database.transaction() as connection:
        window = new_window(days=["fri"], start_minute=1350, end_minute=1380, timezone="UTC")
        add_window(connection, window, owner_id=LOCAL_USER, now=now)
        for day in fridays[:500]:
            add_exception(connection, new_exception(day=day, kind="closed"), owner_id=LOCAL_USER, now=now)


def test_what_waits_for_hours_that_never_come_says_so_and_run_now_runs(evening: Evening, now: datetime) -> None:
    with time_machine.travel(now, tick=False):
        close_for_ever(evening.database, now)
        patient = evening.ask()
        assert not evening.run()
        with evening.database.read() as connection:
            (standing,) = list_standings(connection, [evening.get(patient)], now).values()
            foretold = forecast(connection, now)
        assert "no opening" in standing.sentence.lower(), standing
        assert standing.next_at is None
        assert (foretold.done_by, foretold.unknown_count) == ({}, 1)
        hasty = evening.ask(is_run_now=True, is_another=True)
        assert evening.run()
    assert evening.get(hasty).status is Status.SUCCEEDED
    assert (evening.get(patient).status, evening.get(patient).attempts) == (Status.QUEUED, 0)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-20T21:59+00:00", False),
        ("2026-11-20T22:00+00:00", True),
        ("2026-11-21T05:59+00:00", True),
        ("2026-11-21T06:00+00:00", False),
        ("2026-11-20T05:00+00:00", False),
    ],
)
def test_an_end_before_the_beginning_is_the_next_morning(evening: Evening, moment: str, *, is_open: bool) -> None:
    now = datetime.fromisoformat(moment)
    with evening.database.transaction() as connection:
        window = new_window(days=["fri"], start_minute=22 * 60, end_minute=6 * 60, timezone="UTC")
        add_window(connection, window, owner_id=LOCAL_USER, now=now)
    with time_machine.travel(now, tick=False):
        evening.ask()
        with evening.database.read() as connection:
            assert read_gate(connection, now).is_open(evening.world.backend_id) is is_open
        assert evening.run() is is_open
