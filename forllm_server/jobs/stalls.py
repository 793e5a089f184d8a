"""Noticing that work waits and nothing goes on: a backend that is down for long, or everything failing."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from forllm_server.jobs.outlook import read_outlook
from forllm_server.morning import report_store
from forllm_server.queue.backend_state_store import list_backend_states
from forllm_server.queue.model import Status

#: So many failures without one answer are "everything".
LEAST_FAILURES = 3


@dataclass(frozen=True)
class Stall:
    """What has come to a stand. ``key``: it is told once a night. ``sentence``: for people."""

    key: str
    sentence: str
    since: datetime


class StallWatch:
    """One per process. What it remembers is since when a backend has been down; a restart begins to count anew."""

    def __init__(self) -> None:
        self._down_since: dict[int, datetime] = {}

    def look(self, connection: Connection, day: date, now: datetime, *, after: timedelta) -> list[Stall]:
        """What has been at a stand for as long as ``after``, although it has work and may begin."""
        outlook = read_outlook(connection, now)
        states = list_backend_states(connection)
        waiting = {each.id: each for each in outlook.backends if each.may_begin and not each.is_paused}
        down = {key: each for key, each in waiting.items() if key in states and states[key].failures}
        self._down_since = {key: self._down_since.get(key, now) for key in down}
        stalls = [
            Stall(
                f"stall:{day}:{key}",
                f"{each.record.name} cannot be reached: {states[key].last_error or 'no reason given'}",
                self._down_since[key],
            )
            for key, each in down.items()
            if now - self._down_since[key] >= after
        ]
        if waiting and not stalls:
            stalls += _failing(connection, day, now, after)
        return stalls


def _failing(connection: Connection, day: date, now: datetime, after: timedelta) -> list[Stall]:
    ended = report_store.count_ended(connection, now - after, now)
    failed = ended.get(Status.FAILED, 0)
    if failed < LEAST_FAILURES or ended.get(Status.SUCCEEDED, 0):
        return []
    return [Stall(f"failing:{day}", f"Everything fails: {failed:,} LLM requests, one after the other.", now - after)]
