"""Personas: making, changing, comparing, reverting, deleting."""

import pytest

from tests.pages.conftest import Browser

SKEPTIC = {"name": "Skeptic", "instructions": "Doubt.\nBe brief."}


def make(browser: Browser, **fields: str) -> None:
    browser.open("/personas/new")
    browser.send("/personas/new", SKEPTIC | fields)


def test_the_built_in_one_is_listed_and_cannot_be_deleted(browser: Browser) -> None:
    browser.open("/personas")
    assert "built in" in browser.words()
    assert browser.open("/personas/1").find("a", href="/personas/1/delete") is None
    browser.open("/personas/1/delete")
    browser.send("/personas/1/delete", {})
    assert browser.status == 403


def test_a_persona_is_made_with_parameters(browser: Browser) -> None:
    make(browser, temperature="0.4", max_tokens="300", stop="END\nSTOP", extra='{"top_k": 40}')
    assert (browser.status, browser.path) == (200, "/personas/2")
    words = browser.words()
    assert "Temperature 0.4" in words
    assert "END · STOP" in words
    assert "top_k" in words


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "), ("instructions", ""), ("temperature", "9"), ("temperature", "warm"), ("top_p", "2"),
        ("max_tokens", "0"), ("seed", "x"), ("extra", "{"), ("extra", "[1]"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_named_beside_its_field_and_all_is_kept(
    browser: Browser, field: str, value: str
) -> None:
    make(browser, note="a kept note", **{field: value})
    assert browser.status == 422
    assert browser.problem(field)
    assert browser.page.find("input", attrs={"name": "note"})["value"] == "a kept note"


def test_every_change_is_a_version_that_can_be_compared_and_reverted_to(browser: Browser) -> None:
    make(browser)
    browser.open("/personas/2/edit")
    browser.send("/personas/2/edit", {"instructions": "Doubt.\nBe long.", "note": "longer"})
    assert "version 2" in browser.words()
    page = browser.open("/personas/2/comparison?from=1&to=2")
    assert [piece.get_text() for piece in page.find_all(["del", "ins"])] == ["brief", "long"]
    browser.open("/personas/2")
    browser.send("/personas/2/reversion", {}, button={"version": "1"})
    assert "Version 3 says what version 1 said." in browser.words()


def test_a_change_over_a_newer_version_is_refused(browser: Browser) -> None:
    make(browser)
    browser.open("/personas/2/edit")
    browser.send("/personas/2/edit", {"instructions": "Second."})
    browser.open("/personas/2/edit")
    browser.send("/personas/2/edit", {"instructions": "Third.", "version": "1"})
    assert browser.status == 409
    assert "Third." in browser.page.find("textarea", attrs={"name": "instructions"}).get_text()


def test_a_deleted_persona_is_gone_from_the_list_but_its_versions_can_be_read(browser: Browser) -> None:
    make(browser)
    browser.open("/personas/2/delete")
    browser.send("/personas/2/delete", {})
    assert "What it wrote stays" in browser.words()
    browser.open("/personas/2")
    assert browser.status == 404
    browser.open("/personas/2/versions/1")
    assert browser.status == 200
    assert "deleted since" in browser.words()


def test_a_deleted_persona_is_brought_back_by_the_undo_and_from_the_trash(browser: Browser) -> None:
    make(browser)
    assert "Skeptic is there." in browser.text
    browser.open("/personas/2/delete")
    browser.send("/personas/2/delete", {})
    browser.send("/trash/persona/2/restore", {})
    assert (browser.path, browser.page.h1.get_text()) == ("/personas/2", "Skeptic")
    browser.open("/personas/2/delete")
    browser.send("/personas/2/delete", {})
    browser.open("/trash")
    assert "Persona" in browser.words()
    browser.open("/trash/erase")
    browser.send("/trash/erase", {})
    assert "1 persona" in browser.words()
    browser.open("/personas/2/versions/1")
    assert "deleted since" in browser.words()


def test_saving_says_what_was_saved(browser: Browser) -> None:
    make(browser)
    browser.open("/personas/2/edit")
    browser.send("/personas/2/edit", {"instructions": "Doubt one thing."})
    assert "Version 2 is saved." in browser.text
    browser.open("/personas/2/edit")
    browser.send("/personas/2/edit", {"tags": "night"})
    assert "Saved. It still is version 2." in browser.text


def test_another_can_be_made_the_forums_default(browser: Browser) -> None:
    make(browser)
    browser.send("/personas/2/default", {})
    assert "the forum’s default" in browser.words()


def test_a_taken_name_is_refused_in_any_case(browser: Browser) -> None:
    make(browser)
    make(browser, name="SKEPTIC")
    assert browser.status == 409
    assert browser.problem("name")


def test_versions_that_do_not_exist_are_not_found(browser: Browser) -> None:
    for path in ("/personas/9", "/personas/1/versions/9", "/personas/9/versions/1", "/personas/1/comparison?from=9"):
        browser.open(path)
        assert browser.status == 404, path
