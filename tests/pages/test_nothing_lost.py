"""Nothing typed is lost to an error, and what was deleted comes back."""

from datetime import datetime

import pytest

from forllm_server.db import Database
from forllm_server.errors import Unavailable
from tests.pages.conftest import Browser
from tests.support.world import World, make_world


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    return make_world(sqlite_database, now)


def entered(browser: Browser, name: str) -> str:
    control = browser.page.find(attrs={"name": name})
    return str(control.get("value") or control.get_text().removeprefix("\n"))


LONGEST_TITLE = "Ä" * 5_000
JOINERS = "\u200d" * 300
WORD = "x" * 100_000


@pytest.mark.parametrize("title", [LONGEST_TITLE, JOINERS, " ", "\u202e" * 5])
def test_a_title_that_cannot_be_taken_comes_back_with_the_text(browser: Browser, world: World, title: str) -> None:
    browser.open("/subforums/1/topics/new")
    browser.send("/subforums/1/topics/new", {"title": title, "content": "The text"})
    assert browser.status == 422
    assert browser.problem("title")
    assert (entered(browser, "title"), entered(browser, "content")) == (title, "The text")


def test_a_text_of_five_megabytes_comes_back_with_the_reason(browser: Browser, world: World) -> None:
    text = "five MB " * (5 * 2**20 // 8)
    browser.open("/subforums/1/topics/new")
    browser.send("/subforums/1/topics/new", {"title": "Long", "content": text})
    assert browser.status == 422
    assert "5,242,880 characters" in browser.problem("content")
    assert entered(browser, "content") == text


@pytest.mark.parametrize("content", [WORD, "🙂" * 2_000, "مرحبا " * 500])
def test_odd_texts_are_taken_as_they_are(browser: Browser, world: World, content: str) -> None:
    browser.open("/posts/1/reply")
    browser.send("/posts/1/reply", {"content": content})
    assert (browser.status, browser.path) == (200, "/topics/1")
    browser.open("/posts/2/edit")
    assert entered(browser, "content") == content.strip() or entered(browser, "content") == content


def test_a_persona_that_is_gone_by_now_costs_no_text(browser: Browser, world: World) -> None:
    browser.open("/posts/1/reply")
    browser.send("/posts/1/reply", {"content": "My text", "is_asking": "1", "persona_id": "99"})
    assert browser.status == 404
    assert browser.problem("persona_id")
    assert entered(browser, "content") == "My text"


def test_a_full_disk_costs_no_text(browser: Browser, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def has_no_room(*_args: object, **_options: object) -> None:
        raise Unavailable("The disk is full: FORLLM could not save. Make some room and try again.")

    monkeypatch.setattr("forllm_server.forum.post_store.insert_post", has_no_room)
    browser.open("/posts/1/reply")
    browser.send("/posts/1/reply", {"content": "My text"})
    assert browser.status == 503
    assert "The disk is full" in browser.words()
    assert entered(browser, "content") == "My text"


def test_both_texts_are_shown_when_two_tabs_edit_one_post(browser: Browser, world: World) -> None:
    browser.open("/posts/1/edit")
    browser.send("/posts/1/edit", {"content": "Which file system for three disks?"})
    browser.open("/posts/1/edit")
    browser.send("/posts/1/edit", {"content": "Which file system for four disks?", "version": "1"})
    assert browser.status == 409
    assert entered(browser, "content") == "Which file system for four disks?"
    diff = browser.page.find(class_="diff")
    assert [line.get_text() for line in diff.find_all(["del", "ins"])] == ["three", "four"]
    browser.send("/posts/1/edit", {})
    assert "four disks" in browser.words()
    browser.open("/posts/1/history")
    assert browser.words().count("Restore what was before this") == 2


def test_an_edit_that_is_too_long_does_not_pretend_to_know_the_newer_version(browser: Browser, world: World) -> None:
    browser.open("/posts/1/edit")
    browser.send("/posts/1/edit", {"content": "Newer"})
    browser.open("/posts/1/edit")
    browser.send("/posts/1/edit", {"content": "y" * 300_000, "version": "1"})
    assert (browser.status, entered(browser, "version")) == (422, "1")


def test_a_deleted_post_comes_back_by_its_notice(browser: Browser, world: World) -> None:
    browser.open("/posts/1/reply")
    browser.send("/posts/1/reply", {"content": "A secret"})
    browser.open("/posts/2/delete")
    browser.send("/posts/2/delete", {})
    assert "A secret" not in browser.text
    assert "can be restored until" in browser.words()
    browser.send("/trash/post/2/restore", {})
    assert "A secret" in browser.words()


@pytest.mark.parametrize(
    ("form", "action", "undo", "words"),
    [
        ("/topics/1/edit", "/topics/1/delete", "/trash/topic/1/restore", "Which file system"),
        ("/subforums/1/edit", "/subforums/1/delete", "/trash/subforum/1/restore", "ZFS or Btrfs?"),
    ],
)
def test_topics_and_subforums_come_back_by_their_notice(
    browser: Browser, world: World, form: str, action: str, undo: str, words: str
) -> None:
    browser.open(form)
    browser.send(action, {})
    assert "can be restored until" in browser.words()
    browser.send(undo, {})
    assert browser.status == 200
    assert words in browser.words()


def test_the_trash_says_until_when(browser: Browser, world: World) -> None:
    browser.open("/topics/1/edit")
    browser.send("/topics/1/delete", {})
    browser.open("/trash")
    assert "for 30 days" in browser.words()
    assert "erased" in browser.page.find(class_="row__end").get_text()
