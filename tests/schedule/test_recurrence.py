"""When recurring topics are due, what of missed ones is made up for, and what they say."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forllm_server.schedule.recurrence import (
    GRACE,
    MOST_CAUGHT_UP,
    CatchUp,
    Missed,
    Recurrence,
    catch_up,
    filled,
    is_next_right,
    moment_of,
    next_occurrence,
    occurrences,
    recurrence_words,
)
from forllm_server.schedule.windows import DAYS

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ODD_ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "Africa/Casablanca",
    "America/Sao_Paulo", "Antarctica/Troll", "Asia/Gaza", "Africa/Cairo", "America/Scoresbysund", "UTC",
)  # fmt: skip


def every(days: str, clock: str, timezone: str | None = None) -> Recurrence:
    return Recurrence(days=frozenset(days.split()), minute=minute(clock), timezone=timezone)


def minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def between(recurrence: Recurrence, start: str, end: str, zone: ZoneInfo = BERLIN) -> list[str]:
    found = occurrences(recurrence, zone, at(start, zone), at(end, zone))
    return [f"{moment.astimezone(zone):%a %d %H:%M}" for moment in found]


def test_it_occurs_on_its_days_at_its_time() -> None:
    assert between(every("mon thu", "22:00"), "2026-11-20", "2026-12-01") == [
        "Mon 23 22:00",
        "Thu 26 22:00",
        "Mon 30 22:00",
    ]


def test_the_start_is_left_out_and_the_end_counts() -> None:
    assert between(every("mon", "22:00"), "2026-11-23T22:00", "2026-11-30T22:00") == ["Mon 30 22:00"]


def test_the_wall_clock_is_followed_through_a_change_of_clocks() -> None:
    weekly = every("sat sun", "22:00")
    moments = list(occurrences(weekly, BERLIN, at("2026-10-24"), at("2026-10-26")))
    assert [moment.hour for moment in moments] == [20, 21]


def test_a_skipped_time_occurs_when_the_clocks_jump() -> None:
    assert moment_of(date(2026, 3, 29), minute("02:30"), BERLIN) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert moment_of(date(2026, 3, 29), minute("02:00"), BERLIN) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert between(every("sun", "02:30"), "2026-03-28", "2026-03-30") == ["Sun 29 03:00"]


def test_a_repeated_time_occurs_once_the_first_time() -> None:
    assert moment_of(date(2026, 10, 25), minute("02:30"), BERLIN) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert between(every("sun", "02:30"), "2026-10-24", "2026-10-26") == ["Sun 25 02:30"]


def test_a_whole_day_that_a_zone_skipped_occurs_once_where_it_would_have_been() -> None:
    # Samoa had no Friday 30 December 2011.
    apia = ZoneInfo("Pacific/Apia")
    assert between(every("fri", "12:00"), "2011-12-29T00:00", "2012-01-01", apia) == ["Sat 31 00:00"]
    assert between(every("fri sat", "00:00"), "2011-12-29T12:00", "2012-01-01", apia) == ["Sat 31 00:00"]


def test_a_zone_of_its_own_wins_and_an_unknown_one_is_the_forums() -> None:
    tokyo = every("mon", "22:00", "Asia/Tokyo")
    assert next_occurrence(tokyo, tokyo.zone(BERLIN), at("2026-11-20")) == datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
    assert every("mon", "22:00", "Mars/Base").zone(BERLIN) is BERLIN


@cache
def changes_of(name: str) -> list[datetime]:
    """The days from 2005 to 2030 within which a zone's offset changes."""
    zone, first = ZoneInfo(name), datetime(2005, 1, 1, tzinfo=UTC)
    days = [first + n * DAY for n in range(25 * 365)]
    return [day for day in days if day.astimezone(zone).utcoffset() != (day + DAY).astimezone(zone).utcoffset()]


@st.composite
def places(draw: st.DrawFn) -> tuple[ZoneInfo, datetime]:
    """A zone, and a moment near one of its changes of clocks."""
    name = draw(st.sampled_from(ODD_ZONES))
    day = draw(st.sampled_from(changes_of(name) or [datetime(2026, 3, 29, tzinfo=UTC)]))
    return ZoneInfo(name), day + timedelta(minutes=draw(st.integers(-2 * 1440, 2 * 1440)))


recurrences = st.builds(
    Recurrence, days=st.frozensets(st.sampled_from(DAYS), min_size=1), minute=st.integers(0, 1439), timezone=st.none()
)


