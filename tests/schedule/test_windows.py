"""The rules of windows, one by one. Dates: 2026-11-20 is a Friday."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from forllm_server.schedule.windows import (
    DAYS,
    Closing,
    DateException,
    ExceptionKind,
    Plan,
    Window,
    closing_policy,
    is_open,
    next_opening,
    open_intervals,
    open_seconds_between,
    open_until,
)
from forllm_server.settings.zones import zone_names

BERLIN = ZoneInfo("Europe/Berlin")
EVERY_DAY = frozenset(DAYS)


def window(start: str, end: str, days: str = "mon tue wed thu fri sat sun", **more: Any) -> Window:
    return Window(days=frozenset(days.split()), start_minute=minute(start), end_minute=minute(end), **more)


def minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def plan(*windows: Window, exceptions: tuple[DateException, ...] = (), zone: ZoneInfo = BERLIN) -> Plan:
    return Plan(windows, exceptions, zone)


def closed(day: str, start: str | None = None, end: str | None = None, backend_id: int | None = None) -> DateException:
    return exception(ExceptionKind.CLOSED, day, start, end, backend_id)


def opened(day: str, start: str | None = None, end: str | None = None, backend_id: int | None = None) -> DateException:
    return exception(ExceptionKind.OPEN, day, start, end, backend_id)


def exception(
    kind: ExceptionKind, day: str, start: str | None, end: str | None, backend_id: int | None
) -> DateException:
    return DateException(
        date=date.fromisoformat(day),
        kind=kind,
        start_minute=None if start is None else minute(start),
        end_minute=None if end is None else minute(end),
        backend_id=backend_id,
    )


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def opens(the_plan: Plan, text: str, backend_id: int | None = None) -> bool:
    return is_open(the_plan, backend_id, at(text, the_plan.default_zone))


def local(moment: datetime | None, zone: ZoneInfo = BERLIN) -> str:
    return "never" if moment is None else f"{moment.astimezone(zone):%a %d %H:%M}"


def hours_of_day(the_plan: Plan, day: str) -> float:
    start = at(day, the_plan.default_zone)
    return open_seconds_between(the_plan, None, start, start + timedelta(days=1)) / 3600


def test_without_windows_it_is_always_open() -> None:
    nothing = plan()
    assert opens(nothing, "2026-11-20T03:00")
    assert open_until(nothing, None, at("2026-11-20T03:00")) is None
    assert next_opening(nothing, None, at("2026-11-20T03:00")) is None
    assert nothing.is_always_open(None)
    assert closing_policy(nothing, None, at("2026-11-20T03:00")) is Closing.FINISH


def test_with_only_disabled_windows_it_is_always_open() -> None:
    assert opens(plan(window("22:00", "06:00", is_enabled=False)), "2026-11-20T12:00")


@pytest.mark.parametrize(("clock", "expected"), [("08:59", False), ("09:00", True), ("16:59", True), ("17:00", False)])
def test_the_start_belongs_to_a_window_and_the_end_does_not(clock: str, expected: bool) -> None:
    assert opens(plan(window("09:00", "17:00")), f"2026-11-20T{clock}") is expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-20T00:30", False),  # Friday's early hours belong to Thursday
        ("2026-11-20T21:59", False),
        ("2026-11-20T22:00", True),
        ("2026-11-21T00:00", True),
        ("2026-11-21T05:59", True),
        ("2026-11-21T06:00", False),
        ("2026-11-21T22:30", False),
    ],
)
def test_the_part_after_midnight_belongs_to_the_day_it_starts_on(moment: str, expected: bool) -> None:
    assert opens(plan(window("22:00", "06:00", "fri")), moment) is expected


@pytest.mark.parametrize(("start", "end"), [("00:00", "24:00"), ("10:00", "10:00")])
def test_start_equal_to_end_is_the_whole_day(start: str, end: str) -> None:
    friday = plan(window(start, end, "fri"))
    assert not opens(friday, "2026-11-19T23:59")
    assert opens(friday, "2026-11-20T00:00")
    assert opens(friday, "2026-11-20T23:59")
    assert not opens(friday, "2026-11-21T00:00")
    assert not opens(friday, "2026-11-21T09:00")


def test_a_window_until_24_ends_at_midnight() -> None:
    evening = plan(window("22:00", "24:00", "fri"))
    assert opens(evening, "2026-11-20T23:59")
    assert local(open_until(evening, None, at("2026-11-20T23:00"))) == "Sat 21 00:00"


def test_whole_days_all_week_never_close() -> None:
    always = plan(window("00:00", "24:00"))
    assert open_until(always, None, at("2026-11-20T03:00")) is None
    assert next_opening(always, None, at("2026-11-20T03:00")) is None


def test_it_is_open_when_any_window_is() -> None:
    both = plan(window("08:00", "10:00", "fri"), window("09:00", "12:00", "fri"), window("20:00", "21:00", "fri"))
    assert opens(both, "2026-11-20T11:00")
    assert not opens(both, "2026-11-20T13:00")
    assert local(open_until(both, None, at("2026-11-20T08:30"))) == "Fri 20 12:00"
    assert local(next_opening(both, None, at("2026-11-20T08:30"))) == "Fri 20 20:00"
    assert hours_of_day(both, "2026-11-20T00:00") == 5


def test_windows_that_touch_are_one_opening() -> None:
    touching = plan(window("22:00", "24:00", "fri"), window("00:00", "06:00", "sat"))
    assert local(open_until(touching, None, at("2026-11-20T22:30"))) == "Sat 21 06:00"
    assert len(open_intervals(touching, None, at("2026-11-20T12:00"), at("2026-11-21T12:00"))) == 1


def test_the_next_opening_may_be_a_week_away() -> None:
    fridays = plan(window("22:00", "23:00", "fri"))
    assert local(next_opening(fridays, None, at("2026-11-20T23:00"))) == "Fri 27 22:00"
    assert local(next_opening(fridays, None, at("2026-11-20T22:00"))) == "Fri 27 22:00"
    assert local(next_opening(fridays, None, at("2026-11-20T21:59"))) == "Fri 20 22:00"


def test_windows_of_a_backend_replace_the_general_ones_for_it() -> None:
    both = plan(window("22:00", "06:00"), window("09:00", "10:00", backend_id=7))
    assert opens(both, "2026-11-20T23:00")
    assert opens(both, "2026-11-20T23:00", backend_id=3)
    assert not opens(both, "2026-11-20T23:00", backend_id=7)
    assert opens(both, "2026-11-20T09:30", backend_id=7)
    assert not opens(both, "2026-11-20T09:30", backend_id=3)


def test_a_backend_whose_own_windows_are_disabled_follows_the_general_ones() -> None:
    both = plan(window("22:00", "06:00"), window("09:00", "10:00", backend_id=7, is_enabled=False))
    assert opens(both, "2026-11-20T23:00", backend_id=7)


def test_windows_of_one_backend_leave_the_others_always_open() -> None:
    only = plan(window("09:00", "10:00", backend_id=7))
    assert opens(only, "2026-11-20T12:00", backend_id=3)
    assert not opens(only, "2026-11-20T12:00", backend_id=7)


def test_a_window_may_have_its_own_time_zone() -> None:
    kolkata = plan(window("22:00", "23:00", "fri", timezone="Asia/Kolkata"))
    assert opens(kolkata, "2026-11-20T17:30")
    assert not opens(kolkata, "2026-11-20T22:30")


def test_a_zone_this_machine_does_not_know_gives_way_to_the_forums() -> None:
    assert opens(plan(window("22:00", "23:00", timezone="Mars/Olympus_Mons")), "2026-11-20T22:30")


def test_a_closed_date_is_closed_from_midnight_to_midnight() -> None:
    christmas = plan(window("22:00", "06:00"), exceptions=(closed("2026-12-24"),))
    assert opens(christmas, "2026-12-23T23:59")
    assert not opens(christmas, "2026-12-24T00:00")
    assert not opens(christmas, "2026-12-24T23:00")
    assert local(open_until(christmas, None, at("2026-12-23T23:00"))) == "Thu 24 00:00"


def test_the_night_that_starts_on_a_closed_date_does_not_happen() -> None:
    christmas = plan(window("22:00", "06:00"), exceptions=(closed("2026-12-24"),))
    assert not opens(christmas, "2026-12-25T03:00")
    assert local(next_opening(christmas, None, at("2026-12-23T23:00"))) == "Fri 25 22:00"


def test_a_closed_date_closes_a_forum_that_is_always_open() -> None:
    christmas = plan(exceptions=(closed("2026-12-24"),))
    assert local(open_until(christmas, None, at("2026-12-01T12:00"))) == "Thu 24 00:00"
    assert local(next_opening(christmas, None, at("2026-12-24T12:00"))) == "Fri 25 00:00"


def test_an_exception_may_close_just_some_hours() -> None:
    party = plan(window("18:00", "06:00"), exceptions=(closed("2026-11-20", "20:00", "01:00"),))
    assert opens(party, "2026-11-20T19:59")
    assert not opens(party, "2026-11-21T00:59")
    assert opens(party, "2026-11-21T01:00")


def test_an_exception_opens_tonight_until_nine() -> None:
    tonight = plan(window("22:00", "06:00"), exceptions=(opened("2026-11-20", "20:00", "09:00"),))
    assert local(open_until(tonight, None, at("2026-11-20T20:00"))) == "Sat 21 09:00"
    assert not opens(tonight, "2026-11-21T20:00")


def test_an_exception_without_times_opens_its_whole_date() -> None:
    saturday = plan(window("22:00", "23:00", "fri"), exceptions=(opened("2026-11-21"),))
    assert hours_of_day(saturday, "2026-11-21T00:00") == 24
    assert not opens(saturday, "2026-11-22T00:00")


def test_what_is_opened_by_hand_wins_over_what_is_closed() -> None:
    both = plan(window("22:00", "06:00"), exceptions=(closed("2026-11-20"), opened("2026-11-20", "12:00", "13:00")))
    assert opens(both, "2026-11-20T12:30")
    assert not opens(both, "2026-11-20T23:00")


def test_an_exception_for_one_backend_leaves_the_others_alone() -> None:
    one = plan(window("22:00", "06:00"), exceptions=(closed("2026-11-20", backend_id=7),))
    assert not opens(one, "2026-11-20T23:00", backend_id=7)
    assert opens(one, "2026-11-20T23:00", backend_id=3)


def test_many_closed_weeks_are_looked_past() -> None:
    start = date(2026, 11, 20)
    days = tuple(closed((start + timedelta(days=n)).isoformat()) for n in range(90))
    assert local(next_opening(plan(window("22:00", "23:00"), exceptions=days), None, at("2026-11-20T12:00"))) == (
        "Thu 18 22:00"
    )


def test_an_exception_years_ahead_costs_no_endless_search() -> None:
    assert open_until(plan(exceptions=(closed("2036-01-01"),)), None, at("2026-11-20T12:00")) is None


# Closing policies


def test_the_window_that_closes_last_decides_what_a_running_reply_does() -> None:
    both = plan(window("20:00", "23:00", closing=Closing.STOP), window("22:00", "06:00", closing=Closing.PAUSE))
    assert closing_policy(both, None, at("2026-11-20T21:00")) is Closing.STOP
    assert closing_policy(both, None, at("2026-11-20T22:30")) is Closing.PAUSE
    assert closing_policy(both, None, at("2026-11-21T06:01")) is Closing.PAUSE
    assert closing_policy(both, None, at("2026-11-21T12:00")) is Closing.PAUSE


def test_a_window_still_to_come_does_not_decide() -> None:
    both = plan(
        window("08:00", "09:00", "fri", closing=Closing.STOP), window("08:00", "09:00", "sat", closing=Closing.PAUSE)
    )
    assert closing_policy(both, None, at("2026-11-20T12:00")) is Closing.STOP


def test_the_gentlest_policy_wins_a_tie() -> None:
    both = plan(window("20:00", "23:00", closing=Closing.STOP), window("22:00", "23:00", closing=Closing.PAUSE))
    assert closing_policy(both, None, at("2026-11-20T23:00")) is Closing.PAUSE


def test_a_date_opened_by_hand_keeps_the_policy_of_the_window_before() -> None:
    tonight = plan(window("22:00", "06:00", closing=Closing.STOP), exceptions=(opened("2026-11-20", "22:00", "09:00"),))
    assert closing_policy(tonight, None, at("2026-11-21T09:00")) is Closing.STOP


def test_a_window_that_was_never_open_yet_has_its_policy_all_the_same() -> None:
    day_off = tuple(closed(f"2026-11-{day}") for day in range(10, 21))
    only = plan(window("22:00", "23:00", "fri", closing=Closing.PAUSE), exceptions=day_off)
    assert closing_policy(only, None, at("2026-11-20T22:30")) is Closing.PAUSE


# Clocks going forward and back


def test_skipped_times_do_not_exist() -> None:
    # Berlin, 29 March 2026: 02:00 becomes 03:00
    assert open_intervals(plan(window("02:00", "03:00")), None, at("2026-03-29T00:00"), at("2026-03-29T12:00")) == []
    half = plan(window("02:30", "04:00"))
    assert local(next_opening(half, None, at("2026-03-29T01:00"))) == "Sun 29 03:00"
    assert hours_of_day(half, "2026-03-29T00:00") == 1


def test_repeated_times_count_twice() -> None:
    # Berlin, 25 October 2026: 03:00 becomes 02:00
    assert hours_of_day(plan(window("01:00", "03:00")), "2026-10-25T00:00") == 3
    assert hours_of_day(plan(window("02:00", "02:30")), "2026-10-25T00:00") == 1


def test_a_window_that_ends_in_a_repeated_hour_opens_twice() -> None:
    half = plan(window("02:30", "03:30"))
    start = at("2026-10-25T00:00")
    intervals = open_intervals(half, None, start, start + timedelta(hours=12))
    assert [(f"{a:%H:%M}", f"{b:%H:%M}") for a, b in intervals] == [("00:30", "01:00"), ("01:30", "02:30")]
    assert is_open(half, None, at("2026-10-25T02:45", fold=0))
    assert not is_open(half, None, at("2026-10-25T02:15", fold=1))
    assert is_open(half, None, at("2026-10-25T02:45", fold=1))


@pytest.mark.parametrize(
    ("zone", "evening", "hours"),
    [
        ("Europe/Berlin", "2026-03-28", 7),
        ("Europe/Berlin", "2026-10-24", 9),
        ("America/New_York", "2026-03-07", 7),
        ("America/New_York", "2026-10-31", 9),
        ("Australia/Lord_Howe", "2026-10-03", 7.5),
        ("Australia/Lord_Howe", "2026-04-04", 8.5),
        ("Asia/Kolkata", "2026-03-28", 8),
        ("UTC", "2026-03-28", 8),
    ],
)
def test_a_night_is_as_long_as_the_clocks_make_it(zone: str, evening: str, hours: float) -> None:
    night = plan(window("22:00", "06:00", "sat"), zone=ZoneInfo(zone))
    start = at(f"{evening}T12:00", ZoneInfo(zone))
    assert open_seconds_between(night, None, start, start + timedelta(days=1)) == hours * 3600
    assert local(next_opening(night, None, start), ZoneInfo(zone)).endswith("22:00")
    until = open_until(night, None, start.replace(hour=23))
    assert local(until, ZoneInfo(zone)).endswith("06:00")


def test_a_day_that_a_zone_skipped_has_no_windows() -> None:
    # Samoa had no 30 December 2011 (a Friday)
    apia = plan(window("09:00", "10:00", "fri"), zone=ZoneInfo("Pacific/Apia"))
    start = at("2011-12-29T00:00", ZoneInfo("Pacific/Apia"))
    assert local(next_opening(apia, None, start), ZoneInfo("Pacific/Apia")) == "Fri 06 09:00"


def test_a_moment_between_two_seconds_finds_the_change_of_clocks_exactly() -> None:
    half = plan(window("02:30", "04:00"))
    start = datetime(2026, 3, 28, 22, 0, 0, 123456, tzinfo=UTC)
    assert next_opening(half, None, start) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_no_time_is_open_between_a_moment_and_an_earlier_one() -> None:
    assert open_seconds_between(plan(), None, at("2026-11-21T00:00"), at("2026-11-20T00:00")) == 0


def test_every_zone_opens_at_its_own_half_past_ten() -> None:
    start = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    for name in sorted(zone_names()):
        zone = ZoneInfo(name)
        opening = next_opening(plan(window("22:30", "06:00"), zone=zone), None, start)
        assert local(opening, zone).endswith("22:30"), name
