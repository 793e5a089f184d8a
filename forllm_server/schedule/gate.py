"""The gate: what the worker and the pages ask before and while a model works."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from forllm_server.schedule import windows
from forllm_server.schedule.exception_store import list_exceptions
from forllm_server.schedule.window_store import list_windows
from forllm_server.schedule.windows import Closing, Plan
from forllm_server.schedule.words import state_words
from forllm_server.settings.values import read_settings

#: how far back a closing policy is looked for; older exceptions change nothing
MEMORY = timedelta(days=10)


@dataclass(frozen=True)
class Gate:
    """The schedule as it was read at ``at``. Every question takes a backend's id; None is "any without its own"."""

    plan: Plan
    at: datetime

    def is_open(self, backend_id: int | None = None) -> bool:
        """Whether a request may start now."""
        return windows.is_open(self.plan, backend_id, self.at)

    def is_always_open(self, backend_id: int | None = None) -> bool:
        """Whether no window is set."""
        return self.plan.is_always_open(backend_id)

    def open_until(self, backend_id: int | None = None) -> datetime | None:
        """When it closes, UTC; None when closed now or when no end is in sight."""
        return windows.open_until(self.plan, backend_id, self.at)

    def opened_at(self, backend_id: int | None = None) -> datetime | None:
        """When the present or last opening began, UTC; None when no window is set or none was open for ten days."""
        if self.is_always_open(backend_id):
            return None
        intervals = windows.open_intervals(self.plan, backend_id, self.at - MEMORY, self.at)
        return intervals[-1].start if intervals else None

    def next_opening(self, backend_id: int | None = None) -> datetime | None:
        """When it opens next, UTC, after now; None when none is in sight."""
        return windows.next_opening(self.plan, backend_id, self.at)

    def closing(self, backend_id: int | None = None) -> Closing:
        """What a running generation does when its window closes."""
        return windows.closing_policy(self.plan, backend_id, self.at)

    def words(self, backend_id: int | None = None) -> str:
        """The state in a few words for people."""
        # Windows begin and end with a minute, and no word changes within one: most pages find them said already.
        return _words(self.plan, backend_id, self.at.replace(second=0, microsecond=0))


@lru_cache(maxsize=32)
def _words(plan: Plan, backend_id: int | None, minute: datetime) -> str:
    return state_words(plan, backend_id, minute)


def read_plan(connection: Connection, now: datetime, default_zone: ZoneInfo | None = None) -> Plan:
    """All windows, and the exceptions that still matter at ``now``."""
    zone = default_zone or read_settings(connection).zone
    exceptions = list_exceptions(connection, since=(now - MEMORY).date())
    return Plan(tuple(list_windows(connection)), tuple(exceptions), zone)


def read_gate(connection: Connection, now: datetime, default_zone: ZoneInfo | None = None) -> Gate:
    """The gate as of ``now``; without ``default_zone`` in the zone of the settings, or the machine's."""
    return Gate(read_plan(connection, now, default_zone), now)


def last_opening(connection: Connection, now: datetime, default_zone: ZoneInfo | None = None) -> datetime:
    """Since when an answer is last night's: the last opening of a window, or a day ago where there is none."""
    return read_gate(connection, now, default_zone).opened_at() or now - timedelta(hours=24)
