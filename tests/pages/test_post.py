"""Posts: replying, asking, editing with history, deleting and restoring."""

from datetime import datetime

import pytest

from forllm_server.db import Database
from forllm_server.queue.chunk_store import insert_chunk
from forllm_server.queue.control import cancel_llm_request
from tests.pages.conftest import Browser
from tests.support.world import World, make_world, queue_request

HTMX = {"HX-Request": "true"}


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    return make_world(sqlite_database, now)


def test_a_reply_leads_to_itself_in_the_thread(browser: Browser, world: World) -> None:
    browser.open("/posts/1/reply")
    browser.send("/posts/1/reply", {"content": "Take *ZFS*."})
    assert (browser.status, browser.path) == (200, "/topics/1")
    assert browser.page.find("article", id="post-2").find("em").get_text() == "ZFS"


def test_a_reply_can_be_asked_about_at_once(browser: Browser, world: World) -> None:
    browser.open("/posts/1/reply")
    browser.send("/posts/1/reply", {"content": "And why?", "is_asking": "1", "model_id": str(world.model_id)})
    assert browser.page.find("article", id="pending-1")
    assert "Queued" in browser.words()


@pytest.mark.parametrize("content", ["", " \n\t ", "x" * 300_000])
def test_a_text_that_cannot_be_taken_is_kept_and_the_reason_said(browser: Browser, world: World, content: str) -> None:
    browser.open("/posts/1/reply")
    browser.send("/posts/1/reply", {"content": content})
    assert browser.status == 422
    assert browser.problem("content")
    assert browser.page.find("textarea", attrs={"name": "content"}).get_text().removeprefix("\n") == content


def test_the_form_alone_is_given_to_a_script_with_ids_of_its_own(browser: Browser, world: World) -> None:
    page = browser.open("/posts/1/reply", headers=HTMX)
    assert page.find("html") is None
    assert page.find("textarea")["id"] == "field-content-1"
    assert page.find("input", attrs={"name": "csrf_token"})


def test_asking_twice_is_one_request(browser: Browser, world: World) -> None:
    for words in ("Queued", "queued already"):
        browser.open("/posts/1/ask")
        browser.send("/posts/1/ask", {"model_id": str(world.model_id)})
        assert words in browser.words()
    assert len(browser.page.find_all("article", attrs={"data-pending": True})) == 1


def test_asking_for_somebody_or_a_model_that_is_not_there_says_so(browser: Browser, world: World) -> None:
    browser.open("/posts/1/ask")
    browser.send("/posts/1/ask", {"model_id": "99"})
    assert browser.status == 422
    assert "no such model" in browser.problem("model_id")
    browser.open("/posts/1/ask")
    browser.send("/posts/1/ask", {"persona_id": "99"})
    assert browser.status == 404


def test_an_edit_keeps_the_earlier_text_and_it_can_be_restored(browser: Browser, world: World) -> None:
    browser.open("/posts/1/edit")
    browser.send("/posts/1/edit", {"content": "Which file system for three disks?"})
    assert "edited" in browser.page.find("article", id="post-1").get_text()
    page = browser.open("/posts/1/history")
    assert [line.get_text() for line in page.find_all(["ins", "del"])] == ["two", "three"]
    browser.send("/posts/1/history/1/restore", {})
    assert "two disks" in browser.words()


def test_an_edit_over_somebody_elses_is_refused_and_nothing_is_lost(browser: Browser, world: World) -> None:
    browser.open("/posts/1/edit")
    browser.send("/posts/1/edit", {"content": "First"})
    browser.open("/posts/1/edit")
    browser.send("/posts/1/edit", {"content": "Second", "version": "1"})
    assert browser.status == 409
    assert browser.page.find("textarea", attrs={"name": "content"}).get_text(strip=True) == "Second"


def test_a_deleted_post_keeps_its_place_and_comes_back(browser: Browser, world: World) -> None:
    browser.open("/posts/1/reply")
    browser.send("/posts/1/reply", {"content": "A secret"})
    browser.open("/posts/2/delete")
    browser.send("/posts/2/delete", {})
    assert browser.path == "/topics/1"
    assert browser.page.find("article", id="post-2")
    assert "A secret" not in browser.text
    browser.open("/trash")
    browser.send("/trash/post/2/restore", {})
    assert "A secret" in browser.words()


def test_a_post_without_edits_has_an_empty_history(browser: Browser, world: World) -> None:
    browser.open("/posts/1/history")
    assert "Never edited" in browser.words()


def test_posts_that_do_not_exist_are_not_found(browser: Browser, world: World) -> None:
    for part in ("", "/reply", "/ask", "/edit", "/history", "/delete"):
        browser.open(f"/posts/99{part}")
        assert browser.status == 404, part


def test_what_a_cancelled_request_had_written_can_be_posted_and_is_marked(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    asked = queue_request(sqlite_database, world, now)
    with sqlite_database.transaction() as connection:
        insert_chunk(connection, asked.id, run=1, seq=0, text="Take a *mirror*, since", thinking="")
        cancel_llm_request(connection, asked.id, now)
    for _ in range(2):
        token = browser.open("/subforums/new").find("input", attrs={"name": "csrf_token"})["value"]
        answer = browser.client.post(f"/queue/{asked.id}/partial-reply", data={"csrf_token": token})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/posts/2")
    browser.open("/posts/2")
    article = browser.page.find("article", id="post-2")
    assert article.find("em").get_text() == "mirror"
    assert "broken off" in article.get_text()
    assert browser.page.find("article", id="post-3") is None
