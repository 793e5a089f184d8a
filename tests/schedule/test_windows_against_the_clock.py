"""Windows around every change of clocks, compared with looking at the wall clock each minute."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from forllm_server.schedule.windows import (
    DAYS,
    DateException,
    ExceptionKind,
    Plan,
    Window,
    is_open,
    next_opening,
    open_intervals,
    open_seconds_between,
    open_until,
    openings,
)
from forllm_server.settings.zones import zone_names

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
ODD_ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "Africa/Casablanca",
    "Asia/Pyongyang", "America/Caracas", "Antarctica/Troll", "America/St_Johns", "Asia/Kathmandu", "Africa/Cairo",
    "Pacific/Kwajalein", "America/Sao_Paulo", "Asia/Gaza", "America/Scoresbysund", "UTC",
)  # fmt: skip


def looks_open(plan: Plan, backend_id: int | None, moment: datetime) -> bool:
    """The rules once more, as plainly as can be: a look at one clock at one moment."""
    by_hand = [item for item in plan.exceptions if item.backend_id in (None, backend_id)]
    wall = moment.astimezone(plan.default_zone).replace(tzinfo=None)
    if any(is_shown(wall, item) for item in by_hand if item.kind is ExceptionKind.OPEN):
        return True
    enabled = [window for window in plan.windows if window.is_enabled]
    rows = [window for window in enabled if window.backend_id == backend_id]
    rows = rows or [window for window in enabled if window.backend_id is None]
    closed = [item for item in by_hand if item.kind is ExceptionKind.CLOSED]
    if not rows:
        return not any(is_shown(wall, item) for item in closed)
    return any(row_looks_open(row, closed, moment, plan.default_zone) for row in rows)


def row_looks_open(row: Window, closed: list[DateException], moment: datetime, zone: ZoneInfo) -> bool:
    wall = moment.astimezone(ZoneInfo(row.timezone) if row.timezone else zone).replace(tzinfo=None)
    if any(is_shown(wall, item) for item in closed):
        return False
    whole_days = {item.date for item in closed if item.start_minute is None}
    shown = wall.hour * 60 + wall.minute
    today, yesterday = wall.date(), wall.date() - DAY
    starts_today = DAYS[today.weekday()] in row.days and today not in whole_days
    started_yesterday = DAYS[yesterday.weekday()] in row.days and yesterday not in whole_days
    if row.start_minute == row.end_minute:
        return starts_today
    if row.start_minute < row.end_minute:
        return starts_today and row.start_minute <= shown < row.end_minute
    return (starts_today and shown >= row.start_minute) or (started_yesterday and shown < row.end_minute)


def is_shown(wall: datetime, item: DateException) -> bool:
    shown = wall.hour * 60 + wall.minute
    if item.start_minute is None or item.end_minute is None or item.start_minute == item.end_minute:
        return wall.date() == item.date
    if item.start_minute < item.end_minute:
        return wall.date() == item.date and item.start_minute <= shown < item.end_minute
    is_evening = wall.date() == item.date and shown >= item.start_minute
    return is_evening or (wall.date() - DAY == item.date and shown < item.end_minute)


@cache
def changes_of(zone: ZoneInfo) -> list[date]:
    """The dates from 1990 to 2035 on which a zone's offset at midnight UTC differs from the day before's."""
    first = datetime(1990, 1, 1, tzinfo=UTC)
    days = [first + n * DAY for n in range(45 * 365)]
    offsets = [day.astimezone(zone).utcoffset() for day in days]
    changed = [days[n].date() for n in range(1, len(days)) if offsets[n] != offsets[n - 1]]
    return changed or [date(2026, 11, 20)]


minutes = st.one_of(st.integers(0, 1440), st.sampled_from([0, 60, 90, 120, 150, 180, 210, 1320, 1380, 1439, 1440]))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    return Window(
        days=draw(st.frozensets(st.sampled_from(DAYS), min_size=1)),
        start_minute=min(draw(minutes), 1439),
        end_minute=max(draw(minutes), 1),
        timezone=draw(st.sampled_from([None, None, None, "Asia/Kolkata", "America/New_York"])),
        backend_id=draw(st.sampled_from([None, None, 7])),
        is_enabled=draw(st.sampled_from([True, True, True, False])),
    )


@st.composite
def date_exceptions(draw: st.DrawFn, around: date) -> DateException:
    has_times = draw(st.booleans())
    return DateException(
        date=around + timedelta(days=draw(st.integers(-2, 3))),
        kind=draw(st.sampled_from(ExceptionKind)),
        start_minute=min(draw(minutes), 1439) if has_times else None,
        end_minute=max(draw(minutes), 1) if has_times else None,
        backend_id=draw(st.sampled_from([None, None, 7])),
    )


@st.composite
def situations(draw: st.DrawFn) -> tuple[Plan, int | None, datetime]:
    """A plan, a backend, and the moment a day before a change of clocks or so."""
    name = draw(st.one_of(st.sampled_from(ODD_ZONES), st.sampled_from(sorted(zone_names()))))
    day = draw(st.sampled_from(changes_of(ZoneInfo(name))))
    rows = draw(st.lists(windows(), max_size=3))
    exceptions = draw(st.lists(date_exceptions(day), max_size=2))
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(minutes=draw(st.integers(1440, 2160)))
    return Plan(tuple(rows), tuple(exceptions), ZoneInfo(name)), draw(st.sampled_from([None, 7])), start


@settings(max_examples=60, deadline=None)
@given(situations())
def test_intervals_are_what_the_clock_shows_each_minute(situation: tuple[Plan, int | None, datetime]) -> None:
    plan, backend_id, start = situation
    looked = [start + n * MINUTE for n in range(3 * 1440)]
    expected = {moment for moment in looked if looks_open(plan, backend_id, moment)}
    intervals = open_intervals(plan, backend_id, start, looked[-1] + MINUTE)
    assert {moment for moment in looked if any(a <= moment < b for a, b in intervals)} == expected
    assert open_seconds_between(plan, backend_id, start, looked[-1] + MINUTE) == 60 * len(expected)
    edges = {edge + step for interval in intervals for edge in interval for step in (-MINUTE, 0 * MINUTE, MINUTE)}
    for moment in edges | set(looked[::97]):
        assert is_open(plan, backend_id, moment) is looks_open(plan, backend_id, moment)


@settings(max_examples=60, deadline=None)
@given(situations())
def test_the_next_opening_is_open_and_the_minute_before_is_closed(
    situation: tuple[Plan, int | None, datetime],
) -> None:
    plan, backend_id, start = situation
    opening = next_opening(plan, backend_id, start)
    assume(opening is not None)
    assert opening is not None
    assert opening > start
    assert looks_open(plan, backend_id, opening)
    assert not looks_open(plan, backend_id, opening - MINUTE)
    begin = open_until(plan, backend_id, start) or start
    between = range(0, int((opening - begin) / MINUTE), 7)
    assert not any(looks_open(plan, backend_id, begin + n * MINUTE) for n in between)


@settings(max_examples=60, deadline=None)
@given(situations())
def test_it_stays_open_until_it_says_and_not_a_minute_longer(situation: tuple[Plan, int | None, datetime]) -> None:
    plan, backend_id, start = situation
    end = open_until(plan, backend_id, start)
    if end is None:
        stays = next(openings(plan, backend_id, start), None)
        assert not looks_open(plan, backend_id, start) or (stays is not None and stays.end is None)
        return
    assert not looks_open(plan, backend_id, end)
    assert all(looks_open(plan, backend_id, start + n * MINUTE) for n in range(0, int((end - start) / MINUTE), 7))
    assert looks_open(plan, backend_id, end - MINUTE)


@settings(max_examples=30, deadline=None)
@given(situations(), st.integers(1, 20000))
def test_open_seconds_add_up(situation: tuple[Plan, int | None, datetime], minutes_later: int) -> None:
    plan, backend_id, start = situation
    middle, end = start + minutes_later * MINUTE, start + timedelta(days=15)
    parts = [open_seconds_between(plan, backend_id, start, middle), open_seconds_between(plan, backend_id, middle, end)]
    assert sum(parts) == open_seconds_between(plan, backend_id, start, end)
