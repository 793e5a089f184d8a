"""Lists cost the same number of statements however much they show."""

from collections.abc import Callable
from datetime import datetime

import pytest

from forllm_server.db import Database
from tests.pages.conftest import Browser
from tests.support.world import make_world

API = "/api/v1"


@pytest.fixture
def filled(browser: Browser, sqlite_database: Database, now: datetime) -> Browser:
    make_world(sqlite_database, now)
    for name in ("Skeptic", "Teacher", "Poet"):
        browser.client.post(f"{API}/personas", json={"name": name, "instructions": "x"})
    return browser


def add(browser: Browser) -> None:
    """One more of everything that is listed."""
    seats = [{"persona_id": each} for each in (2, 3, 4)]
    post_id = 1
    for content in ("Well?", "So?"):
        posted = browser.client.post(f"{API}/posts/{post_id}/replies", json={"content": content})
        post_id = posted.get_json()["id"]
    for path, body in (
        (f"/posts/{post_id}/discussions", {"kind": "council", "seats": seats, "closer": seats[0]}),
        (f"/posts/{post_id}/summaries", {"scope": "way"}),
        ("/persona-drafts", {"description": "Somebody"}),
    ):
        assert browser.client.post(API + path, json=body).status_code in (201, 202)


@pytest.mark.parametrize("path", ["/discussions", "/topics/1/summaries", "/personas/drafts"])
def test_many_cost_no_more_statements_than_one(
    filled: Browser, count_queries: Callable[[Callable[[], object]], int], path: str
) -> None:
    add(filled)
    first = count_queries(lambda: filled.client.get(path))
    add(filled)
    add(filled)
    assert count_queries(lambda: filled.client.get(path)) == first
