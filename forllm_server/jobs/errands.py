"""A person's commands around a window: each once in a window that had work, by one process of all that work on it.

What was begun is kept in the row ``machine.last_opening`` of ``settings``, so that a restart does not do it again.
"""

import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from forllm_server import log
from forllm_server.db import Database
from forllm_server.jobs.outlook import BackendOutlook, Outlook
from forllm_server.machine.commands import CommandOutcome, RunningCommand, start_command
from forllm_server.schedule.intervals import merged
from forllm_server.schedule.windows import open_intervals
from forllm_server.settings.fields import Value
from forllm_server.settings.settings_store import find_stamped, update_if_unchanged

KEY = "machine.last_opening"
#: A command for the end that could not be given by then would surprise: the machine slept, or FORLLM was not running.
LATEST = timedelta(minutes=10)
#: of a command's output in the log
LOGGED_CHARACTERS = 2_000
_INSTANT = timedelta(seconds=1)


@dataclass(frozen=True)
class Opening:
    """A window that the command before it was run for. ``opened_at``: when that was; ``host``: where."""

    opened_at: datetime
    host: str
    is_over: bool
    #: when the row was written
    written_at: datetime


class Errands:
    """``heed`` it every few seconds, from one thread."""

    def __init__(self, database: Database, *, host: str | None = None) -> None:
        self._database = database
        self._host = host or socket.gethostname()
        self._running: list[tuple[str, RunningCommand]] = []
        self._worked_at: datetime | None = None

    def heed(self, outlook: Outlook, now: datetime) -> None:
        """Run what is due, without waiting for it; tell how it went once it has. May raise ForllmError."""
        self._report()
        settings = outlook.settings
        if not settings.command_before_window and not settings.command_after_window:
            return
        # Without hours there is no window, nor its end.
        backends = [backend for backend in outlook.backends if backend.has_hours]
        if any(backend.running for backend in backends):
            self._worked_at = now
        last = self._find_last()
        stretch = _open_around(outlook, backends, last.opened_at, now) if last else None
        is_same = stretch is not None and stretch[0] <= now < stretch[1]
        is_mine = last is not None and last.host == self._host and not last.is_over
        has_work = any(backend.is_open and backend.is_at_work for backend in backends)
        if has_work and not is_same:
            self._begin(outlook, last, now, is_skipping=is_mine)
        elif last is not None and is_mine and _is_done(backends, is_same=is_same):
            self._end(outlook, last, stretch[1] if stretch else last.opened_at, now)

    def _begin(self, outlook: Outlook, last: Opening | None, now: datetime, *, is_skipping: bool) -> None:
        if is_skipping:
            log.event("command.skipped", level=log.WARNING, command="after_window", detail="The next window is open.")
        if self._note(Opening(now, self._host, False, now), last):
            self._start("before_window", outlook.settings.command_before_window, now)

    def _end(self, outlook: Outlook, last: Opening, closed_at: datetime, now: datetime) -> None:
        due_at = max(closed_at, self._worked_at or closed_at)
        if not self._note(Opening(last.opened_at, self._host, True, now), last):
            return
        if now - due_at > LATEST:
            detail = "FORLLM was not there when the window ended."
            log.event("command.skipped", level=log.WARNING, command="after_window", detail=detail)
        else:
            self._start("after_window", outlook.settings.command_after_window, now)

    def _start(self, which: str, command: str, now: datetime) -> None:
        if command:
            self._running.append((which, start_command(command, which, {"at": now.isoformat()})))

    def _report(self) -> None:
        still = []
        for which, running in self._running:
            outcome = running.outcome()
            if outcome is None:
                still.append((which, running))
            else:
                _log(which, outcome)
        self._running = still

    def _find_last(self) -> Opening | None:
        with self._database.read() as connection:
            found = find_stamped(connection, KEY)
        return None if found is None else _opening(*found)

    def _note(self, opening: Opening, last: Opening | None) -> bool:
        """Whether this process is the one to do it."""
        value: dict[str, Value] = {
            "opened_at": opening.opened_at.isoformat(),
            "host": opening.host,
            "is_over": opening.is_over,
        }
        with self._database.transaction() as connection:
            written_at = last.written_at if last else None
            return update_if_unchanged(connection, KEY, value, written_at=written_at, now=opening.written_at)


def _opening(value: Any, written_at: datetime) -> Opening:
    """What was stored; one that cannot be read is long over."""
    try:
        opened_at = datetime.fromisoformat(value["opened_at"])
        return Opening(opened_at, str(value["host"]), bool(value["is_over"]), written_at)
    except (TypeError, KeyError, ValueError):
        return Opening(datetime.fromtimestamp(0, written_at.tzinfo), "", True, written_at)


def _open_around(
    outlook: Outlook, backends: list[BackendOutlook], at: datetime, now: datetime
) -> tuple[datetime, datetime] | None:
    """The stretch around ``at``, as far as ``now`` and an instant more, in which one or another of them is open."""
    start, end = min(at, now), max(at, now) + _INSTANT
    intervals = [each for backend in backends for each in open_intervals(outlook.gate.plan, backend.id, start, end)]
    return next(((first, last) for first, last in merged(intervals) if first <= at < last), None)


def _is_done(backends: list[BackendOutlook], *, is_same: bool) -> bool:
    """Whether nothing runs, and nothing is left to do in this window."""
    if any(backend.running for backend in backends):
        return False
    return not is_same or not any(backend.is_left_with_work for backend in backends)


def _log(which: str, outcome: CommandOutcome) -> None:
    log.event(
        "command.succeeded" if outcome.is_ok else "command.failed",
        level=log.INFO if outcome.is_ok else log.WARNING,
        command=which,
        exit_code=outcome.exit_code,
        seconds=round(outcome.seconds, 1),
        detail=outcome.problem,
        output=outcome.output[-LOGGED_CHARACTERS:],
        is_truncated=outcome.is_truncated or len(outcome.output) > LOGGED_CHARACTERS,
    )
