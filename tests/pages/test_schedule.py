"""The schedule page."""

from datetime import date, datetime, timedelta

import pytest
import time_machine

from forllm_server.db import Database
from forllm_server.schedule.planning import add_exception, new_exception
from tests.pages.conftest import Browser
from tests.support.world import make_world

NIGHT = {"start_minute": "22:30", "end_minute": "06:00", "days": ["fri"]}


def add(browser: Browser, **fields: object) -> None:
    browser.open("/schedule")
    browser.send("/schedule/windows", NIGHT | fields)


def test_without_windows_it_says_that_models_may_always_work(browser: Browser) -> None:
    browser.open("/schedule")
    assert "No window is set, so models may work at any time" in browser.words()


def test_a_window_is_shown_in_words_as_a_picture_and_as_a_table(browser: Browser) -> None:
    add(browser)
    assert "Fri, 22:30 to 06:00 (next day)" in browser.words()
    assert len(browser.page.find_all("rect", class_="week__open")) == 2
    rows = {row.th.get_text(): row.td.get_text() for row in browser.page.table.tbody.find_all("tr")}
    assert (rows["Friday"], rows["Saturday"], rows["Sunday"]) == ("22:30 to 24:00", "00:00 to 06:00", "closed")


@pytest.mark.parametrize(
    ("field", "value"),
    [("start_minute", "25:00"), ("end_minute", "soon"), ("days", []), ("timezone", "Mars/Base"), ("start_minute", "")],
)
def test_what_cannot_be_taken_is_said_beside_its_field(browser: Browser, field: str, value: object) -> None:
    add(browser, **{field: value})
    assert browser.status == 422
    assert browser.page.find(id=f"problem-{field}").get_text(strip=True)
    assert browser.page.find("details", open=True)


def test_a_window_can_be_changed_switched_off_and_deleted(browser: Browser) -> None:
    add(browser)
    browser.open("/schedule/windows/1")
    browser.send("/schedule/windows/1", {"end_minute": "07:15", "is_enabled": None})
    assert "22:30 to 07:15" in browser.words()
    assert browser.page.find(class_="badge").get_text() == "off"
    browser.send("/schedule/windows/1/delete", {})
    assert "No window is set" in browser.words()
    browser.open("/schedule/windows/1")
    assert browser.status == 404


def test_a_date_can_differ_from_its_week(browser: Browser) -> None:
    browser.open("/schedule")
    browser.send("/schedule/exceptions", {"date": "2026-12-24", "kind": "closed", "note": "Christmas"})
    assert "2026-12-24 closed" in browser.words()
    assert "Christmas" in browser.words()
    browser.send("/schedule/exceptions/1/delete", {})
    assert "Christmas" not in browser.words()
    browser.send("/schedule/exceptions", {"date": "tomorrow"})
    assert browser.status == 422
    assert browser.problem("date")


def test_what_never_closes_is_not_to_be_opened_tonight(browser: Browser) -> None:
    browser.open("/schedule")
    assert "Tonight also" not in browser.words()
    add(browser)
    browser.open("/schedule")
    assert "Tonight also" in browser.words()


def test_tonight_can_be_opened_longer(browser: Browser) -> None:
    add(browser)
    browser.open("/schedule")
    browser.send("/schedule/tonight", {"until": "09:00"})
    assert "Open until 09:00" in browser.words()
    browser.send("/schedule/tonight", {"until": "late"})
    assert browser.problem("until")


def test_what_differs_can_be_for_one_backend(browser: Browser, sqlite_database: Database, now: datetime) -> None:
    world = make_world(sqlite_database, now)
    add(browser)
    browser.open("/schedule")
    browser.send(
        "/schedule/exceptions",
        {"date": "2026-12-24", "kind": "open", "exception_backend_id": str(world.backend_id), "note": "Cheap"},
    )
    assert "Desk: Cheap" in browser.words()
    browser.send("/schedule/tonight", {"until": "09:00", "tonight_backend_id": str(world.backend_id)})
    assert "Desk: tonight also" in browser.words()


def test_the_hours_can_be_painted_over_the_plain_fields(browser: Browser) -> None:
    add(browser, days=["fri", "sat"])
    grid = browser.page.find("forllm-hours")
    assert grid.has_attr("hidden")
    assert len(grid.select("[data-day]")) == 7
    assert [(bar["x"], bar["width"]) for bar in grid.select(".hours__other")] == [("64.0%", "18.333%")] * 2
    own = browser.open("/schedule/windows/1").find("forllm-hours")
    assert not own.select(".hours__other")


