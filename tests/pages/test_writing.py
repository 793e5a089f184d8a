"""The preview and the estimate beside the editor."""

from datetime import datetime

from forllm_server.db import Database
from tests.pages.conftest import Browser
from tests.support.world import make_world


def ask(browser: Browser, path: str, **fields: str) -> str:
    token = browser.open("/subforums/new").find("input", attrs={"name": "csrf_token"})["value"]
    response = browser.client.post(path, data={"csrf_token": token, **fields})
    browser.status = response.status_code
    return response.get_data(as_text=True)


def test_the_preview_is_what_the_page_would_show(browser: Browser) -> None:
    assert "<strong>bold</strong>" in ask(browser, "/preview", content="**bold** <script>alert(1)</script>")
    assert "<script>" not in ask(browser, "/preview", content="<script>alert(1)</script>")
    assert "Nothing to show" in ask(browser, "/preview", content="  ")


def test_the_estimate_says_how_much_of_the_context_it_takes(
    browser: Browser, sqlite_database: Database, now: datetime
) -> None:
    world = make_world(sqlite_database, now)
    text = ask(browser, "/estimate", content="A question", parent_id=str(world.post_id))
    assert "of 4,096 tokens for Assistant on qwen3:8b" in text
    assert "<rect" in text


def test_a_text_that_does_not_fit_is_told_while_it_is_written(
    browser: Browser, sqlite_database: Database, now: datetime
) -> None:
    world = make_world(sqlite_database, now)
    text = ask(browser, "/estimate", content="word " * 20_000, parent_id=str(world.post_id))
    assert "do not fit" in text


def test_it_is_told_that_whoever_is_called_answers_in_place_of_the_default(
    browser: Browser, sqlite_database: Database, now: datetime
) -> None:
    fields = {"parent_id": str(make_world(sqlite_database, now).post_id), "is_asking": "1"}
    words = "answers in place of the default"
    assert words in ask(browser, "/estimate", content="@assistant why?", persona_id="", **fields)
    assert words not in ask(browser, "/estimate", content="@assistant why?", persona_id="1", **fields)
    assert words not in ask(browser, "/estimate", content="Why?", persona_id="", **fields)


def test_without_any_model_only_the_text_is_counted(browser: Browser) -> None:
    browser.open("/subforums/new")
    browser.send("/subforums/new", {"name": "Homelab"})
    assert "no model is there yet" in ask(browser, "/estimate", content="A question", subforum_id="1")


def test_a_post_without_the_forms_token_is_refused(browser: Browser) -> None:
    assert browser.client.post("/preview", data={"content": "x"}).status_code == 400
