"""A week as it can be drawn: for each day the minutes that are open. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from forllm_server.schedule.intervals import clipped, on_the_wall
from forllm_server.schedule.windows import Plan, open_intervals

DAY = timedelta(days=1)


@dataclass(frozen=True)
class OpenSpan:
    """Minutes after midnight; ``end_minute`` is at most 1440."""

    start_minute: int
    end_minute: int


@dataclass(frozen=True)
class DayPicture:
    """One day of the week and its open spans, in order."""

    date: date
    spans: tuple[OpenSpan, ...]


def week_picture(plan: Plan, backend_id: int | None, day: date) -> tuple[DayPicture, ...]:
    """Monday to Sunday of the week that ``day`` is in, by the forum's wall clock, exceptions included."""
    monday = day - timedelta(days=day.weekday())
    begin = datetime(monday.year, monday.month, monday.day, tzinfo=UTC)
    # two days on either side, because the forum's midnight is not UTC's
    intervals = open_intervals(plan, backend_id, begin - 2 * DAY, begin + 9 * DAY)
    shown = on_the_wall(intervals, plan.default_zone)
    pictures = []
    for number in range(7):
        midnight = begin.replace(tzinfo=None) + number * DAY
        spans = clipped(shown, midnight, midnight + DAY)
        minutes = (OpenSpan((a - midnight).seconds // 60, -((midnight - b) // timedelta(minutes=1))) for a, b in spans)
        pictures.append(DayPicture(midnight.date(), tuple(minutes)))
    return tuple(pictures)