TYPED = {"days": ["fri", "sat"], "start_minute": "22:10", "end_minute": "05:50", "timezone": "America/New_York"}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("days", [], "Choose at least one day."),
        ("start_minute", "24:00", "from 00:00 to 23:59"),
        ("start_minute", "half past ten", "hours and minutes"),
        ("end_minute", "24:01", "from 00:00 to 24:00"),
        ("timezone", "Mars/Base", "is no time zone"),
        ("backend_id", "99", "There is no such backend"),
        ("closing", "explode", "Choose one of"),
    ],
)
def test_a_window_that_cannot_be_is_told_at_its_field_and_nothing_typed_is_lost(
    browser: Browser, field: str, value: object, words: str
) -> None:
    browser.open("/schedule")
    browser.send("/schedule/windows", TYPED | {field: value})
    assert browser.status == 422
    assert words in browser.problem(field) if field != "days" else words in browser.words()
    (form,) = browser.page.select('form[action="/schedule/windows"]')
    assert form.find_parent("details").has_attr("open")
    for name in TYPED.keys() - {field, "days"}:
        assert form.find(attrs={"name": name})["value"] == TYPED[name]
    if field != "days":
        assert [box["value"] for box in form.select("[name=days][checked]")] == TYPED["days"]
    assert "No window is set" in browser.words()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("exception_end", "", "Give both times"),
        ("exception_start", "", "Give both times"),
        ("exception_start", "24:00", "from 00:00 to 23:59"),
        ("exception_backend_id", "99", "There is no such backend"),
        ("date", "2126-01-01", "within ten years"),
        ("note", "x" * 501, "500 characters"),
    ],
)
def test_a_date_that_cannot_be_is_told_at_its_own_field(browser: Browser, field: str, value: str, words: str) -> None:
    browser.open("/schedule")
    typed = {"date": "2026-12-24", "exception_start": "10:00", "exception_end": "09:00", "note": "Christmas"}
    browser.send("/schedule/exceptions", typed | {field: value})
    assert browser.status == 422
    assert words in browser.problem(field)
    (form,) = browser.page.select('form[action="/schedule/exceptions"]')
    assert form.find_parent("details").has_attr("open")
    for name in typed.keys() - {field}:
        assert form.find(attrs={"name": name})["value"] == typed[name]


def test_a_backend_that_is_gone_is_told_beside_tonight(browser: Browser) -> None:
    add(browser)
    browser.open("/schedule")
    browser.send("/schedule/tonight", {"until": "09:00", "tonight_backend_id": "99"})
    assert browser.status == 422
    assert "There is no such backend" in browser.page.main.get_text()


def test_how_a_window_was_understood_is_said(browser: Browser) -> None:
    add(browser)
    assert "Kept: Fri 22:30 to 06:00 of the next day." in browser.words()
    add(browser, start_minute="09:00", end_minute="09:00")
    assert "Kept: Fri all day." in browser.words()
    browser.open("/schedule/windows/1")
    browser.send("/schedule/windows/1", {"start_minute": "10:00", "end_minute": "0:00"})
    assert "Kept: Fri 10:00 to 24:00." in browser.words()


def test_a_schedule_that_is_never_open_is_told(browser: Browser, sqlite_database: Database, now: datetime) -> None:
    """Every night that begins within ten years is closed by hand but one."""
    fridays = [date(2026, 11, 20) + timedelta(weeks=week) for week in range(500)]
    with time_machine.travel(now, tick=False):
        add(browser)
        assert "no opening is in sight" not in browser.words()
        with sqlite_database.transaction() as connection:
            for day in fridays[1:]:
                add_exception(connection, new_exception(day=day, kind="closed"), owner_id=1, now=now)
        browser.open("/schedule")
        browser.send("/schedule/exceptions", {"date": fridays[0].isoformat(), "kind": "closed"})
    assert "no opening is in sight: only “Run now” begins anything." in browser.words()


def test_a_backend_with_its_own_hours_is_named_beside_the_others(
    browser: Browser, sqlite_database: Database, now: datetime
) -> None:
    world = make_world(sqlite_database, now)
    add(browser, backend_id=str(world.backend_id))
    labels = [section["aria-label"] for section in browser.page.select("section[aria-label]")]
    assert labels == ["Week of All other backends", "Week of Desk"]
    assert "Desk: " in browser.page.h1.get_text()
