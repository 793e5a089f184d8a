from datetime import date
from zoneinfo import ZoneInfo

from forllm_server.schedule.week import DayPicture, OpenSpan, week_picture
from tests.schedule.test_windows import closed, opened, plan, window


def spans(picture: tuple[DayPicture, ...], number: int) -> list[tuple[int, int]]:
    day = picture[number]
    return [(span.start_minute, span.end_minute) for span in day.spans]


def test_a_night_is_drawn_on_both_of_its_days() -> None:
    picture = week_picture(plan(window("22:00", "06:00", "fri")), None, date(2026, 11, 18))
    assert [day.date for day in picture] == [date(2026, 11, 16 + n) for n in range(7)]
    assert spans(picture, 4) == [(1320, 1440)]
    assert spans(picture, 5) == [(0, 360)]
    assert all(not picture[n].spans for n in (0, 1, 2, 3, 6))


def test_the_night_from_sunday_to_monday_is_drawn_at_both_ends_of_the_week() -> None:
    picture = week_picture(plan(window("22:00", "06:00", "sun")), None, date(2026, 11, 18))
    assert spans(picture, 0) == [(0, 360)]
    assert spans(picture, 6) == [(1320, 1440)]


def test_a_forum_without_windows_is_drawn_full() -> None:
    assert all(day.spans == (OpenSpan(0, 1440),) for day in week_picture(plan(), None, date(2026, 11, 18)))


def test_exceptions_of_the_week_are_drawn() -> None:
    the_plan = plan(window("22:00", "24:00"), exceptions=(closed("2026-11-17"), opened("2026-11-18", "08:00", "09:00")))
    picture = week_picture(the_plan, None, date(2026, 11, 18))
    assert spans(picture, 1) == []
    assert spans(picture, 2) == [(480, 540), (1320, 1440)]


def test_a_window_in_another_zone_is_drawn_by_the_forums_clock() -> None:
    the_plan = plan(window("00:00", "06:00", "mon", timezone="Asia/Kolkata"), zone=ZoneInfo("America/New_York"))
    picture = week_picture(the_plan, None, date(2026, 11, 18))
    # Monday in Kolkata begins on Sunday afternoon in New York
    assert spans(picture, 0) == []
    assert spans(picture, 6) == [(810, 1170)]


def test_the_days_on_which_clocks_change_are_drawn_by_the_wall_clock() -> None:
    picture = week_picture(plan(window("01:00", "04:00")), None, date(2026, 3, 29))
    assert spans(picture, 6) == [(60, 120), (180, 240)]
    picture = week_picture(plan(window("01:00", "04:00")), None, date(2026, 10, 25))
    assert spans(picture, 6) == [(60, 240)]
