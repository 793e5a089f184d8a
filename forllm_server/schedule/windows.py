"""When models may work: windows of the week, exceptions by date, and what follows from them. Pure.

The rules, each with its test:

* A window is a span of *wall-clock* time on the days it names. The part after midnight belongs to the day it
  starts on: Friday 22:00-06:00 runs on Saturday 00:00-06:00 and not on Friday 00:00-06:00.
* Start equal to end is the whole day, 00:00-24:00. An end of 24:00 is allowed.
* When clocks go forward the skipped times do not exist; when they go back the repeated ones count twice.
* Several rows: open when any of them is. Rows for a backend *replace* the general rows for that backend.
* No enabled row: always open.
* An exception "closed" without times closes its calendar date, 00:00-24:00, and the night that starts on it;
  with times it closes just those. The date is read in the zone of the window it closes.
* An exception "open" adds a span (00:00-24:00 without times) in the forum's zone, and wins over "closed".
* Exceptions for all backends and for the backend asked about both count.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from forllm_server.schedule.intervals import Interval, day_span, in_utc, merged, without
from forllm_server.settings.zones import is_zone

#: the days of the week as stored, Monday first like ``date.weekday()``
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_OF_DAY = 24 * 60
#: how much of the future is worked out at a time: a week and a day
CHUNK = timedelta(days=8)
#: nothing is looked for further ahead than this
HORIZON = timedelta(days=400)
#: after the last exception the weeks repeat, so that two of them show everything; one more day for the clocks
SETTLED = timedelta(days=17)


class Closing(StrEnum):
    """What happens to a generation that is running when its window closes."""

    #: it may go on to its end; nothing new starts
    FINISH = "finish"
    #: what it wrote is kept and it goes back to the queue until the next opening
    PAUSE = "pause"
    #: it is stopped, and starts afresh at the next opening
    STOP = "stop"


#: the gentlest first: it wins when two windows close at the same moment
GENTLEST_FIRST = (Closing.FINISH, Closing.PAUSE, Closing.STOP)


class ExceptionKind(StrEnum):
    """What a date does to the week."""

    CLOSED = "closed"
    OPEN = "open"


@dataclass(frozen=True, kw_only=True)
class Window:
    """A span of the week. ``backend_id`` None is all backends, ``timezone`` None the forum's."""

    days: frozenset[str]
    start_minute: int
    end_minute: int
    timezone: str | None = None
    closing: Closing = Closing.FINISH
    backend_id: int | None = None
    is_enabled: bool = True

    @property
    def is_all_day(self) -> bool:
        return self.start_minute == self.end_minute or (self.start_minute, self.end_minute) == (0, MINUTES_OF_DAY)

    @property
    def is_overnight(self) -> bool:
        return self.end_minute < self.start_minute

    def zone(self, default_zone: ZoneInfo) -> ZoneInfo:
        # a zone that this machine no longer knows must not take the whole schedule down
        return ZoneInfo(self.timezone) if self.timezone and is_zone(self.timezone) else default_zone

    def has_day(self, day: date) -> bool:
        return DAYS[day.weekday()] in self.days


@dataclass(frozen=True, kw_only=True)
class DateException:
    """A date that differs from its week. Without times: the whole date."""

    date: date
    kind: ExceptionKind
    start_minute: int | None = None
    end_minute: int | None = None
    backend_id: int | None = None

    @property
    def is_whole_day(self) -> bool:
        return self.start_minute is None and self.end_minute is None

    def span(self) -> Interval:
        """The local span it opens or closes."""
        end_minute = MINUTES_OF_DAY if self.end_minute is None else self.end_minute
        return day_span(self.date, self.start_minute or 0, end_minute)


@dataclass(frozen=True)
class Plan:
    """All windows and exceptions, and the zone of those that name none."""

    windows: tuple[Window, ...]
    exceptions: tuple[DateException, ...]
    default_zone: ZoneInfo

    def rows_for(self, backend_id: int | None) -> tuple[Window, ...]:
        """The enabled windows in force for a backend (None: for those without windows of their own)."""
        enabled = tuple(window for window in self.windows if window.is_enabled)
        own = tuple(window for window in enabled if window.backend_id == backend_id)
        return own or tuple(window for window in enabled if window.backend_id is None)

    def exceptions_for(self, backend_id: int | None, kind: ExceptionKind) -> tuple[DateException, ...]:
        scope = (None, backend_id)
        return tuple(item for item in self.exceptions if item.kind is kind and item.backend_id in scope)

    def is_always_open(self, backend_id: int | None) -> bool:
        """Whether no window is set; exceptions may still close a date."""
        return not self.rows_for(backend_id)


#: what "no window" means
ALWAYS = Window(days=frozenset(DAYS), start_minute=0, end_minute=MINUTES_OF_DAY)


def is_open(plan: Plan, backend_id: int | None, at: datetime) -> bool:
    """Whether a request may start at ``at`` (aware)."""
    return any(contains(plan, backend_id, row, at) for row in _rows_or_always(plan, backend_id)) or any(
        _is_within(item.span(), _wall(at, plan.default_zone))
        for item in plan.exceptions_for(backend_id, ExceptionKind.OPEN)
    )


