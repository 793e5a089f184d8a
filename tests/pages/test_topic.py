"""Topics: the thread with what is not there yet, its pages, and the poll that keeps it fresh."""

from collections.abc import Callable
from datetime import datetime

import pytest
from bs4 import BeautifulSoup

from forllm_server.db import Database, metadata
from forllm_server.forum.editing import add_reply
from forllm_server.queue.chunk_store import insert_chunk
from tests.pages.conftest import Browser
from tests.support.world import World, make_world, queue_request


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    return make_world(sqlite_database, now)


def reply(database: Database, parent_id: int, now: datetime, content: str = "A reply") -> int:
    with database.transaction() as connection:
        return add_reply(connection, owner_id=1, parent_id=parent_id, content=content, now=now).id


def rows_of(page: BeautifulSoup) -> list[str]:
    return [row["id"] for row in page.find_all("article", attrs={"data-row": True})]


def poll_url(page: BeautifulSoup) -> str:
    thread = page.find("forllm-thread")
    names = ("from", "until", "base", "known", "pending")
    return thread["data-updates"] + "?" + "&".join(f"{name}={thread[f'data-{name}']}" for name in names)


def test_a_topic_is_opened_with_its_first_post_and_a_question_to_the_default_persona(
    browser: Browser, world: World
) -> None:
    browser.open("/subforums/1/topics/new")
    browser.send("/subforums/1/topics/new", {"title": "Which disk?", "content": "Two **big** ones."})
    assert (browser.status, browser.path) == (200, "/topics/2")
    assert browser.page.find("article", id="post-2").find("strong").get_text() == "big"
    assert rows_of(browser.page) == ["post-2", "pending-1"]


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("title", {"title": " ", "content": "kept"}),
        ("title", {"title": "x" * 5000, "content": "kept"}),
        ("content", {"title": "kept", "content": " \n "}),
    ],
)
def test_a_form_that_cannot_be_taken_keeps_all_text_and_names_the_field(
    browser: Browser, world: World, field: str, fields: dict[str, str]
) -> None:
    browser.open("/subforums/1/topics/new")
    browser.send("/subforums/1/topics/new", fields)
    assert browser.status == 422
    assert browser.problem(field)
    assert "kept" in browser.text


