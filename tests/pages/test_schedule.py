"""The schedule page."""

from datetime import datetime

import pytest

from forllm_server.db import Database
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


def test_tonight_can_be_opened_longer(browser: Browser) -> None:
    browser.open("/schedule")
    browser.send("/schedule/tonight", {"until": "09:00"})
    assert "Open until 09:00" in browser.words()
    browser.send("/schedule/tonight", {"until": "late"})
    assert browser.problem("until")


def test_what_differs_can_be_for_one_backend(browser: Browser, sqlite_database: Database, now: datetime) -> None:
    world = make_world(sqlite_database, now)
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