def contains(plan: Plan, backend_id: int | None, row: Window, at: datetime) -> bool:
    """Whether ``row``, less the closed dates, is open at ``at``."""
    wall = _wall(at, row.zone(plan.default_zone))
    yesterday = wall.date() - timedelta(days=1)
    return any(_is_within(span, wall) for span in _row_spans(plan, backend_id, row, yesterday, wall.date()))


def open_until(plan: Plan, backend_id: int | None, at: datetime) -> datetime | None:
    """When the present opening ends, in UTC. None when closed at ``at``, or when no end is in sight."""
    first = next(openings(plan, backend_id, at), None)
    return first.end if first and first.start <= at else None


def next_opening(plan: Plan, backend_id: int | None, at: datetime) -> datetime | None:
    """When it opens next, strictly after ``at``, in UTC; when open already, the opening after this one.

    None when it stays as it is for as long as is looked ahead.
    """
    return next((opening.start for opening in openings(plan, backend_id, at) if opening.start > at), None)


def open_seconds_between(plan: Plan, backend_id: int | None, start: datetime, end: datetime) -> float:
    """How many seconds between two moments are open."""
    if end <= start:
        return 0.0
    intervals = open_intervals(plan, backend_id, start, end)
    return sum((interval.end - interval.start).total_seconds() for interval in intervals)


def closing_policy(plan: Plan, backend_id: int | None, at: datetime) -> Closing:
    """What a running generation does when its window closes.

    The policy of the window that closes last of those open at ``at``; when closed, of the one that closed last.
    A date opened by an exception takes over the policy of the window before it.
    """
    rows = plan.rows_for(backend_id)
    begin, end = _utc(at) - CHUNK, _utc(at) + CHUNK
    best: tuple[datetime, int] | None = None
    for row in rows:
        for interval in _row_intervals(plan, backend_id, row, begin, end):
            rank = (interval.end, -GENTLEST_FIRST.index(row.closing))
            if interval.start <= at and (best is None or rank > best):
                best = rank
    if best is not None:
        return GENTLEST_FIRST[-best[1]]
    return min((row.closing for row in rows), key=GENTLEST_FIRST.index, default=Closing.FINISH)


@dataclass(frozen=True)
class Opening:
    """A time that is open. ``end`` None: no end is in sight."""

    start: datetime
    end: datetime | None


def openings(plan: Plan, backend_id: int | None, at: datetime) -> Iterator[Opening]:
    """The openings from ``at`` on, in UTC; the first begins at ``at`` itself when it is open then."""
    begin = _utc(at)
    limit = _limit(plan, begin)
    pending: Interval | None = None
    while begin < limit:
        end = min(begin + CHUNK, limit)
        for interval in open_intervals(plan, backend_id, begin, end):
            if pending and interval.start <= pending.end:
                pending = Interval(pending.start, interval.end)
                continue
            if pending:
                yield Opening(*pending)
            pending = interval
        begin = end
    if pending:
        yield Opening(pending.start, None if pending.end >= limit else pending.end)


def open_intervals(plan: Plan, backend_id: int | None, start: datetime, end: datetime) -> list[Interval]:
    """What is open between two moments, in UTC, in order, merged."""
    start, end = _utc(start), _utc(end)
    intervals: list[Interval] = []
    for row in _rows_or_always(plan, backend_id):
        intervals += _row_intervals(plan, backend_id, row, start, end)
    opened = (item.span() for item in plan.exceptions_for(backend_id, ExceptionKind.OPEN))
    return merged(intervals + in_utc(opened, plan.default_zone, start, end))


def _row_intervals(plan: Plan, backend_id: int | None, row: Window, start: datetime, end: datetime) -> list[Interval]:
    # two days before: the night that began yesterday, and a zone's date may be a day off UTC's
    first, last = start.date() - timedelta(days=2), end.date() + timedelta(days=1)
    spans = _row_spans(plan, backend_id, row, first, last)
    return in_utc(spans, row.zone(plan.default_zone), start, end)


def _row_spans(plan: Plan, backend_id: int | None, row: Window, first: date, last: date) -> list[Interval]:
    """The local spans of ``row`` that start from ``first`` to ``last``, less what is closed."""
    closed = plan.exceptions_for(backend_id, ExceptionKind.CLOSED)
    closed_days = {item.date for item in closed if item.is_whole_day}
    cuts = [item.span() for item in closed]
    spans: list[Interval] = []
    for day in _days(first, last):
        if row.has_day(day) and day not in closed_days:
            spans += without(day_span(day, row.start_minute, row.end_minute), cuts)
    return spans


def _rows_or_always(plan: Plan, backend_id: int | None) -> Sequence[Window]:
    return plan.rows_for(backend_id) or (ALWAYS,)


def _limit(plan: Plan, begin: datetime) -> datetime:
    """From where on there is nothing new: the weeks after the last exception are alike."""
    last = max((item.date for item in plan.exceptions), default=begin.date())
    days_ahead = max(last - begin.date(), timedelta())
    return begin + min(days_ahead + SETTLED, HORIZON)


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def _is_within(span: Interval, wall: datetime) -> bool:
    return span.start <= wall < span.end


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)