def looked_up(recurrence: Recurrence, zone: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
    """The rule once more, by looking at the clock each minute: the first minute that has reached the time of a day."""
    start = after.replace(second=0, microsecond=0) - 3 * DAY
    walls: dict[datetime, datetime] = {}
    highest = start.astimezone(zone).replace(tzinfo=None)
    moment = start
    while moment <= until:
        wall = moment.astimezone(zone).replace(tzinfo=None)
        day = highest.date()
        while day <= wall.date():
            due = datetime.combine(day, datetime.min.time()) + timedelta(minutes=recurrence.minute)
            if highest < due <= wall and DAYS[day.weekday()] in recurrence.days:
                walls.setdefault(due, moment)
            day += DAY
        highest = max(highest, wall)
        moment += MINUTE
    return sorted({moment for moment in walls.values() if after < moment <= until})


@settings(max_examples=60, deadline=None)
@given(places(), recurrences)
def test_it_occurs_when_the_clock_first_reaches_its_time(place: tuple[ZoneInfo, datetime], rule: Recurrence) -> None:
    zone, start = place
    end = start + 3 * DAY
    assert list(occurrences(rule, zone, start, end)) == looked_up(rule, zone, start, end)


@settings(max_examples=200, deadline=None)
@given(places(), recurrences, st.integers(1, 12 * 1440))
def test_going_on_from_one_to_the_next_misses_and_doubles_none(
    place: tuple[ZoneInfo, datetime], rule: Recurrence, minutes: int
) -> None:
    zone, start = place
    end = start + minutes * MINUTE
    steps, here = [], next_occurrence(rule, zone, start)
    while here <= end:
        steps.append(here)
        here = next_occurrence(rule, zone, here)
    assert steps == list(occurrences(rule, zone, start, end))
    assert is_next_right(rule, zone, here, end)


@settings(max_examples=200, deadline=None)
@given(places(), recurrences, st.integers(0, 30 * 1440), st.sampled_from(Missed))
def test_what_is_made_up_for_and_what_is_passed_over_is_all_there_was(
    place: tuple[ZoneInfo, datetime], rule: Recurrence, minutes: int, missed: Missed
) -> None:
    zone, start = place
    first = next_occurrence(rule, zone, start)
    now = first + minutes * MINUTE
    pending = [first, *occurrences(rule, zone, first, now)]
    found = catch_up(rule, zone, missed, first, now)
    assert len(found.due) + found.passed_over == len(pending)
    assert list(found.due) == pending[len(pending) - len(found.due) :]
    if missed is Missed.LATEST:
        assert len(found.due) == 1


def test_skipping_runs_only_what_has_just_become_due() -> None:
    daily, due = every(" ".join(DAYS), "22:00"), at("2026-11-20T22:00")
    assert catch_up(daily, BERLIN, Missed.SKIP, due - 3 * DAY, due + GRACE) == CatchUp((due,), 3)
    assert catch_up(daily, BERLIN, Missed.SKIP, due - 3 * DAY, due + GRACE + MINUTE) == CatchUp((), 4)


def test_all_is_bounded_to_the_last_fifty() -> None:
    daily, due = every(" ".join(DAYS), "22:00"), at("2026-11-20T22:00")
    found = catch_up(daily, BERLIN, Missed.ALL, at("2026-08-13T22:00"), due + MINUTE)
    assert (len(found.due), found.passed_over, found.due[-1]) == (MOST_CAUGHT_UP, 50, due)
    weekly = every("fri", "22:00")
    assert len(catch_up(weekly, BERLIN, Missed.ALL, at("2000-01-07T22:00"), due).due) == MOST_CAUGHT_UP


def test_a_clock_that_jumped_or_a_changed_zone_is_noticed() -> None:
    weekly, now = every("mon", "22:00"), at("2026-11-20T12:00")
    right = next_occurrence(weekly, BERLIN, now)
    assert is_next_right(weekly, BERLIN, right, now)
    assert is_next_right(weekly, BERLIN, right + 7 * DAY, right - HOUR)
    assert not is_next_right(weekly, BERLIN, right + 14 * DAY, now)
    assert not is_next_right(weekly, ZoneInfo("Asia/Tokyo"), right, now)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Week of {date}", "Week of 2026-11-23"),
        ("{weekday} {time}, no. {number}", "Monday 22:05, no. 7"),
        ("{{date}} {datee} {0} {date!r}", "{2026-11-23} {datee} {0} {date!r}"),
        ("{number:>9} {} { date }", "{number:>9} {} { date }"),
        ("{date", "{date"),
        ("%s {number}{number} $date", "%s 77 $date"),
    ],
)
def test_placeholders_are_replaced_and_other_braces_stay(text: str, expected: str) -> None:
    assert filled(text, datetime(2026, 11, 23, 22, 5), 7) == expected


@given(st.text())
def test_a_text_without_placeholders_stays_as_it_is(text: str) -> None:
    escaped = text.replace("{", "[")
    assert filled(escaped, datetime(2026, 11, 23), 1) == escaped


def test_it_is_said_in_words() -> None:
    assert recurrence_words(every("mon", "22:00")) == "every Monday at 22:00"
    assert recurrence_words(every("mon tue wed thu fri", "07:30")) == "Mon-Fri at 07:30"
    assert recurrence_words(every(" ".join(DAYS), "06:00", "Asia/Tokyo")) == (
        "every day at 06:00, by the clock of Asia/Tokyo"
    )
