"""Atom feeds: valid by RFC 4287, private, sanitized, and cheap."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any
from xml.etree import ElementTree

import pytest
import time_machine

from forllm_server.db import Database, metadata
from forllm_server.notify.atom import Entry, Feed, to_xml
from tests.morning.night_world import answer, open_topic
from tests.pages.conftest import Browser
from tests.support.world import World, make_world

ATOM = "{http://www.w3.org/2005/Atom}"
NIGHT = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
PARTS = ("all", "subforums/1", "topics/1", "personas/1")


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 11, 21, 7, 5, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    world = make_world(sqlite_database, now)
    answer(sqlite_database, world, NIGHT)
    return world


@pytest.fixture
def base(browser: Browser) -> str:
    """The address that all feeds of this forum begin with."""
    browser.open("/notifications")
    browser.send("/notifications/feeds", {})
    return str(browser.page.select_one("#feeds ~ dl a")["href"]).removesuffix("/all.atom").partition("4773")[2]


def read(browser: Browser, path: str, **headers: str) -> Any:
    return browser.client.get(path, headers=headers)


def check_feed(text: bytes) -> ElementTree.Element:
    """The feed, when it keeps to RFC 4287: sections 4.1.1 and 4.1.2, and 3.3 on dates."""
    root = ElementTree.fromstring(text)
    assert root.tag == f"{ATOM}feed"
    for element in (root, *root.iter(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            found = element.findall(f"{ATOM}{name}")
            assert len(found) == 1
            assert found[0].text
        datetime.strptime(str(element.findtext(f"{ATOM}updated")), "%Y-%m-%dT%H:%M:%SZ")
        links = [(link.get("rel"), link.get("type")) for link in element.findall(f"{ATOM}link")]
        assert len(links) == len(set(links))
        assert ("alternate", "text/html") in links
    assert any(link.get("rel") == "self" for link in root.findall(f"{ATOM}link"))
    for entry in root.iter(f"{ATOM}entry"):
        assert entry.findtext(f"{ATOM}author/{ATOM}name")
        content = entry.find(f"{ATOM}content")
        assert content is not None
        assert content.get("type") == "html"
    ids = [entry.findtext(f"{ATOM}id") for entry in root.iter(f"{ATOM}entry")]
    assert len(ids) == len(set(ids))
    return root


@pytest.mark.parametrize("part", PARTS)
def test_every_feed_is_valid_and_holds_the_newest_first(browser: Browser, world: World, base: str, part: str) -> None:
    response = read(browser, f"{base}/{part}.atom")
    assert (response.status_code, response.content_type) == (200, "application/atom+xml; charset=utf-8")
    root = check_feed(response.data)
    entries = root.findall(f"{ATOM}entry")
    assert entries[0].findtext(f"{ATOM}title") == "Assistant: ZFS or Btrfs?"
    assert entries[0].findtext(f"{ATOM}content") == "<p>ZFS, <em>of course</em>.</p>\n"
    assert len(entries) == (1 if part.startswith("personas") else 2)
    link = entries[0].find(f"{ATOM}link")
    assert link is not None
    assert link.get("href") == "http://127.0.0.1:4773/posts/2"


def test_ids_stay_and_what_is_edited_is_updated(
    browser: Browser, sqlite_database: Database, world: World, base: str, now: datetime
) -> None:
    before = check_feed(read(browser, f"{base}/all.atom").data)
    posts = metadata.tables["posts"]
    edited_at = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
    with sqlite_database.transaction() as connection:
        connection.execute(posts.update().where(posts.c.id == 2).values(edited_at=edited_at, version=2))
    browser.send("/notifications/feeds", {})
    new = str(browser.page.select_one("#feeds ~ dl a")["href"]).partition("4773")[2]
    after = check_feed(read(browser, new).data)
    ids = [[entry.findtext(f"{ATOM}id") for entry in root.iter(f"{ATOM}entry")] for root in (before, after)]
    assert ids[0] == ids[1]
    assert str(ids[0][0]).startswith("tag:")
    assert str(ids[0][0]).endswith(".forllm.invalid,2026-01-01:post/2")
    assert after.findtext(f"{ATOM}updated") == "2026-11-21T06:30:00Z"


def test_a_reader_that_has_it_already_is_told_so_without_reading_a_text(
    browser: Browser, sqlite_database: Database, world: World, base: str,
    count_queries: Callable[[Callable[[], object]], int],
) -> None:  # fmt: skip
    read(browser, f"{base}/all.atom")
    tag = read(browser, f"{base}/all.atom").headers["ETag"]
    again = read(browser, f"{base}/all.atom", **{"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert count_queries(lambda: read(browser, f"{base}/all.atom", **{"If-None-Match": tag})) <= 3
    answer(sqlite_database, world, NIGHT)
    assert read(browser, f"{base}/all.atom", **{"If-None-Match": tag}).status_code == 200


def test_a_feed_costs_the_same_with_few_and_with_many(
    browser: Browser, sqlite_database: Database, world: World, base: str, now: datetime,
    count_queries: Callable[[Callable[[], object]], int],
) -> None:  # fmt: skip
    few = {part: count_queries(partial(read, browser, f"{base}/{part}.atom")) for part in PARTS}
    for number in range(60):
        topic_id, post_id = open_topic(sqlite_database, world, now, f"Topic {number}")
        answer(sqlite_database, world, NIGHT, topic_id=topic_id, question_id=post_id)
    for part in PARTS:
        read(browser, f"{base}/{part}.atom")
        assert count_queries(partial(read, browser, f"{base}/{part}.atom")) <= few[part]
        assert len(check_feed(read(browser, f"{base}/{part}.atom").data).findall(f"{ATOM}entry")) in (2, 50)


@pytest.mark.parametrize("token", ["", "x", "A" * 32, "A" * 31, "A" * 5_000, "%00", "..", "é" * 32])
def test_an_address_that_is_guessed_leads_nowhere(browser: Browser, world: World, base: str, token: str) -> None:
    for part in PARTS:
        assert read(browser, f"/feeds/{token}/{part}.atom").status_code == 404
    assert read(browser, "/feeds/all.atom").status_code == 404


def test_what_is_not_there_answers_like_a_wrong_address(browser: Browser, world: World, base: str) -> None:
    wrong = read(browser, f"/feeds/{'A' * 32}/topics/1.atom")
    missing = read(browser, f"{base}/topics/99.atom")
    assert (wrong.status_code, missing.status_code) == (404, 404)


def test_a_renewed_or_removed_address_opens_nothing_any_more(browser: Browser, world: World, base: str) -> None:
    browser.send("/notifications/feeds", {})
    assert read(browser, f"{base}/all.atom").status_code == 404
    new = str(browser.page.select_one("#feeds ~ dl a")["href"]).partition("4773")[2]
    assert read(browser, new).status_code == 200
    browser.send("/notifications/feeds/removal", {})
    assert read(browser, new).status_code == 404
    assert "Switch the feeds on" in browser.words()


def test_the_rows_alone_give_no_address_away(
    browser: Browser, sqlite_database: Database, world: World, base: str
) -> None:
    token = base.rpartition("/")[2].encode()
    with sqlite_database.read() as connection:
        row = connection.execute(metadata.tables["feed_tokens"].select()).one()
    assert token not in row.digest + row.token_sealed


@pytest.mark.parametrize("table", ["posts", "topics", "subforums"])
def test_what_lies_in_the_trash_is_in_no_feed(
    browser: Browser, sqlite_database: Database, world: World, base: str, table: str
) -> None:
    with sqlite_database.transaction() as connection:
        connection.execute(metadata.tables[table].update().values(deleted_at=NIGHT))
    for part in PARTS:
        response = read(browser, f"{base}/{part}.atom")
        assert response.status_code == 404 or not check_feed(response.data).findall(f"{ATOM}entry")


def test_foreign_text_cannot_leave_its_entry(
    browser: Browser, sqlite_database: Database, world: World, base: str, now: datetime
) -> None:
    hostile = "]]></content><script>alert(1)</script>&x;\x0b\ufffe<img src=x onerror=alert(1)>"
    topic_id, post_id = open_topic(sqlite_database, world, now, hostile)
    answer(sqlite_database, world, NIGHT, hostile, topic_id=topic_id, question_id=post_id, persona_name=hostile)
    root = check_feed(read(browser, f"{base}/all.atom").data)
    content = root.findtext(f"{ATOM}entry/{ATOM}content") or ""
    assert "<script" not in content
    assert "<img" not in content


def test_a_page_names_its_feed_only_while_the_feeds_are_on(browser: Browser, world: World) -> None:
    assert browser.open("/topics/1").find("link", type="application/atom+xml") is None
    browser.open("/notifications")
    browser.send("/notifications/feeds", {})
    for path, end in (("/topics/1", "/topics/1.atom"), ("/subforums/1", "/subforums/1.atom"), ("/", "/all.atom"),
                      ("/personas/1", "/personas/1.atom")):  # fmt: skip
        link = browser.open(path).find("link", type="application/atom+xml")
        assert link is not None
        assert link["href"].endswith(end)
        assert read(browser, link["href"]).status_code == 200
    assert browser.open("/settings").find("link", type="application/atom+xml") is None


def test_an_empty_feed_is_valid_too() -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    check_feed(to_xml(Feed("tag:x,2026:all", "\x00Nothing\x1b", "http://a/f", "http://a/", at, [])))
    entry = Entry("tag:x,2026:1", "\ud800", "http://a/1", "", at, at, "<p>\x08</p>")
    check_feed(to_xml(Feed("tag:x,2026:all", "T", "http://a/f", "http://a/", at, [entry])))
