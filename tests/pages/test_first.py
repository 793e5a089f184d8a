"""The first minutes: an empty forum teaches itself, and stops when it was understood."""

from collections.abc import Callable
from datetime import datetime

import pytest

from forllm_server.catalog import discovery
from forllm_server.db import Database, metadata
from tests.catalog.loopback import served
from tests.pages.conftest import Browser
from tests.support.world import insert, make_world, queue_request


def test_an_empty_forum_teaches_in_three_steps(browser: Browser) -> None:
    page = browser.open("/")
    assert [step.h3.get_text() for step in page.select(".first__step")] == [
        "Write a question",
        "Ask somebody",
        "Choose the hours",
    ]
    assert page.main.find("a", href="/subforums/new")
    assert "No model is here yet" in browser.words()


def test_it_says_who_could_answer(browser: Browser, sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.transaction() as connection:
        values = {"backend_id": 1, "context_tokens": 2048, "context_source": "known", "is_available": True}
        insert(connection, "models", name="tiny", label="tiny", first_seen_at=now, last_seen_at=now, **values)
    browser.open("/")
    assert "tiny is built in and ready" in browser.words()


def test_an_empty_forum_looks_for_model_servers_and_speaks_only_of_those_it_finds(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = browser.open("/").select_one("[hx-get^='/backends/offers']")
    assert looks is not None
    with served({"/": "Ollama is running", "/api/version": {"version": "0.9.1"}}) as port:
        monkeypatch.setattr(discovery, "USUAL_PORTS", (port,))
        offers = browser.open(str(looks["hx-get"]))
        assert f"Ollama 0.9.1 answers at http://127.0.0.1:{port}" in browser.words()
        assert offers.select_one(".offer a[href^='/backends/new?kind=ollama']")
    browser.open(str(looks["hx-get"]))
    assert "answers at" not in browser.words()
    assert "No other model server" not in browser.words()
    browser.open("/backends/offers")
    assert "No other model server" in browser.words()


def test_the_sample_is_added_and_removed_by_one_press(browser: Browser) -> None:
    browser.open("/")
    browser.send("/first/sample", {})
    assert browser.path.startswith("/subforums/")
    assert "How an evening goes" in browser.words()
    browser.open("/")
    assert "The first evening" in browser.words()
    browser.send("/first/sample/removal", {})
    assert "An empty forum" in browser.words()
    assert "Sample" in browser.open("/trash").main.get_text()
    browser.open("/")
    browser.send("/first/sample", {})
    assert browser.status == 200


def test_a_sample_that_is_gone_cannot_be_removed_again(browser: Browser) -> None:
    browser.open("/")
    browser.send("/first/sample", {})
    browser.open("/")
    page = browser.page
    browser.send("/first/sample/removal", {})
    browser.page = page
    browser.send("/first/sample/removal", {})
    assert browser.status == 404


def test_the_steps_go_as_soon_as_somebody_was_asked(browser: Browser, sqlite_database: Database, now: datetime) -> None:
    world = make_world(sqlite_database, now)
    page = browser.open("/")
    assert page.select_one(".first__step--done")
    queue_request(sqlite_database, world, now)
    assert not browser.open("/").select(".first")


def test_the_first_page_costs_few_statements(
    browser: Browser, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    browser.open("/")
    assert count_queries(lambda: browser.open("/")) <= 30


def test_the_steps_stay_away_when_the_first_question_was_answered(
    browser: Browser, sqlite_database: Database, now: datetime
) -> None:
    world = make_world(sqlite_database, now)
    asked = queue_request(sqlite_database, world, now)
    with sqlite_database.transaction() as connection:
        table = metadata.tables["llm_requests"]
        connection.execute(table.update().where(table.c.id == asked.id).values(status="succeeded"))
    assert not browser.open("/").select(".first")


def test_the_sample_can_be_removed_after_somebody_was_asked(
    browser: Browser, sqlite_database: Database, now: datetime
) -> None:
    browser.open("/")
    browser.send("/first/sample", {})
    queue_request(sqlite_database, make_world(sqlite_database, now), now)
    page = browser.open("/")
    assert not page.select(".first")
    browser.send("/first/sample/removal", {})
    assert "Sample" in browser.open("/trash").main.get_text()
    assert "Remove the sample" not in browser.open("/").get_text()
