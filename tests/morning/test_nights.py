"""What a night is: from the first opening of the evening to the last closing, and a report for every moment."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from forllm_server.morning.model import Night
from forllm_server.morning.nights import hours_between, is_done, is_near_end, latest_day, nights_between, noon
from forllm_server.schedule.windows import DAYS, DateException, ExceptionKind, Plan, Window

BERLIN = ZoneInfo("Europe/Berlin")
FRIDAY = date(2026, 11, 20)


def plan(*windows: Window, exceptions: tuple[DateException, ...] = (), zone: ZoneInfo = BERLIN) -> Plan:
    return Plan(windows, exceptions, zone)


def window(start: str, end: str, days: str = "", backend_id: int | None = None) -> Window:
    minutes = [int(clock[:2]) * 60 + int(clock[3:]) for clock in (start, end)]
    chosen = frozenset(days.split()) if days else frozenset(DAYS)
    return Window(days=chosen, start_minute=minutes[0], end_minute=minutes[1], backend_id=backend_id)


def nights(of: Plan, first: date, last: date, backend_ids: tuple[int, ...] = (1,)) -> list[Night]:
    return nights_between(hours_between(of, backend_ids, first, last), of.default_zone, first, last)


def local(at: datetime | None) -> str:
    return f"{at.astimezone(BERLIN):%d %H:%M}" if at else "never"


def spans(found: list[Night]) -> list[tuple[str, str]]:
    return [(local(night.begins_at), local(night.ends_at)) for night in found]


def test_a_night_is_named_after_its_morning_and_lasts_from_opening_to_closing() -> None:
    (night,) = nights(plan(window("22:30", "06:15")), FRIDAY, FRIDAY)
    assert spans([night]) == [("19 22:30", "20 06:15")]
    assert (local(night.counts_from), local(night.counts_until)) == ("19 12:00", "20 12:00")


def test_several_windows_of_an_evening_are_one_night() -> None:
    found = nights(plan(window("20:00", "21:00"), window("23:00", "05:00")), FRIDAY, FRIDAY)
    assert spans(found) == [("19 20:00", "20 05:00")]


def test_a_window_over_noon_belongs_to_one_night_wholly_and_is_counted_once() -> None:
    friday, saturday = nights(plan(window("09:00", "17:00")), FRIDAY, FRIDAY + timedelta(days=1))
    assert spans([friday, saturday]) == [("20 09:00", "20 17:00"), ("21 09:00", "21 17:00")]
    assert local(friday.counts_until) == "20 17:00"
    assert saturday.counts_from == friday.counts_until


def test_what_is_always_open_is_cut_at_noon() -> None:
    found = nights(plan(), FRIDAY, FRIDAY + timedelta(days=1))
    assert spans(found) == [("19 12:00", "20 12:00"), ("20 12:00", "21 12:00")]


def test_a_weekend_that_is_open_throughout_is_cut_at_its_noons() -> None:
    saturday = FRIDAY + timedelta(days=1)
    weekend = plan(window("00:00", "00:00", "sat sun"))
    found = nights(weekend, FRIDAY, saturday + timedelta(days=2))
    assert spans(found) == [
        ("never", "never"),
        ("21 00:00", "21 12:00"),
        ("21 12:00", "22 12:00"),
        ("22 12:00", "23 00:00"),
    ]


def test_a_night_without_hours_is_still_reported() -> None:
    closed = DateException(date=date(2026, 11, 19), kind=ExceptionKind.CLOSED)
    (night,) = nights(plan(window("22:00", "06:00"), exceptions=(closed,)), FRIDAY, FRIDAY)
    assert (night.begins_at, night.ends_at) == (None, None)
    assert night.counts_until - night.counts_from == timedelta(days=1)
    assert not night.has_begun(night.counts_until)


def test_backends_with_hours_of_their_own_widen_the_night_and_those_without_do_not() -> None:
    own = plan(window("23:00", "04:00", backend_id=1), window("22:00", "01:00", backend_id=2))
    assert spans(nights(own, FRIDAY, FRIDAY, (1, 2, 3))) == [("19 22:00", "20 04:00")]
    assert spans(nights(own, FRIDAY, FRIDAY, (3,))) == [("19 12:00", "20 12:00")]


@pytest.mark.parametrize(
    ("morning", "hours"), [(date(2026, 3, 29), 7), (date(2026, 10, 25), 9), (date(2026, 10, 26), 8)]
)
def test_the_clocks_change_and_the_night_is_as_long_as_it_really_was(morning: date, hours: int) -> None:
    (night,) = nights(plan(window("22:00", "06:00")), morning, morning)
    assert night.begins_at is not None
    assert night.ends_at is not None
    assert night.ends_at - night.begins_at == timedelta(hours=hours)


@pytest.mark.parametrize(
    "zone", ["UTC", "Pacific/Kiritimati", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Pago_Pago"]
)
@pytest.mark.parametrize(
    "windows", [(), ("22:30", "06:15"), ("11:00", "13:00"), ("12:00", "12:00"), ("11:59", "11:58")]
)
def test_the_reports_of_a_year_follow_one_another_without_a_gap(zone: str, windows: tuple[str, ...]) -> None:
    of = plan(*((window(*windows),) if windows else ()), zone=ZoneInfo(zone))
    year = nights(of, date(2026, 1, 1), date(2026, 12, 31))
    assert len(year) == 365
    for before, after in pairwise(year):
        assert before.counts_until == after.counts_from
        assert before.counts_from < before.counts_until
        assert before.begins_at is None or before.counts_from <= before.begins_at
        assert before.ends_at is None or before.ends_at <= before.counts_until


def test_one_day_alone_is_the_same_as_in_its_month() -> None:
    of = plan(window("10:00", "14:00"), window("22:00", "05:00", "fri sat"))
    month = nights(of, date(2026, 11, 1), date(2026, 11, 30))
    assert [nights(of, night.day, night.day)[0] for night in month] == month


def test_a_night_that_was_kept_stays_as_it_was_and_its_neighbours_join_it() -> None:
    kept = Night(
        FRIDAY, *(datetime(2026, 11, day, hour, tzinfo=UTC) for day, hour in ((19, 18), (20, 14), (19, 11), (20, 14)))
    )
    of = plan(window("22:00", "06:00"))
    hours = hours_between(of, (1,), FRIDAY, FRIDAY + timedelta(days=1))
    friday, saturday = nights_between(hours, BERLIN, FRIDAY, FRIDAY + timedelta(days=1), {FRIDAY: kept})
    assert (friday.begins_at, friday.ends_at, friday.counts_until) == (kept.begins_at, kept.ends_at, kept.counts_until)
    assert saturday.counts_from == kept.counts_until


@pytest.mark.parametrize(
    ("clock", "day"),
    [("20 07:05", 20), ("20 20:00", 20), ("20 22:29", 20), ("20 22:30", 21), ("21 03:00", 21), ("21 12:00", 21)],
)
def test_the_last_night_is_yesterdays_until_the_next_one_opens(clock: str, day: int) -> None:
    now = datetime.strptime(f"2026-11-{clock}", "%Y-%m-%d %H:%M").replace(tzinfo=BERLIN)
    assert latest_day(plan(window("22:30", "06:15")), (1,), now).day == day


@pytest.mark.parametrize(("clock", "day"), [("07:00", 20), ("17:59", 20), ("18:00", 21)])
def test_where_nothing_closes_the_evening_looks_ahead(clock: str, day: int) -> None:
    now = datetime.strptime(f"2026-11-20 {clock}", "%Y-%m-%d %H:%M").replace(tzinfo=BERLIN)
    assert latest_day(plan(), (1,), now).day == day


def test_hours_once_a_week_leave_their_night_the_last_one_for_days() -> None:
    monday = datetime(2026, 11, 23, 9, tzinfo=BERLIN)
    assert latest_day(plan(window("22:00", "06:00", "fri")), (1,), monday) == date(2026, 11, 21)


def test_a_night_is_done_at_its_end_or_when_nothing_is_left_near_it() -> None:
    (night,) = nights(plan(window("22:00", "06:00")), FRIDAY, FRIDAY)
    assert night.ends_at is not None
    early, late = night.ends_at - timedelta(hours=3), night.ends_at - timedelta(hours=1)
    assert (is_near_end(night, early), is_near_end(night, late)) == (False, True)
    assert not is_done(night, early, is_work_left=False, is_running=False)
    assert is_done(night, late, is_work_left=False, is_running=False)
    assert not is_done(night, late, is_work_left=True, is_running=False)
    assert not is_done(night, night.ends_at, is_work_left=True, is_running=True)
    assert is_done(night, night.ends_at, is_work_left=True, is_running=False)


def test_noon_is_noon_by_the_wall_clock() -> None:
    assert noon(date(2026, 3, 29), BERLIN) == datetime(2026, 3, 29, 10, tzinfo=UTC)
    assert noon(date(2026, 3, 28), BERLIN) == datetime(2026, 3, 28, 11, tzinfo=UTC)
