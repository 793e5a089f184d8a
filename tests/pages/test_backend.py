"""Backends: adding, testing, changing, disabling; a key is never shown."""

from datetime import datetime

import pytest

from forllm_server.db import Database
from tests.pages.conftest import Browser
from tests.support.world import insert_backend, insert_model, make_world, queue_request

#: Nothing listens there, so the probe is refused at once.
DEAD = "http://127.0.0.1:9"
DESK = {"kind": "llama_cpp", "name": "Desk", "base_url": DEAD, "concurrency": "1"}


def add(browser: Browser, **fields: str) -> None:
    browser.open("/backends/new")
    browser.send("/backends/new", DESK | fields)


def test_the_embedded_one_is_there_and_says_that_it_is_tiny(browser: Browser) -> None:
    browser.open("/backends")
    assert "Embedded" in browser.words()
    assert "tiny" in browser.words()
    assert browser.open("/backends/1").find("a", href="/backends/1/delete") is None


def test_a_new_backend_is_looked_at_at_once_and_its_fault_is_told(browser: Browser) -> None:
    add(browser)
    assert (browser.status, browser.path) == (200, "/backends/2")
    assert "does not answer" in browser.words()
    told = [notice.get_text(" ", strip=True) for notice in browser.page.select(".notice")]
    why = browser.client.get("/api/v1/backends/2").get_json()["probe"]["error"]
    assert [why in each for each in told].count(True) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("base_url", "not an address"), ("base_url", "ftp://x"), ("concurrency", "0"), ("kind", "other")],
)
def test_what_cannot_be_taken_is_named_and_the_rest_is_kept(browser: Browser, field: str, value: str) -> None:
    add(browser, **{field: value})
    assert browser.status == 422
    assert browser.page.find(attrs={"name": field, "aria-invalid": "true"})


def test_a_key_is_stored_but_on_no_page(browser: Browser) -> None:
    add(browser, api_key="sk-very-secret")
    assert "stored, not shown" in browser.words()
    for path in ("/backends", "/backends/2", "/backends/2/edit"):
        browser.open(path)
        assert "sk-very-secret" not in browser.text
    browser.send("/backends/2/edit", {"removes_api_key": "1"})
    assert "API key none" in browser.words()


def test_a_refused_form_does_not_give_the_key_back(browser: Browser) -> None:
    add(browser, name="", api_key="sk-very-secret")
    assert browser.status == 422
    assert "sk-very-secret" not in browser.text


def test_it_can_be_disabled_changed_and_deleted(browser: Browser) -> None:
    add(browser)
    browser.send("/backends/2/state", {}, button={"is_enabled": ""})
    assert "disabled" in browser.words()
    browser.open("/backends/2/edit")
    browser.send("/backends/2/edit", {"name": "Attic", "concurrency": "2"})
    assert browser.page.h1.get_text() == "Attic"
    browser.open("/backends/2/edit")
    browser.send("/backends/2/edit", {"option_context_tokens": "1"})
    assert browser.problem("option_context_tokens")
    browser.open("/backends/2/delete")
    browser.send("/backends/2/delete", {})
    assert "Attic was deleted" in browser.words()
    browser.open("/backends/2")
    assert browser.status == 404


def test_models_are_listed_with_their_context(browser: Browser, sqlite_database: Database, now: datetime) -> None:
    world = make_world(sqlite_database, now, base_url=DEAD)
    browser.open(f"/backends/{world.backend_id}")
    assert "qwen3:8b 4,096 tokens" in browser.words()


def test_a_taken_name_is_refused(browser: Browser) -> None:
    add(browser)
    add(browser, name="DESK")
    assert browser.status == 409
    assert browser.problem("name")


def test_one_that_work_waits_for_asks_what_shall_become_of_it(
    browser: Browser, sqlite_database: Database, now: datetime
) -> None:
    world = make_world(sqlite_database, now, base_url=DEAD)
    with sqlite_database.transaction() as connection:
        attic_id = insert_backend(connection, now, name="Attic")
        model_id = insert_model(connection, attic_id, now, name="gemma")
    queue_request(sqlite_database, world, now)
    queue_request(sqlite_database, world, now)
    address = f"/backends/{world.backend_id}/delete"
    browser.open(address)
    assert "2 LLM requests wait for it" in browser.words()
    browser.send(address, {})
    assert browser.status == 409
    assert "2 LLM requests wait" in browser.problem("move_to_model_id")
    browser.send(address, {"move_to_model_id": str(world.model_id)})
    assert "Choose one of another" in browser.problem("move_to_model_id")
    browser.send(address, {"move_to_model_id": str(model_id)})
    assert "2 requests given to the other model" in browser.text
    browser.open(f"/backends/{attic_id}/delete")
    browser.send(f"/backends/{attic_id}/delete", {"move_to_model_id": "cancel"})
    assert "2 requests cancelled" in browser.text
