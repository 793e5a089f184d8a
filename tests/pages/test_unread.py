"""What was not seen yet: the list, marking all as read, and taking it back."""

from collections.abc import Callable
from datetime import datetime

import pytest

from forllm_server.db import Database
from forllm_server.forum.editing import add_reply
from tests.pages.conftest import Browser
from tests.support.world import World, insert, insert_post, make_world


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    return make_world(sqlite_database, now)


def open_topics(database: Database, now: datetime, count: int) -> None:
    with database.transaction() as connection:
        for number in range(count):
            topic_id = insert(
                connection, "topics", subforum_id=1, owner_id=1, kind="discussion", title=f"Topic {number}",
                created_at=now, last_post_at=now, post_count=1, version=1,
            )  # fmt: skip
            insert_post(connection, topic_id, now)


def titles(browser: Browser) -> list[str]:
    return [link.get_text() for link in browser.page.main.select(".row--unread .row__title")]


def test_unread_topics_are_listed_and_lead_to_the_first_unread_post(browser: Browser, world: World) -> None:
    browser.open("/unread")
    assert titles(browser) == ["ZFS or Btrfs?"]
    assert browser.page.find("a", href="/topics/1/unread", string="unread")


def test_all_is_marked_as_read_and_undone_from_the_notice(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    open_topics(sqlite_database, now, 3)
    browser.open("/unread")
    assert len(titles(browser)) == 4
    browser.send("/unread/marking", {})
    assert titles(browser) == []
    assert "Nothing unread" in browser.words()
    undo = next(form["action"] for form in browser.page.find_all("form") if str(form["action"]).endswith("/undo"))
    browser.send(undo, {})
    assert len(titles(browser)) == 4
    token = browser.page.find("input", attrs={"name": "csrf_token"})["value"]
    again = browser.client.post(undo, data={"csrf_token": token}, follow_redirects=True)
    assert "taken back already" in again.get_data(as_text=True)


@pytest.mark.parametrize("stamp", ["0", "1234567", str(2**62)])
def test_what_was_never_marked_cannot_be_undone(browser: Browser, world: World, stamp: str) -> None:
    browser.open("/unread")
    token = browser.page.find("input", attrs={"name": "csrf_token"})["value"]
    answer = browser.client.post(f"/unread/marking/{stamp}/undo", data={"csrf_token": token})
    assert answer.status_code in (303, 404)
    assert len(titles(browser)) == 1


def test_a_subforum_is_marked_as_read_by_itself(browser: Browser, world: World) -> None:
    browser.open("/unread")
    token = browser.page.find("input", attrs={"name": "csrf_token"})["value"]
    answer = browser.client.post("/subforums/1/marking", data={"csrf_token": token})
    assert answer.headers["Location"] == "/subforums/1"
    assert browser.client.post("/subforums/9/marking", data={"csrf_token": token}).status_code == 404
    browser.open("/unread")
    assert titles(browser) == []


def test_every_list_of_topics_says_what_is_unread_in_a_constant_number_of_statements(
    browser: Browser,
    world: World,
    sqlite_database: Database,
    now: datetime,
    count_queries: Callable[[Callable[[], object]], int],
) -> None:
    paths = ("/", "/unread", "/subforums/1")
    for path in paths:
        browser.open(path)
        assert titles(browser) == ["ZFS or Btrfs?"], path
    few = [count_queries(lambda path=path: browser.open(path)) for path in paths]
    open_topics(sqlite_database, now, 30)
    assert [count_queries(lambda path=path: browser.open(path)) for path in paths] == few


def test_a_topic_that_was_read_says_how_much_is_new(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    browser.open("/topics/1")
    browser.send("/topics/1/seen", {})
    with sqlite_database.transaction() as connection:
        for minute in (1, 2):
            later = now.replace(minute=minute)
            add_reply(connection, owner_id=1, parent_id=world.post_id, content="x", now=later)
    browser.open("/")
    assert browser.page.find("a", href="/topics/1/unread").get_text() == "2 new posts"


def test_the_list_has_pages(browser: Browser, world: World, sqlite_database: Database, now: datetime) -> None:
    open_topics(sqlite_database, now, 60)
    browser.open("/unread")
    assert len(titles(browser)) == 50
    browser.open(browser.page.find("a", rel="next")["href"])
    assert len(titles(browser)) == 11
