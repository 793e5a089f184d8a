"""Personas by a model, in the pages: asked for, shown as foreign text, accepted, written again, dropped."""

from collections.abc import Callable

from forllm_server.clock import now
from forllm_server.db import Database
from forllm_server.personas.draft_model import DraftText
from forllm_server.personas.draft_store import get_draft, update_draft
from forllm_server.personas.drafting import write_draft_down
from tests.pages.conftest import Browser
from tests.support.world import World, make_world

TEXT = "You are a careful reader. <script>alert(2)</script> Ask for numbers."
EVIL = "<img src=x onerror=alert(1)> Rosa"


def ask(browser: Browser, **fields: str) -> None:
    browser.open("/personas/drafts/new")
    browser.send("/personas/drafts/new", {"description": "Somebody who knows disks."} | fields)


def write(database: Database, draft_id: int, name: str = "Rosa") -> None:
    with database.transaction() as connection:
        draft = get_draft(connection, draft_id)
        text = DraftText(name, "Asks <b>back</b>.", TEXT)
        write_draft_down(connection, draft, text, answer="word for word", model_name="qwen3:8b", now=now())


def world_of(database: Database) -> World:
    return make_world(database, now())


def test_what_is_asked_for_stands_in_the_queue_and_on_its_page(browser: Browser, sqlite_database: Database) -> None:
    world_of(sqlite_database)
    ask(browser)
    assert browser.path == "/personas/drafts/1"
    assert "step 1 of 2" in browser.words()
    assert browser.page.find(attrs={"data-unfinished": True})
    browser.open("/queue")
    assert "A persona by a model" in browser.words()
    assert "Somebody who knows disks." in browser.words()
    assert browser.page.find("a", href="/personas/drafts/1")
    browser.open("/queue/1")
    assert browser.page.find("a", string="the draft of the persona")
    assert browser.open("/personas").find("a", href="/personas/drafts")


def test_experts_for_a_subforum_are_asked_for_from_its_page(browser: Browser, sqlite_database: Database) -> None:
    world = world_of(sqlite_database)
    link = browser.open(f"/subforums/{world.subforum_id}/personas").find("a", string="Have a model write experts…")
    browser.open(link["href"])
    assert "Experts for Homelab" in browser.page.h1
    browser.send("/personas/drafts/new", {"count": "3"})
    assert "1 of 3" in browser.words()
    write(sqlite_database, 2)
    browser.open("/personas/drafts/2")
    browser.send("/personas/drafts/2/acceptance", {})
    assert "Rosa is there." in browser.text
    assert "Homelab" in browser.words()
    assert "qwen3:8b" in browser.words()
    browser.open("/personas/2/versions/1")
    assert browser.page.find("a", string="the draft and what was asked")


def test_a_form_that_cannot_be_taken_keeps_what_was_typed(browser: Browser, sqlite_database: Database) -> None:
    world_of(sqlite_database)
    ask(browser, description="")
    assert browser.status == 422
    assert "Describe the persona first" in browser.problem("description")
    ask(browser, description="x" * 100_000)
    assert "at most 8,000" in browser.problem("description")
    assert browser.page.find("textarea").get_text().strip() == "x" * 100_000
    for wrong in ("0", "11", "many"):
        ask(browser, count=wrong, name="Rosa")
        assert "1 to 10" in browser.problem("count")
        assert browser.page.find("input", attrs={"name": "name"})["value"] == "Rosa"


def test_a_models_text_is_shown_as_text_and_kept_in_a_wrong_form(browser: Browser, sqlite_database: Database) -> None:
    world_of(sqlite_database)
    ask(browser)
    write(sqlite_database, 1, EVIL)
    for path in ("/personas/drafts", "/personas/drafts/1", "/personas/drafts/1/regeneration"):
        browser.open(path)
        assert EVIL in browser.words() or browser.page.find("input", value=EVIL)
        assert not browser.page.find("img", src="x")
        assert "alert(2)" not in "".join(script.get_text() for script in browser.page.find_all("script"))
    browser.open("/personas/drafts/1")
    browser.send("/personas/drafts/1/acceptance", {"name": "Assistant", "instructions": "Mine now, all of it."})
    assert "taken" in browser.problem("name")
    assert browser.page.find("textarea").get_text().strip() == "Mine now, all of it."
    browser.send("/personas/drafts/1/acceptance", {"name": EVIL, "instructions": "Mine now, all of it."})
    assert not browser.page.find("img", src="x")
    assert "changed before it was accepted" in browser.words()


def test_a_draft_is_written_again_dropped_and_taken_back(browser: Browser, sqlite_database: Database) -> None:
    world_of(sqlite_database)
    ask(browser)
    write(sqlite_database, 1)
    with sqlite_database.transaction() as connection:
        update_draft(connection, 1, llm_request_id=None)
    browser.open("/personas/drafts/1/regeneration")
    browser.send("/personas/drafts/1/regeneration", {"remark": "Angrier."})
    assert browser.path == "/personas/drafts/2"
    assert "Angrier." in browser.words()
    browser.send("/personas/drafts/2/delete", {})
    assert "was dropped" in browser.text
    browser.send("/personas/drafts/2/restore", {})
    assert "cancelled" in browser.words()
    browser.open("/personas/drafts/1")
    assert browser.page.find("a", href="/personas/drafts/2")


def test_the_list_costs_the_same_of_one_and_of_ten(
    browser: Browser, sqlite_database: Database, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    world_of(sqlite_database)
    ask(browser)
    few = count_queries(lambda: browser.open("/personas/drafts"))
    ask(browser, count="10")
    assert count_queries(lambda: browser.open("/personas/drafts")) == few


def test_without_a_model_it_is_said(browser: Browser, sqlite_database: Database) -> None:
    with sqlite_database.transaction() as connection:
        connection.exec_driver_sql("UPDATE backends SET is_enabled = 0")
    ask(browser)
    assert "No model is there yet" in browser.problem("model_id")
