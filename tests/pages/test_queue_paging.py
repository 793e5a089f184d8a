"""A queue longer than its page: what is shown, what is told of the rest, and how one gets there."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from forllm_server.db import Database, metadata
from forllm_server.pages import plan_reading
from forllm_server.queue.llm_request_store import insert_llm_requests
from tests.pages.conftest import Browser
from tests.pages.queue_stage import change, clock_stands, fail, titles, world
from tests.support.world import World, insert_backend, insert_model, new_request, queue_request

__all__ = ["clock_stands", "world"]


def queue_many(database: Database, world: World, now: datetime, number: int, **changes: Any) -> None:
    news = [new_request(world, answer_number=1000 + each, **changes) for each in range(number)]
    with database.transaction() as connection:
        insert_llm_requests(connection, news, now)


def add_backend(database: Database, now: datetime, name: str, model: str) -> dict[str, Any]:
    with database.transaction() as connection:
        backend_id = insert_backend(connection, now, name=name)
        model_id = insert_model(connection, backend_id, now, name=model)
    return {"backend_id": backend_id, "model_id": model_id, "model_name": model}


def rests(browser: Browser) -> list[str]:
    return [" ".join(row.get_text(" ").split()) for row in browser.page.select("tr.line-rest")]


def heads(browser: Browser) -> list[str]:
    return [" ".join(row.th.get_text(" ").split()) for row in browser.page.select("tr.line-group")]


def test_each_backends_line_begins_on_the_first_page_and_the_rest_is_counted(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    attic = add_backend(sqlite_database, now, "Attic", "mistral")
    queue_many(sqlite_database, world, now, 180)
    queue_many(sqlite_database, world, now, 20, **attic)
    queue_many(sqlite_database, world, now, 3, backend_id=None, model_id=None, model_name=None)
    browser.open("/queue")
    assert [head.split(" Waits")[0].split(" Starts")[0] for head in heads(browser)] == [
        "qwen3:8b on Desk, 180 requests",
        "mistral on Attic, 20 requests",
        "No model yet 3 requests",
    ]
    assert rests(browser) == ["100 more on Desk: 100 on qwen3:8b Next 100"]
    assert len(browser.page.select("tr.line")) == 80 + 20 + 3
    assert browser.page.h1.get_text() == "203 replies"


def test_the_line_goes_on_where_the_page_ended(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queue_many(sqlite_database, world, now, 250)
    first = titles(browser) if browser.open("/queue") else []
    browser.open(browser.page.select_one("tr.line-rest a")["href"])
    assert browser.page.h1.get_text() == "101 to 200 of 250 on Desk"
    second = titles(browser)
    # What stands at the border can change places with its neighbour on the other page.
    assert browser.page.select_one('tr.line [data-move="up"]')["value"] == first[-1]
    browser.open(browser.page.select_one("tr.line-rest a")["href"])
    assert browser.page.h1.get_text() == "201 to 250 of 250 on Desk"
    third = titles(browser)
    assert rests(browser) == []
    assert len({*first, *second, *third}) == 250
    places = [row.select_one(".grip").get_text() for row in browser.page.select("tr.line")]
    assert (places[0], places[-1]) == ("201", "250")
    browser.open(browser.page.find("a", rel="prev")["href"])
    assert titles(browser) == second


def test_a_later_page_is_kept_fresh_and_leads_back_after_an_act(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queue_many(sqlite_database, world, now, 120)
    element = browser.open("/queue?backend_id=2&first=101").find("forllm-queue")
    path = f"{element['data-updates']}&known={element['data-known']}"
    assert browser.client.get(path, headers={"If-None-Match": element["data-tag"]}).status_code == 304
    browser.send("/queue/changes", {"ids": titles(browser)[:2]}, button={"action": "hold"})
    assert browser.path == "/queue"
    assert "2 requests set aside." in browser.words()
    assert browser.page.h1.get_text() == "101 to 118 of 118 on Desk"
    answer = browser.client.get(path, headers={"If-None-Match": element["data-tag"]})
    assert answer.get_data(as_text=True).count('<tr class="line ') == 18


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("backend_id=99&first=1", 404),
        ("backend_id=one&first=1", 422),
        ("backend_id=2&first=0", 422),
        ("backend_id=2&first=2001", 422),
        ("backend_id=2&first=999", 200),
        ("backend_id=2", 200),
    ],
)
def test_a_page_that_there_is_not_is_refused_or_the_last(
    browser: Browser, world: World, sqlite_database: Database, now: datetime, query: str, status: int
) -> None:
    queue_many(sqlite_database, world, now, 2)
    browser.open(f"/queue?{query}")
    assert browser.status == status


def test_a_line_that_is_done_meanwhile_says_so(browser: Browser, world: World) -> None:
    browser.open(f"/queue?backend_id={world.backend_id}&first=101")
    assert browser.page.h1.get_text() == "Nothing is queued on Desk"


def test_behind_the_longest_plan_all_are_counted(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queue_many(sqlite_database, world, now, 2100)
    browser.open("/queue")
    assert browser.page.h1.get_text() == "2,100 replies"
    assert rests(browser) == ["2,000 more on Desk: 2,000 on qwen3:8b Next 100"]
    browser.open("/queue?backend_id=2&first=1901")
    assert browser.page.h1.get_text() == "1,901 to 2,000 of 2,100 on Desk"
    assert rests(browser) == ["100 more on Desk: 100 on qwen3:8b All that is in line"]


def test_what_is_held_waits_or_failed_is_told_in_all(
    browser: Browser, world: World, sqlite_database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_reading, "FEW", 2)
    for _ in range(3):
        fail(sqlite_database, world, now, "error")
        change(sqlite_database, queue_request(sqlite_database, world, now).id, status="held")
    browser.open("/queue")
    assert heads(browser) == ["On hold 3 requests Set aside until it is released."]
    assert rests(browser) == ["1 more All of them"]
    assert "Of what failed these are the newest 2; all 3" in browser.words()


def test_what_needs_a_person_is_counted_with_those_that_are_not_shown(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queue_many(sqlite_database, world, now, 150)
    backends = metadata.tables["backends"]
    with sqlite_database.transaction() as connection:
        connection.execute(backends.update().where(backends.c.id == world.backend_id).values(is_enabled=False))
    browser.open("/queue")
    assert "Desk is disabled 150 replies wait" in browser.words()
    assert "The first 100 of them" in browser.words()
    assert "Cancel the first 100" in browser.words()


def test_the_page_costs_the_same_however_long_the_queue_is(
    browser: Browser,
    world: World,
    sqlite_database: Database,
    now: datetime,
    count_queries: Callable[[Callable[[], object]], int],
) -> None:
    queue_many(sqlite_database, world, now, 5)
    paths = ("/queue", "/queue?backend_id=2&first=1", "/queue/updates")
    few = [count_queries(partial(browser.open, path)) for path in paths]
    queue_many(sqlite_database, world, now, 300, persona_id=None)
    assert [count_queries(partial(browser.open, path)) for path in paths] == few
