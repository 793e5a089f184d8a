"""Subforums: making, renaming, ordering, deleting, their topics and who answers in them."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from forllm_server.db import Database
from tests.pages.conftest import Browser
from tests.support.world import insert, make_world


def make(browser: Browser, name: str, description: str = "") -> None:
    browser.open("/subforums/new")
    browser.send("/subforums/new", {"name": name, "description": description})


def test_a_new_subforum_is_shown_at_once_and_stands_in_the_rail(browser: Browser) -> None:
    make(browser, "Homelab", "Machines at home")
    assert (browser.status, browser.path) == (200, "/subforums/1")
    assert "Machines at home" in browser.words()
    assert "No topics here yet" in browser.words()
    assert browser.page.find("nav", attrs={"aria-label": "Subforums"}).find("a", href="/subforums/1")


@pytest.mark.parametrize("name", ["", "   ", "x" * 5000])
def test_a_name_that_cannot_be_taken_is_shown_again_with_the_reason(browser: Browser, name: str) -> None:
    make(browser, name, "kept text")
    assert browser.status == 422
    assert browser.problem("name")
    assert browser.page.find("textarea", attrs={"name": "description"}).get_text(strip=True) == "kept text"
    assert browser.page.find("input", attrs={"name": "name"})["value"] == name


def test_a_name_that_differs_in_case_only_is_taken(browser: Browser) -> None:
    make(browser, "Homelab")
    make(browser, "HOMELAB")
    assert browser.status == 409
    assert "taken" in browser.problem("name")


def test_it_can_be_renamed_and_deleted_and_restored(browser: Browser) -> None:
    make(browser, "Homelab")
    browser.open("/subforums/1/edit")
    browser.send("/subforums/1/edit", {"name": "Basement"})
    assert browser.page.h1.get_text() == "Basement"
    browser.open("/subforums/1/edit")
    browser.send("/subforums/1/delete", {})
    assert "in the trash" in browser.words()
    browser.open("/subforums/1")
    assert browser.status == 404
    browser.open("/trash")
    browser.send("/trash/subforum/1/restore", {})
    assert (browser.status, browser.path) == (200, "/subforums/1")


def test_the_order_can_be_changed_without_a_script(browser: Browser) -> None:
    make(browser, "One")
    make(browser, "Two")
    browser.open("/subforums")
    browser.send("/subforums/2/move", {}, button={"position": "0"})
    names = [link.get_text() for link in browser.page.main.find_all("a", class_="row__title")]
    assert names == ["Two", "One"]


def test_an_unknown_subforum_is_a_page_that_says_so(browser: Browser) -> None:
    for path in ("/subforums/9", "/subforums/9/edit", "/subforums/9/personas", "/subforums/9/topics/new"):
        browser.open(path)
        assert browser.status == 404, path
        assert "no such subforum" in browser.words()


def test_topics_are_paged_newest_first_at_the_same_cost(
    browser: Browser, sqlite_database: Database, now: datetime, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    make_world(sqlite_database, now)
    few = count_queries(lambda: browser.open("/subforums/1"))
    with sqlite_database.transaction() as connection:
        for number in range(60):
            insert(
                connection, "topics", subforum_id=1, owner_id=1, kind="discussion", title=f"T{number}",
                created_at=now, last_post_at=now + timedelta(minutes=number), post_count=1, version=1,
            )  # fmt: skip
    assert count_queries(lambda: browser.open("/subforums/1")) == few
    titles = [link.get_text() for link in browser.page.main.find_all("a", class_="row__title")]
    assert (len(titles), titles[0], titles[-1]) == (50, "T59", "T10")
    browser.open(browser.page.find("a", rel="next")["href"])
    titles = [link.get_text() for link in browser.page.main.find_all("a", class_="row__title")]
    assert (len(titles), titles[-1]) == (11, "ZFS or Btrfs?")


def test_a_broken_cursor_is_refused(browser: Browser) -> None:
    make(browser, "Homelab")
    browser.open("/subforums/1?after=nonsense")
    assert browser.status == 400


def test_a_persona_can_be_assigned_made_default_and_removed(browser: Browser) -> None:
    make(browser, "Homelab")
    browser.open("/personas/new")
    browser.send("/personas/new", {"name": "Skeptic", "instructions": "Doubt."})
    browser.open("/subforums/1/personas")
    assert "the default of the forum" in browser.words()
    browser.send("/subforums/1/personas", {"persona_id": "2"})
    browser.send("/subforums/1/default-persona", {}, button={"persona_id": "2"})
    assert "Skeptic v1 answers: the default of this subforum" in browser.words()
    browser.send("/subforums/1/personas/2/delete", {})
    assert "the default of the forum" in browser.words()
