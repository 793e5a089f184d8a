from datetime import UTC, datetime, timedelta

import pytest

from forllm_server.errors import Invalid
from forllm_server.schedule.words import (
    days_words,
    duration_words,
    ending_words,
    exception_words,
    explain,
    moment_words,
    read_moment,
    state_words,
    took_words,
    window_words,
)
from tests.schedule.test_windows import BERLIN, at, closed, opened, plan, window


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-11-21T02:48", "open until 06:00, 3 h 12 left"),
        ("2026-11-20T19:18", "opens 22:30, in 3 h 12"),
        ("2026-11-21T05:59:30", "open until 06:00, 1 min left"),
        ("2026-11-21T12:00", "opens Fri 2026-11-27 22:30, in 6 d 10 h"),
        ("2026-11-23T12:00", "opens Fri 22:30, in 4 d 10 h"),
    ],
)
def test_the_state_is_said_in_words(moment: str, words: str) -> None:
    assert state_words(plan(window("22:30", "06:00", "fri")), None, at(moment)) == words


def test_a_forum_without_windows_says_so() -> None:
    assert state_words(plan(), None, at("2026-11-20T12:00")) == "always open: no window is set"


def test_windows_that_never_close_are_open_with_no_end() -> None:
    assert state_words(plan(window("00:00", "24:00")), None, at("2026-11-20T12:00")) == (
        "open, and no closing in sight"
    )


def test_a_schedule_that_never_opens_says_so() -> None:
    # a window within the closed hours of every Friday that is looked at
    fridays = tuple(closed(f"{at('2026-11-20T00:00') + timedelta(weeks=n):%Y-%m-%d}") for n in range(60))
    never = plan(window("22:30", "23:00", "fri"), exceptions=fridays)
    assert state_words(never, None, at("2026-11-20T12:00")) == "closed, and no opening in sight"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 min"), (3540, "59 min"), (3541, "1 h 00"), (11520, "3 h 12"), (86400, "1 d 0 h"), (97200, "1 d 3 h")],
)
def test_durations_count_the_last_started_minute(seconds: int, words: str) -> None:
    assert duration_words(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(("seconds", "words"), [(0.04, "0.0 s"), (4.23, "4.2 s"), (61, "61 s"), (150, "3 min")])
def test_what_something_took_is_told_in_seconds_while_it_is_short(seconds: float, words: str) -> None:
    assert took_words(seconds) == words


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ("mon tue wed thu fri sat sun", "every day"),
        ("mon tue wed thu fri", "Mon-Fri"),
        ("sat sun", "Sat, Sun"),
        ("mon wed", "Mon, Wed"),
        ("sun", "Sun"),
    ],
)
def test_days_are_said_shortly(days: str, words: str) -> None:
    assert days_words(frozenset(days.split())) == words


def test_windows_are_said_in_a_line() -> None:
    assert window_words(window("22:30", "06:00")) == "every day 22:30-06:00 (next day), closing: finish"
    assert window_words(window("08:00", "08:00", "sun")) == "Sun all day, closing: finish"
    assert window_words(window("20:00", "24:00", "fri", timezone="Asia/Kolkata")) == (
        "Fri 20:00-24:00, Asia/Kolkata, closing: finish"
    )


def test_exceptions_are_said_in_a_line() -> None:
    assert exception_words(closed("2026-12-24")) == "2026-12-24 closed"
    assert exception_words(opened("2026-11-20", "22:00", "09:00")) == "2026-11-20 open 22:00-09:00 (next day)"
    assert exception_words(opened("2026-11-20", "10:00", "10:00")) == "2026-11-20 open all day"


def test_explain_says_which_rows_match_and_what_comes_next() -> None:
    the_plan = plan(
        window("22:30", "06:00", "mon tue wed thu fri"),
        window("12:00", "13:00", "sat"),
        window("09:00", "10:00", is_enabled=False),
        exceptions=(closed("2026-11-23"),),
    )
    assert explain(the_plan, None, at("2026-11-21T02:48")).splitlines() == [
        "Sat 2026-11-21 02:48 CET (Europe/Berlin)",
        "Open until 06:00, 3 h 12 left.",
        "",
        "Windows for all backends:",
        "  Mon-Fri 22:30-06:00 (next day), closing: finish: open",
        "  Sat 12:00-13:00, closing: finish: not open Sat 02:48",
        "  (1 disabled)",
        "",
        "Exceptions:",
        "  2026-11-23 closed",
        "",
        "Next changes:",
        "  Sat 2026-11-21 06:00 CET  closes",
        "  Sat 2026-11-21 12:00 CET  opens",
        "  Sat 2026-11-21 13:00 CET  closes",
        "  Tue 2026-11-24 22:30 CET  opens",
        "  Wed 2026-11-25 06:00 CET  closes",
    ]


def test_explain_says_that_an_exception_closed_what_would_be_open() -> None:
    text = explain(plan(window("22:30", "06:00"), exceptions=(closed("2026-11-20"),)), None, at("2026-11-20T23:00"))
    assert "Closed, opens tomorrow 22:30, in 23 h 30." in text
    assert "would be open, but the date is closed" in text


def test_explain_names_the_windows_of_a_backend() -> None:
    both = plan(
        window("22:30", "06:00"),
        window("09:00", "10:00", backend_id=7),
        exceptions=(closed("2026-11-20", backend_id=7), closed("2026-11-20", backend_id=8)),
    )
    text = explain(both, 7, at("2026-11-20T23:00"))
    assert "Windows of backend 7 (they replace those for all backends):" in text
    assert "2026-11-20 closed (backend 7)" in text
    assert "backend 8" not in text


def test_explain_without_windows_says_always_open() -> None:
    text = explain(plan(), None, at("2026-11-20T23:00"))
    assert "Always open: no window is set." in text
    assert "No change is in sight." in text


NOW = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("22:30", "2026-11-20T21:30+00:00"),
        ("2026-12-24", "2026-12-23T23:00+00:00"),
        ("2026-12-24T22:30", "2026-12-24T21:30+00:00"),
        (" 2026-12-24 22:30 ", "2026-12-24T21:30+00:00"),
        ("2026-12-24T22:30+05:30", "2026-12-24T17:00+00:00"),
    ],
)
def test_a_moment_is_read_by_the_wall_clock(text: str, moment: str) -> None:
    assert read_moment(text, BERLIN, NOW) == datetime.fromisoformat(moment)


@pytest.mark.parametrize("text", ["", "tomorrow", "25:00", "9999-12-31T23:59", "0001-01-01", "1800-01-01"])
def test_a_moment_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read_moment(text, BERLIN, NOW)
    assert refusal.value.field == "at"


@pytest.mark.parametrize(
    ("hours", "words"),
    [(0.5, "22:30"), (6, "04:00"), (18, "16:00"), (20, "tomorrow 18:00"), (23.9, "tomorrow 21:54"), (24, "Sat 22:00")],
)
def test_a_time_that_stands_near_the_present_one_says_its_day(hours: float, words: str) -> None:
    evening = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
    assert moment_words(evening + timedelta(hours=hours), evening, BERLIN) == words


def test_nothing_is_over_by_the_minute_in_which_it_begins() -> None:
    evening = datetime(2026, 11, 20, 21, 30, tzinfo=UTC)
    assert ending_words(evening, evening, BERLIN) == "22:30"
    assert ending_words(evening + timedelta(microseconds=1), evening, BERLIN) == "22:31"
    assert ending_words(evening + timedelta(seconds=59), evening, BERLIN) == "22:31"
