"""What "a night" is. Pure.

A night has the date of its morning. It takes what opens from noon of the day before until noon, and lasts from the
first opening to the last closing: a window that begins before noon and ends after it belongs to it wholly. What is
open for more than a day on end (always, or over a weekend) is cut at every noon.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from forllm_server.morning.model import Night
from forllm_server.schedule.intervals import Interval, merged
from forllm_server.schedule.windows import Plan, open_intervals

DAY = timedelta(days=1)
_NOON = time(12)
#: Where nothing closes, the night of a day becomes yesterday's at this hour: the evening looks ahead.
_EVENING = time(18)
#: A night is near its end in so much of its time.
_LAST_PART = 0.25
#: The earliest and the latest morning that is asked about; beyond them there is no calendar.
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(9000, 1, 1)


def noon(day: date, zone: ZoneInfo) -> datetime:
    """12:00 of a day by the wall clock of ``zone``, in UTC."""
    return datetime.combine(day, _NOON, zone).astimezone(UTC)


def hours_between(plan: Plan, backend_ids: Iterable[int], first: date, last: date) -> list[Interval]:
    """When any backend with hours is open, as far as the nights of ``first`` to ``last`` need it; UTC, merged."""
    start, end = noon(first - 3 * DAY, plan.default_zone), noon(last + 2 * DAY, plan.default_zone)
    with_hours = [each for each in backend_ids if not plan.is_always_open(each)]
    asked: Sequence[int | None] = with_hours or [None]
    return merged(interval for each in asked for interval in open_intervals(plan, each, start, end))


def nights_between(
    hours: Iterable[Interval], zone: ZoneInfo, first: date, last: date, known: Mapping[date, Night] | None = None
) -> list[Night]:
    """The nights of the mornings ``first`` to ``last``. ``known``: nights as they were when they were under way."""
    known = known or {}
    pieces = [piece for interval in hours for piece in _pieces(interval, zone)]
    before = _cut(first - DAY, pieces, zone, known)
    nights = []
    for number in range((last - first).days + 1):
        day = first + number * DAY
        begins_at, ends_at = _span(day, pieces, zone, known)
        until = _cut(day, pieces, zone, known)
        nights.append(Night(day, begins_at, ends_at, before, until))
        before = until
    return nights


def latest_day(plan: Plan, backend_ids: Iterable[int], now: datetime) -> date:
    """The morning whose night is under way or was the last one."""
    zone = plan.default_zone
    local = now.astimezone(zone)
    tomorrow = local.date() + DAY
    ids = list(backend_ids)
    if all(plan.is_always_open(each) for each in ids) and plan.is_always_open(None):
        return tomorrow if local.time() >= _EVENING else local.date()
    found = nights_between(hours_between(plan, ids, local.date() - 7 * DAY, tomorrow), zone, local.date() - 7 * DAY,
                           tomorrow)  # fmt: skip
    return next((night.day for night in reversed(found) if night.has_begun(now)), local.date())


def is_near_end(night: Night, now: datetime) -> bool:
    """Whether the last part of its hours has come, or they are over."""
    if night.begins_at is None or night.ends_at is None:
        return False
    return now >= night.ends_at - (night.ends_at - night.begins_at) * _LAST_PART


def is_done(night: Night, now: datetime, *, is_work_left: bool, is_running: bool) -> bool:
    """Whether a night can be summed up: nothing runs any more, and its hours are over or it has nothing left to do.

    Early in the night an empty queue means little: more may still be asked.
    """
    if night.ends_at is None or is_running:
        return False
    return now >= night.ends_at or (is_near_end(night, now) and not is_work_left)


def _pieces(interval: Interval, zone: ZoneInfo) -> list[Interval]:
    if interval.end - interval.start <= DAY:
        return [interval]
    cuts = [interval.start]
    day = interval.start.astimezone(zone).date()
    while (at := noon(day, zone)) < interval.end:
        if at > interval.start:
            cuts.append(at)
        day += DAY
    return [Interval(*pair) for pair in zip(cuts, [*cuts[1:], interval.end], strict=True)]


def _span(
    day: date, pieces: Sequence[Interval], zone: ZoneInfo, known: Mapping[date, Night]
) -> tuple[datetime | None, datetime | None]:
    if day in known:
        return known[day].begins_at, known[day].ends_at
    begin, end = noon(day - DAY, zone), noon(day, zone)
    own = [piece for piece in pieces if begin <= piece.start < end]
    return (own[0].start, max(piece.end for piece in own)) if own else (None, None)


def _cut(day: date, pieces: Sequence[Interval], zone: ZoneInfo, known: Mapping[date, Night]) -> datetime:
    """Where the report of a day ends: at noon, or with its night where that is later."""
    if day in known:
        return known[day].counts_until
    _, ends_at = _span(day, pieces, zone, known)
    return max(noon(day, zone), ends_at) if ends_at else noon(day, zone)
