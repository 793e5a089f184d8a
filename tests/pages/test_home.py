"""The first page."""

from collections.abc import Callable
from datetime import datetime

from forllm_server.db import Database
from forllm_server.queue.control import cancel_llm_request
from tests.pages.conftest import Browser
from tests.support.world import insert, make_world, queue_request


def test_an_empty_forum_says_what_to_do_first(browser: Browser) -> None:
    page = browser.open("/")
    assert browser.status == 200
    assert "An empty forum" in browser.words()
    assert page.main.find("a", href="/subforums/new")


def test_it_shows_the_subforums_and_the_newest_topics(
    browser: Browser, sqlite_database: Database, now: datetime
) -> None:
    make_world(sqlite_database, now)
    page = browser.open("/")
    assert page.main.find("a", href="/subforums/1", string="Homelab")
    assert page.main.find("a", href="/topics/1", string="ZFS or Btrfs?")


def test_the_rail_says_when_models_may_work_and_what_is_queued(
    browser: Browser, sqlite_database: Database, now: datetime
) -> None:
    queue_request(sqlite_database, make_world(sqlite_database, now), now)
    night = browser.open("/").find(attrs={"data-night": True}).get_text(" ", strip=True)
    assert "Always open" in night
    assert "1 queued" in night


def test_what_was_called_off_is_not_counted_as_queued(
    browser: Browser, sqlite_database: Database, now: datetime
) -> None:
    queued = queue_request(sqlite_database, make_world(sqlite_database, now), now)
    with sqlite_database.transaction() as connection:
        cancel_llm_request(connection, queued.id, now)
    assert "Nothing queued" in browser.open("/").find(attrs={"data-night": True}).get_text()


def test_more_topics_and_subforums_cost_no_more_queries(
    browser: Browser, sqlite_database: Database, now: datetime, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    make_world(sqlite_database, now)
    few = count_queries(lambda: browser.open("/"))
    with sqlite_database.transaction() as connection:
        for number in range(10):
            insert(
                connection, "subforums", owner_id=1, name=f"S{number}", name_key=f"s{number}", position=number,
                description="", created_at=now,
            )  # fmt: skip
            insert(
                connection, "topics", subforum_id=1, owner_id=1, kind="discussion", title=f"T{number}",
                created_at=now, last_post_at=now, post_count=1, version=1,
            )  # fmt: skip
    assert count_queries(lambda: browser.open("/")) == few


def test_every_page_has_one_heading_a_skip_link_and_named_regions(browser: Browser) -> None:
    for path in ("/", "/queue", "/personas", "/schedule", "/backends", "/settings", "/trash", "/subforums"):
        page = browser.open(path)
        assert browser.status == 200, path
        assert len(page.find_all("h1")) == 1, path
        assert page.find("a", href="#main"), path
        assert not page.find_all(style=True), path
        assert not [script for script in page.find_all("script") if not script.get("src")], path
