"""Spans of wall-clock time, and the stretches of real time they stand for.

A span is a pair of *naive local* times, start included, end not. The moments it stands for are those whose wall
clock shows a time inside it: a time that the clocks skip gives none, a time that they show twice gives both.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

#: no zone changes its offset twice within this time
STEP = timedelta(hours=3)
SECOND = timedelta(seconds=1)


class Interval(NamedTuple):
    """``start`` included, ``end`` not. Both naive local, or both aware UTC."""

    start: datetime
    end: datetime


class Stretch(NamedTuple):
    """A time, in UTC, in which a zone keeps one offset."""

    start: datetime
    end: datetime
    offset: timedelta


def day_span(day: date, start_minute: int, end_minute: int) -> Interval:
    """The local span that starts on ``day``, in minutes after midnight.

    ``start_minute == end_minute`` is the whole day; an end before the start is on the next day.
    """
    midnight = datetime.combine(day, datetime.min.time())
    if start_minute == end_minute:
        return Interval(midnight, midnight + timedelta(days=1))
    if end_minute < start_minute:
        end_minute += 24 * 60
    return Interval(midnight + timedelta(minutes=start_minute), midnight + timedelta(minutes=end_minute))


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """In order, with those that touch or overlap made one."""
    result: list[Interval] = []
    for interval in sorted(intervals):
        if result and interval.start <= result[-1].end:
            result[-1] = Interval(result[-1].start, max(result[-1].end, interval.end))
        else:
            result.append(interval)
    return result


def without(interval: Interval, cuts: Sequence[Interval]) -> list[Interval]:
    """What is left of ``interval``."""
    pieces = [interval]
    for cut in cuts:
        pieces = [
            piece
            for whole in pieces
            for piece in (
                Interval(whole.start, min(whole.end, cut.start)),
                Interval(max(whole.start, cut.end), whole.end),
            )
            if piece.start < piece.end
        ]
    return pieces


def clipped(intervals: Iterable[Interval], start: datetime, end: datetime) -> list[Interval]:
    """The parts of ``intervals`` between two moments."""
    parts = (Interval(max(interval.start, start), min(interval.end, end)) for interval in intervals)
    return [part for part in parts if part.start < part.end]


def in_utc(spans: Iterable[Interval], zone: ZoneInfo, start: datetime, end: datetime) -> list[Interval]:
    """The moments between ``start`` and ``end`` (UTC) at which the wall clock of ``zone`` is in one of ``spans``."""
    spans = list(spans)
    moments = []
    for stretch in stretches(zone, start, end):
        shifted = (Interval(_utc(span.start, stretch), _utc(span.end, stretch)) for span in spans)
        moments += clipped(shifted, stretch.start, stretch.end)
    return merged(moments)


def on_the_wall(intervals: Iterable[Interval], zone: ZoneInfo) -> list[Interval]:
    """The naive local spans that the wall clock of ``zone`` shows during ``intervals`` (UTC)."""
    spans = []
    for interval in intervals:
        for stretch in stretches(zone, *interval):
            spans.append(Interval(_local(stretch.start, stretch), _local(stretch.end, stretch)))
    return merged(spans)


@lru_cache(maxsize=512)
def stretches(zone: ZoneInfo, start: datetime, end: datetime) -> tuple[Stretch, ...]:
    """The time from ``start`` to ``end`` (UTC), cut where the offset of ``zone`` changes."""
    found = []
    begin, here, offset = start, start, _offset(zone, start)
    while here < end:
        there = min(here + STEP, end)
        if _offset(zone, there) != offset:
            change = _change(zone, here, there)
            found.append(Stretch(begin, change, offset))
            begin, offset = change, _offset(zone, there)
        here = there
    found.append(Stretch(begin, end, offset))
    return tuple(stretch for stretch in found if stretch.start < stretch.end)


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second at which the offset is no longer that of ``before``."""
    old = _offset(zone, before)
    while after - before > SECOND:
        middle = before + timedelta(seconds=(after - before) // SECOND // 2)
        if _offset(zone, middle) == old:
            before = middle
        else:
            after = middle
    # offsets change at whole seconds, the moment asked about need not be one
    return after.replace(microsecond=0)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _utc(local: datetime, stretch: Stretch) -> datetime:
    return (local - stretch.offset).replace(tzinfo=stretch.start.tzinfo)


def _local(moment: datetime, stretch: Stretch) -> datetime:
    return (moment + stretch.offset).replace(tzinfo=None)
