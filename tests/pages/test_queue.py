"""The queue page and the page of one LLM request."""

from collections.abc import Callable
from datetime import datetime

import pytest

from forllm_server.db import Database, metadata
from forllm_server.queue.prompt_store import replace_prompt
from tests.pages.conftest import Browser
from tests.support.world import World, make_world, queue_request

BREAKDOWN = {
    "context_tokens": 4096, "context_source": "known", "reply_tokens": 1024, "margin_tokens": 0, "persona_tokens": 10,
    "post_tokens": 20, "ancestor_tokens": 0, "prompt_tokens": 30, "ancestor_count": 1, "omitted_post_ids": [1],
    "left_out_count": 0, "is_exact": True, "is_complete": False,
}  # fmt: skip


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    return make_world(sqlite_database, now)


def test_an_empty_queue_says_what_would_stand_here(browser: Browser) -> None:
    browser.open("/queue")
    assert "Nothing is queued" in browser.words()
    assert "A quiet night" in browser.words()


def test_every_list_is_there_and_another_is_refused(browser: Browser) -> None:
    for shown in ("plan", "waiting", "failed", "done", "cancelled"):
        browser.open(f"/queue?show={shown}")
        assert browser.status == 200
    browser.open("/queue?show=nonsense")
    assert browser.status == 422


def test_the_plan_names_question_persona_model_and_place(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queue_request(sqlite_database, world, now)
    queue_request(sqlite_database, world, now)
    browser.open("/queue")
    words = browser.words()
    assert "2 replies in line" in words
    assert "qwen3:8b on Desk 2 requests" in words
    assert "Which file system for two disks? Assistant v1 next in line" in words
    assert "2nd in line" in words


def test_acts_change_the_state_and_lead_back(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queued = queue_request(sqlite_database, world, now)
    browser.open("/queue")
    browser.send(f"/queue/{queued.id}/hold", {})
    assert browser.path == "/queue"
    browser.open("/queue?show=waiting")
    assert "on hold" in browser.words()
    browser.send(f"/queue/{queued.id}/release", {})
    browser.open(f"/queue/{queued.id}")
    browser.send(f"/queue/{queued.id}/cancellation", {})
    assert "cancelled" in browser.words()


def test_an_act_that_no_longer_fits_says_why(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queued = queue_request(sqlite_database, world, now)
    browser.open("/queue")
    browser.send(f"/queue/{queued.id}/cancellation", {})
    token = browser.open("/subforums/new").find("input", attrs={"name": "csrf_token"})["value"]
    response = browser.client.post(f"/queue/{queued.id}/hold", data={"csrf_token": token})
    assert response.status_code == 409
    assert browser.client.post(f"/queue/{queued.id}/nonsense", data={"csrf_token": token}).status_code == 404
    assert browser.client.post("/queue/99/hold", data={"csrf_token": token}).status_code == 404


def test_the_way_back_never_leads_to_another_site(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queued = queue_request(sqlite_database, world, now)
    token = browser.open("/queue").find("input", attrs={"name": "csrf_token"})["value"]
    answer = browser.client.post(f"/queue/{queued.id}/hold", data={"csrf_token": token, "next": "//evil.example/x"})
    assert answer.headers["Location"].endswith(f"/queue/{queued.id}")


def test_a_request_shows_its_exact_prompt_and_where_the_tokens_went(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queued = queue_request(sqlite_database, world, now)
    assert "It is built when a model begins" in browser.open(f"/queue/{queued.id}").get_text()
    messages = [{"role": "system", "content": "You are <b>helpful</b>."}, {"role": "user", "content": "Which?"}]
    with sqlite_database.transaction() as connection:
        replace_prompt(connection, queued.id, layout="x", messages=messages, breakdown=BREAKDOWN, now=now)
    page = browser.open(f"/queue/{queued.id}")
    assert "You are <b>helpful</b>." in [pre.get_text() for pre in page.find_all("pre")]
    assert "30 of 4,096 tokens" in browser.words()
    assert "Left out to fit: 1 post: You" in browser.words()
    browser.open("/queue/99")
    assert browser.status == 404


def test_all_that_failed_can_be_queued_again_at_once(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    for _ in range(3):
        queue_request(sqlite_database, world, now)
    requests = metadata.tables["llm_requests"]
    with sqlite_database.transaction() as connection:
        connection.execute(
            requests.update().values(status="failed", cause="error", cause_detail="No.", finished_at=now)
        )
    browser.open("/queue?show=failed")
    browser.send("/queue/failed/retry", {})
    assert "Queued again: 3" in browser.words()


def test_a_longer_queue_costs_no_more_queries(
    browser: Browser,
    world: World,
    sqlite_database: Database,
    now: datetime,
    count_queries: Callable[[Callable[[], object]], int],
) -> None:
    queue_request(sqlite_database, world, now)
    few = count_queries(lambda: browser.open("/queue"))
    for _ in range(20):
        queue_request(sqlite_database, world, now)
    assert count_queries(lambda: browser.open("/queue")) == few
