"""Bookmarks, and notes on topics."""

from collections.abc import Callable
from datetime import datetime

import pytest

from forllm_server.activity import keeping
from forllm_server.db import Database
from forllm_server.forum.editing import add_reply
from tests.pages.conftest import Browser
from tests.support.world import World, make_world


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    return make_world(sqlite_database, now)


def test_a_post_is_bookmarked_from_its_details_and_found_in_the_list(browser: Browser, world: World) -> None:
    browser.open("/posts/1/details")
    browser.send("/posts/1/bookmark", {})
    assert browser.path == "/topics/1"
    assert browser.page.find(id="post-1").header.find("a", string="bookmarked")
    browser.open("/bookmarks")
    assert browser.page.main.find("a", href="/posts/1", string="ZFS or Btrfs?")
    assert "You: Which file system for two disks?" in browser.words()


def test_a_note_is_written_changed_and_kept_when_it_is_too_long(browser: Browser, world: World) -> None:
    browser.open("/posts/1/bookmark")
    browser.send("/posts/1/bookmark", {"note": "x" * 2001})
    assert browser.status == 422
    assert "x" * 2001 in browser.text
    browser.send("/posts/1/bookmark", {"note": "for the new disks"})
    browser.open("/posts/1/bookmark")
    assert browser.path == "/bookmarks/1/edit"
    browser.send("/bookmarks/1/edit", {"note": "for the <old> disks"})
    assert "for the <old> disks" in browser.words()
    assert "<old>" not in browser.text


def test_removing_a_bookmark_is_undone_with_its_note(browser: Browser, world: World) -> None:
    browser.open("/posts/1/bookmark")
    browser.send("/posts/1/bookmark", {"note": "dear to me"})
    browser.open("/bookmarks")
    browser.send("/bookmarks/1/delete", {})
    assert "No bookmarks yet" in browser.words()
    browser.send("/bookmarks/1/restore", {})
    assert "dear to me" in browser.words()


def test_bookmarks_that_are_not_there_are_refused(browser: Browser, world: World) -> None:
    for path in ("/posts/99/bookmark", "/bookmarks/9/edit", "/topics/9/note", "/posts/99/details"):
        browser.open(path)
        assert browser.status == 404, path
    assert browser.client.get("/bookmarks?after=x").status_code == 400


def test_a_note_on_a_topic_stands_beside_it_and_in_the_list(browser: Browser, world: World) -> None:
    browser.open("/topics/1/note")
    browser.send("/topics/1/note", {"note": "Ask Ada about mirrors."})
    assert "Ask Ada about mirrors." in browser.page.find("aside", class_="side").get_text()
    assert "Ask Ada about mirrors." in browser.open("/bookmarks").main.get_text()
    browser.open("/topics/1/note")
    browser.send("/topics/1/note", {"note": " "})
    assert "Ask Ada" not in browser.words()
    browser.open("/topics/1/note")
    browser.send("/topics/1/note", {"note": "x" * 20_001})
    assert browser.problem("note")


def test_the_list_has_pages_and_costs_the_same_however_long_it_is(
    browser: Browser,
    world: World,
    sqlite_database: Database,
    now: datetime,
    count_queries: Callable[[Callable[[], object]], int],
) -> None:
    def keep(count: int) -> None:
        with sqlite_database.transaction() as connection:
            for _ in range(count):
                post = add_reply(connection, owner_id=1, parent_id=1, content="x", now=now)
                keeping.add_bookmark(connection, 1, post.id, note="", now=now)

    keep(1)
    few = count_queries(lambda: browser.open("/bookmarks"))
    keep(60)
    assert count_queries(lambda: browser.open("/bookmarks")) == few
    browser.open(browser.page.find("a", rel="next")["href"])
    assert len(browser.page.main.select(".row")) == 11
