"""The Morning page through HTTP: the order, the words, foreign text, the calendar, and what it costs."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from forllm_server.db import Database, metadata
from forllm_server.settings.values import change_settings
from tests.morning.night_world import answer, end_request, open_topic
from tests.pages.conftest import Browser
from tests.support.world import World, make_world, queue_request

MORNING = datetime(2026, 11, 21, 7, 5, tzinfo=UTC)
NIGHT = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(MORNING, tick=False):
        yield


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    world = make_world(sqlite_database, now)
    with sqlite_database.transaction() as connection:
        change_settings(connection, {"timezone": "UTC"}, now)
    return world


def test_the_last_night_is_shown_with_its_replies(browser: Browser, sqlite_database: Database, world: World) -> None:
    post_id = answer(sqlite_database, world, NIGHT, usage={"watt_hours": 710.0, "is_energy_measured": False})
    end_request(sqlite_database, world, NIGHT, "failed", cause="error", cause_detail="It ran out of memory.")
    queue_request(sqlite_database, world, MORNING)
    page = browser.open("/morning")
    assert page.h1.get_text() == "1 of 2 answered, 1 failed"
    words = browser.words()
    assert "The night before Saturday 21 November 2026" in words
    assert "0.71 kWh, estimated" in words
    assert "1 reply is still to come." in words
    assert "It ran out of memory." in words
    topic = page.select_one(".news__topic")
    assert topic.h3.a.get_text() == "ZFS or Btrfs?"
    assert topic.select_one(".news__reply a")["href"] == f"/posts/{post_id}"
    assert topic.select_one(".news__text").get_text() == "ZFS, of course."


def test_a_failure_is_mended_from_here(browser: Browser, sqlite_database: Database, world: World) -> None:
    end_request(sqlite_database, world, NIGHT, "failed", cause="error", cause_detail="It ran out of memory.")
    browser.open("/morning")
    browser.send("/queue/changes", {}, button={"action": "retry"})
    assert (browser.status, browser.path) == (200, "/morning/2026-11-21")
    assert browser.page.h1.get_text() == "A quiet night"
    assert "1 reply is still to come." in browser.words()


def test_a_day_of_the_archive_is_reached_by_its_address_and_the_calendar(
    browser: Browser, sqlite_database: Database, world: World
) -> None:
    answer(sqlite_database, world, NIGHT - timedelta(days=30))
    page = browser.open("/morning?month=2026-10")
    lit = page.select(".calendar__day--lit")
    assert [day["href"] for day in lit] == ["/morning/2026-10-22"]
    assert "1 answered" in lit[0].get_text()
    page = browser.open("/morning/2026-10-22")
    assert page.h1.get_text() == "1 answered"
    assert page.select_one(".calendar__table [aria-current=date]").get_text().startswith("22")
    assert page.find("a", rel="next")["href"] == "/morning/2026-10-23"
    assert page.find("a", rel="prev")["href"] == "/morning/2026-10-21"
    assert browser.open("/morning/day?date=2026-10-22").h1.get_text() == "1 answered"


@pytest.mark.parametrize(
    "path",
    ["/morning/2026-11-22", "/morning/yesterday", "/morning/20261120", "/morning/0001-01-01", "/morning?month=2026-13",
     "/morning/9999-12-31", "/morning/day", "/morning?month=%00"],
)  # fmt: skip
def test_days_that_are_none_are_not_found(browser: Browser, world: World, path: str) -> None:
    browser.open(path)
    assert browser.status == 404


def test_an_empty_forum_says_what_will_stand_here(browser: Browser) -> None:
    page = browser.open("/morning")
    assert page.h1.get_text() == "A quiet night"
    assert "Ask in the evening" in browser.words()


def test_foreign_text_stays_text(browser: Browser, sqlite_database: Database, world: World, now: datetime) -> None:
    topic_id, post_id = open_topic(sqlite_database, world, now, HOSTILE)
    answer(sqlite_database, world, NIGHT, HOSTILE, topic_id=topic_id, question_id=post_id, persona_name=HOSTILE)
    end_request(sqlite_database, world, NIGHT, "failed", cause="error", cause_detail=HOSTILE, model_name=HOSTILE)
    with sqlite_database.transaction() as connection:
        gists = (
            metadata.tables["gists"]
            .insert()
            .values(
                day=MORNING.date(),
                topic_id=topic_id,
                replies=1,
                line=HOSTILE,
                disagreement=HOSTILE,
                model_name=HOSTILE,
                asked_at=now,
                written_at=now,
            )
        )
        connection.execute(gists)
    page = browser.open("/morning")
    assert browser.status == 200
    assert page.main.find("img") is None
    assert page.select_one(".news__gist").get_text().startswith(HOSTILE)


def test_the_page_costs_the_same_with_one_reply_and_with_sixty(
    browser: Browser, sqlite_database: Database, world: World, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    answer(sqlite_database, world, NIGHT)
    end_request(sqlite_database, world, NIGHT, "failed", cause="error", cause_detail="No.")
    few = count_queries(lambda: browser.open("/morning"))
    for number in range(60):
        topic_id, post_id = open_topic(sqlite_database, world, NIGHT, f"Topic {number}")
        answer(sqlite_database, world, NIGHT, topic_id=topic_id, question_id=post_id)
        end_request(sqlite_database, world, NIGHT, "failed", cause="error", cause_detail=f"No {number}.")
    assert count_queries(lambda: browser.open("/morning")) == few
    assert len(browser.page.select(".news__topic")) == 61


def test_a_cut_off_reply_is_marked(browser: Browser, sqlite_database: Database, world: World) -> None:
    post_id = answer(sqlite_database, world, NIGHT)
    posts = metadata.tables["posts"]
    with sqlite_database.transaction() as connection:
        connection.execute(posts.update().where(posts.c.id == post_id).values(is_partial=True))
    browser.open("/morning")
    assert "cut off" in browser.words()