def test_a_pending_reply_stands_after_all_answers_to_its_question_and_says_why_it_waits(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    first = reply(sqlite_database, world.post_id, now)
    deeper = reply(sqlite_database, first, now)
    queued = queue_request(sqlite_database, world, now)
    page = browser.open("/topics/1")
    assert rows_of(page) == ["post-1", f"post-{first}", f"post-{deeper}", f"pending-{queued.id}"]
    row = page.find("article", id=f"pending-{queued.id}")
    assert "depth-1" in row["class"]
    assert "next in line" in row.get_text()
    assert {button["data-act"] for button in row.find_all("button")} == {"run-now", "hold", "cancellation"}


def test_a_running_reply_shows_what_it_has_written_as_text(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queued = queue_request(sqlite_database, world, now)
    requests = metadata.tables["llm_requests"]
    with sqlite_database.transaction() as connection:
        running = {"status": "running", "run": 1, "started_at": now, "first_token_at": now, "output_tokens": 5}
        connection.execute(requests.update().where(requests.c.id == queued.id).values(running))
        insert_chunk(connection, queued.id, run=1, seq=1, text="<b>Half</b> a", thinking="")
    row = browser.open("/topics/1").find("article", id=f"pending-{queued.id}")
    assert row.find(class_="pending__text--writing").get_text() == "<b>Half</b> a"
    assert browser.page.find("forllm-thread")["data-pace"] == "running"


def test_a_failed_reply_says_what_failed_and_can_be_tried_again(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queued = queue_request(sqlite_database, world, now)
    requests = metadata.tables["llm_requests"]
    failed = {"status": "failed", "cause": "error", "cause_detail": "The model said nothing.", "finished_at": now}
    with sqlite_database.transaction() as connection:
        connection.execute(requests.update().where(requests.c.id == queued.id).values(failed))
    browser.open("/topics/1")
    assert "The model said nothing." in browser.words()
    browser.send(f"/queue/{queued.id}/retry", {})
    assert browser.path == "/topics/1"
    assert "next in line" in browser.words()


def test_the_poll_is_304_until_something_changes(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    page = browser.open("/topics/1")
    url, tag = poll_url(page), page.find("forllm-thread")["data-tag"]
    assert browser.client.get(url, headers={"If-None-Match": tag}).status_code == 304
    fresh = reply(sqlite_database, world.post_id, now, "New one")
    response = browser.client.get(url, headers={"If-None-Match": tag})
    assert response.status_code == 200
    updates = BeautifulSoup(response.get_data(as_text=True), "html.parser")
    assert rows_of(updates) == ["post-1", f"post-{fresh}"]
    assert browser.client.get(url, headers={"If-None-Match": response.headers["ETag"]}).status_code == 304


def test_the_poll_names_unchanged_posts_instead_of_sending_them(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    url = poll_url(browser.open("/topics/1"))
    queued = queue_request(sqlite_database, world, now)
    updates = BeautifulSoup(browser.client.get(url).get_data(as_text=True), "html.parser")
    assert updates.find("i", attrs={"data-keep": "post-1"})
    assert rows_of(updates) == [f"pending-{queued.id}"]


def test_what_changes_elsewhere_in_the_queue_does_not_wake_a_page_that_waits_for_nothing(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    browser.open("/subforums/1/topics/new")
    browser.send("/subforums/1/topics/new", {"title": "Another", "content": "x"}, button={"is_asking": "0"})
    page = browser.open("/topics/2")
    queue_request(sqlite_database, world, now)
    answer = browser.client.get(poll_url(page), headers={"If-None-Match": page.find("forllm-thread")["data-tag"]})
    assert answer.status_code == 304


def test_a_long_topic_is_paged_and_a_permanent_link_finds_the_page(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    ids = [reply(sqlite_database, world.post_id, now, f"Number {number}") for number in range(120)]
    page = browser.open("/topics/1")
    assert "Nothing is waiting on this page of it." in browser.words()
    assert len(rows_of(page)) == 50
    assert len(browser.text) < 90_000
    page = browser.open(page.find("a", rel="next")["href"])
    assert rows_of(page)[0] == f"post-{ids[49]}"
    page = browser.open(f"/posts/{ids[100]}")
    assert f"post-{ids[100]}" in rows_of(page)
    page = browser.open(page.find("a", rel="prev")["href"])
    assert len(rows_of(page)) == 50


def test_a_page_costs_the_same_queries_with_one_post_and_with_fifty(
    browser: Browser,
    world: World,
    sqlite_database: Database,
    now: datetime,
    count_queries: Callable[[Callable[[], object]], int],
) -> None:
    queue_request(sqlite_database, world, now)
    browser.open("/topics/1")
    few = count_queries(lambda: browser.open("/topics/1"))
    for number in range(60):
        post_id = reply(sqlite_database, world.post_id, now, f"Number {number}")
        queue_request(sqlite_database, world, now, post_id=post_id)
    browser.open("/topics/1")
    assert count_queries(lambda: browser.open("/topics/1")) == few


def test_a_deep_thread_stands_in_no_further_than_the_cap_and_can_be_read_on_its_own(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    chain = [world.post_id]
    for _ in range(12):
        chain.append(reply(sqlite_database, chain[-1], now))
    page = browser.open("/topics/1")
    assert "depth-8" in page.find("article", id=f"post-{chain[12]}")["class"]
    link = page.find("article", id=f"post-{chain[8]}").find("a", string=lambda text: text and "Continue" in text)
    page = browser.open(f"/topics/1?branch={chain[8]}") if link is None else browser.open(link["href"])
    assert rows_of(page)[0] == f"post-{chain[8]}"
    assert "depth-0" in page.find("article", id=f"post-{chain[8]}")["class"]


def test_hostile_titles_and_texts_stay_text(browser: Browser, world: World) -> None:
    evil = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"
    browser.open("/subforums/1/topics/new")
    browser.send("/subforums/1/topics/new", {"title": evil, "content": evil})
    assert browser.page.h1.get_text() == evil
    assert not browser.page.find_all(attrs={"onerror": True})
    assert "<script>alert" not in browser.text


def test_a_topic_is_renamed_deleted_and_restored(browser: Browser, world: World) -> None:
    browser.open("/topics/1/edit")
    browser.send("/topics/1/edit", {"title": "Renamed"})
    assert browser.page.h1.get_text() == "Renamed"
    browser.open("/topics/1/edit")
    browser.send("/topics/1/delete", {})
    assert browser.path == "/subforums/1"
    browser.open("/topics/1")
    assert browser.status == 404
    browser.open("/trash")
    browser.send("/trash/topic/1/restore", {})
    assert browser.page.h1.get_text() == "Renamed"


def test_places_that_do_not_exist_are_refused_in_words(browser: Browser, world: World) -> None:
    for path, status in (
        ("/topics/9", 404),
        ("/topics/1?branch=99", 404),
        ("/topics/1?after=zz", 422),
        ("/topics/1?at=x", 422),
        ("/topics/9/updates?from=1", 404),
    ):
        browser.open(path)
        assert browser.status == status, path
