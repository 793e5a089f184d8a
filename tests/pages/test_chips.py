"""Calls in posts lead to the personas that they reach today."""

from collections.abc import Callable
from datetime import datetime

import pytest
from bs4 import Tag

from forllm_server.db import Database
from forllm_server.forum.editing import add_reply
from forllm_server.forum.subforums import add_subforum
from forllm_server.forum.topics import open_topic
from forllm_server.personas.editing import change_persona, create_persona, delete_persona
from tests.pages.conftest import Browser


@pytest.fixture
def careful(sqlite_database: Database, now: datetime) -> int:
    """A persona "Careful Skeptic" and a topic that calls it and somebody unknown; its id."""
    with sqlite_database.transaction() as connection:
        persona = create_persona(connection, owner_id=1, name="Careful Skeptic", instructions="Doubt.", now=now)
        add_subforum(connection, owner_id=1, name="Garden", now=now)
        text = 'Well, @careful-skeptic and @"Careful Skeptic" & @nobody <b>'
        _, root = open_topic(connection, owner_id=1, subforum_id=1, title="Roses", content=text, now=now)
        add_reply(connection, owner_id=1, parent_id=root.id, content="@careful-skeptic", now=now)
        return persona.id


def chips(browser: Browser) -> list[Tag]:
    return list(browser.open("/topics/1").main.find_all("a", class_="mention"))


def test_a_call_leads_to_its_persona_with_its_mark(browser: Browser, careful: int) -> None:
    found = chips(browser)
    assert [chip.get_text() for chip in found] == ["@careful-skeptic", '@"Careful Skeptic"', "@careful-skeptic"]
    assert {chip["href"] for chip in found} == {f"/personas/{careful}"}
    assert found[0].find("svg", class_="mark") is not None
    assert "@nobody <b>" in browser.words()


def test_renaming_and_deleting_leave_no_lie(
    browser: Browser, careful: int, sqlite_database: Database, now: datetime
) -> None:
    chips(browser)
    with sqlite_database.transaction() as connection:
        change_persona(connection, careful, editor_id=1, now=now, name="Doubter", instructions="Doubt.")
    assert {(chip["href"], chip["title"]) for chip in chips(browser)} == {
        (f"/personas/{careful}", "now called Doubter")
    }
    with sqlite_database.transaction() as connection:
        delete_persona(connection, careful, now)
    assert chips(browser) == []
    assert '@careful-skeptic and @"Careful Skeptic" & @nobody' in browser.words()


def test_many_calls_cost_no_more_statements_than_one(
    browser: Browser,
    careful: int,
    count_queries: Callable[[Callable[[], object]], int],
    sqlite_database: Database,
    now: datetime,
) -> None:
    first = count_queries(lambda: browser.open("/topics/1"))
    with sqlite_database.transaction() as connection:
        for _ in range(20):
            add_reply(connection, owner_id=1, parent_id=1, content="@careful-skeptic @nobody", now=now)
    assert count_queries(lambda: browser.open("/topics/1")) == first


def test_the_preview_shows_them_too(browser: Browser, careful: int) -> None:
    token = browser.open("/posts/1/reply").find("input", {"name": "csrf_token"})["value"]
    answer = browser.client.post("/preview", data={"content": "@careful-skeptic", "csrf_token": token})
    assert f'href="/personas/{careful}"' in answer.text
