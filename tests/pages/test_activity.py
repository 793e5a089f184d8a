"""Recent activity: the newest topics, replies and personas, each leading to its place."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from forllm_server.db import Database
from forllm_server.forum.editing import add_reply, delete_post
from forllm_server.forum.tagging import tag_topic
from tests.pages.conftest import Browser
from tests.support.world import World, make_world


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    return make_world(sqlite_database, now)


def write(database: Database, now: datetime, *texts: str) -> list[int]:
    with database.transaction() as connection:
        return [
            add_reply(connection, owner_id=1, parent_id=1, content=text, now=now + timedelta(minutes=number)).id
            for number, text in enumerate(texts)
        ]


def replies(browser: Browser) -> list[str]:
    return [link["href"] for link in browser.page.main.select("#recent-replies ~ .rows .row__title")]


def test_the_newest_of_each_stand_first_and_lead_to_their_place(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    first, second, gone = write(sqlite_database, now, "**Mirror** it.", "Or not.", "Gone.")
    with sqlite_database.transaction() as connection:
        delete_post(connection, gone, now)
    page = browser.open("/activity")
    assert replies(browser)[:2] == [f"/posts/{second}", f"/posts/{first}"]
    assert "Mirror it." in page.main.get_text()
    assert page.main.select_one("#recent-topics").find_next(class_="row__title").get_text() == "ZFS or Btrfs?"
    assert page.main.select("#recent-personas ~ .rows .row__title")


def test_ten_of_each_cost_as_many_statements_as_one(
    browser: Browser,
    world: World,
    sqlite_database: Database,
    now: datetime,
    count_queries: Callable[[Callable[[], object]], int],
) -> None:
    write(sqlite_database, now, "One.")
    browser.open("/activity")
    few = count_queries(lambda: browser.open("/activity"))
    write(sqlite_database, now, *(f"Reply {number}." for number in range(12)))
    assert count_queries(lambda: browser.open("/activity")) == few
    assert len(replies(browser)) == 10


def test_a_script_is_given_the_lists_alone(browser: Browser, world: World) -> None:
    text = browser.client.get("/activity", headers={"HX-Request": "true"}).text
    assert "<h1" not in text
    assert 'id="recent-topics"' in text


def test_what_a_list_says_of_its_topics_stays_when_a_script_renews_it(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    with sqlite_database.transaction() as connection:
        tag_topic(connection, world.topic_id, ["storage"], now=now)
    whole = browser.open("/activity").select_one("#recent-topics").find_next("ul")
    assert "row--unread" in str(whole)
    assert "/tags/storage" in str(whole)
    renewed = browser.open("/activity", headers={"HX-Request": "true"}).select_one("#recent-topics").find_next("ul")
    assert str(renewed) == str(whole)
