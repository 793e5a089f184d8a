"""Calling personas in a text: asked with the post, offered while it is typed, told when nobody was meant."""

from datetime import datetime

import pytest

from forllm_server.db import Database, metadata
from forllm_server.personas.editing import delete_persona
from forllm_server.queue.chain_store import update_descendants_to_ended
from forllm_server.queue.model import Status
from tests.pages.conftest import Browser
from tests.personas.world import create
from tests.support.world import World, make_world


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    world = make_world(sqlite_database, now)
    with sqlite_database.transaction() as connection:
        for name in ("Careful Skeptic", "Teacher", "Tea Master"):
            create(connection, name)
    return world


def pending(browser: Browser) -> list[str]:
    rows = browser.page.find_all("article", attrs={"data-pending": True})
    return [row.find(class_="post__author").get_text(strip=True) for row in rows]


def test_a_reply_asks_those_it_calls(browser: Browser, world: World) -> None:
    browser.open("/posts/1/reply")
    browser.send("/posts/1/reply", {"content": "@careful-skeptic and @teacher, `@tea-master`?"})
    assert sorted(pending(browser)) == ["Careful Skeptic", "Teacher"]
    assert "Queued: 2 replies" in browser.words()


def test_who_is_called_takes_the_place_of_whoever_answers_by_the_rules(browser: Browser, world: World) -> None:
    browser.open("/subforums/1/topics/new")
    browser.send("/subforums/1/topics/new", {"title": "Tea", "content": "@teacher, how long?"})
    assert pending(browser) == ["Teacher"]


def test_whoever_is_named_in_the_form_is_asked_besides(browser: Browser, world: World) -> None:
    browser.open("/posts/1/reply")
    browser.send("/posts/1/reply", {"content": "@teacher?", "is_asking": "1", "persona_id": "1"})
    assert sorted(pending(browser)) == ["Assistant", "Teacher"]


def test_what_names_nobody_is_told_and_stays_text(browser: Browser, world: World) -> None:
    browser.open("/posts/1/reply")
    browser.send("/posts/1/reply", {"content": "@property is no persona"})
    assert "@property names no persona" in browser.words()
    assert pending(browser) == []
    assert "@property is no persona" in browser.page.find("article", id="post-2").get_text()


def test_an_edit_asks_only_who_is_new(browser: Browser, world: World) -> None:
    browser.open("/posts/1/edit")
    browser.send("/posts/1/edit", {"content": "@teacher, which one?"})
    assert pending(browser) == ["Teacher"]
    browser.open("/posts/1/edit")
    browser.send("/posts/1/edit", {"content": "@teacher and @careful-skeptic, which one?"})
    assert sorted(pending(browser)) == ["Careful Skeptic", "Teacher"]
    assert "Queued: the reply" in browser.words()


def states(browser: Browser) -> list[str]:
    rows = browser.page.find_all("article", attrs={"data-pending": True})
    return [row.find(class_="state").get_text(strip=True) for row in rows]


def test_a_chain_that_breaks_says_so_in_each_link_and_goes_on_from_any_of_them(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    browser.open("/posts/1/reply")
    browser.send("/posts/1/reply", {"content": "@teacher>@tea-master>@teacher, is it ready?"})
    assert pending(browser) == ["Teacher", "Tea Master", "Teacher"]
    assert states(browser)[1:] == ["waits for @teacher’s answer", "waits for @tea-master’s answer"]
    requests = metadata.tables["llm_requests"]
    with sqlite_database.transaction() as connection:
        first_id = connection.execute(requests.select().order_by(requests.c.id)).first().id
        failed = {"status": "failed", "cause": "error", "cause_detail": "The kettle is cold.", "finished_at": now}
        connection.execute(requests.update().where(requests.c.id == first_id).values(**failed))
        update_descendants_to_ended(connection, first_id, Status.FAILED, now)
    browser.open("/topics/1")
    assert states(browser) == ["failed"] * 3
    words = browser.words()
    assert "The kettle is cold." in words
    assert words.count("Its question was not answered: the one before it in the chain failed.") == 2
    browser.send(f"/queue/{first_id + 2}/retry", {"next": "/topics/1"})
    assert states(browser)[1:] == ["waits for @teacher’s answer", "waits for @tea-master’s answer"]
    assert "failed" not in states(browser)


def test_a_call_of_somebody_who_is_gone_or_of_two_is_told_and_asks_nobody(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    with sqlite_database.transaction() as connection:
        delete_persona(connection, create(connection, "Ghost").id, now)
        create(connection, "Tea.Master")
    browser.open("/posts/1/reply")
    browser.send("/posts/1/reply", {"content": "@ghost and @tea-master and @teacher>@ghost"})
    words = browser.words()
    assert "@ghost names no persona, so nobody was asked by it." in words
    assert "@tea-master may be" in words
    assert "@ghost in @teacher>@ghost names no persona" in words
    assert pending(browser) == []


def test_personas_are_offered_with_model_and_handle(browser: Browser, world: World) -> None:
    page = browser.open("/writing/personas?parent_id=1&typed=tea")
    options = page.find_all(attrs={"role": "option"})
    assert [option["data-value"] for option in options] == ["@tea-master", "@teacher"]
    assert "qwen3:8b" in options[0].get_text()
    by_second_word = browser.open("/writing/personas?subforum_id=1&typed=skep").find_all(attrs={"role": "option"})
    assert [option["data-value"] for option in by_second_word] == ["@careful-skeptic"]
    within = browser.open("/writing/personas?subforum_id=1&typed=eache").find_all(attrs={"role": "option"})
    assert ["Teacher" in option.get_text() for option in within] == [True]
    assert len(browser.open("/writing/personas?subforum_id=1&typed=").find_all(attrs={"role": "option"})) == 4
    assert browser.open("/writing/personas?subforum_id=1&typed=nobody").find(attrs={"role": "option"}) is None


def test_the_estimate_is_that_of_who_is_called(browser: Browser, world: World) -> None:
    token = browser.open("/subforums/new").find("input", attrs={"name": "csrf_token"})["value"]
    fields = {"csrf_token": token, "parent_id": "1", "content": "@teacher and @careful-skeptic?"}
    answer = browser.client.post("/estimate", data=fields).get_data(as_text=True)
    assert "tokens for Teacher" in answer
    assert "Adds 2 replies" in answer


def test_the_guide_shows_what_each_line_becomes(browser: Browser, world: World) -> None:
    page = browser.open("/writing/guide")
    assert page.find("strong").get_text() == "bold"
    assert page.find("table")
    assert page.find(class_="task-box")
