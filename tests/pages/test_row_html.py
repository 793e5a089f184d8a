"""Rows are kept, and never older than what they show."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from forllm_server.clock import now
from forllm_server.db import Database, metadata
from forllm_server.forum.editing import edit_post
from forllm_server.forum.subforums import add_subforum
from forllm_server.forum.topics import open_topic
from forllm_server.pages.row_html import _LONGEST_KEPT, _kept
from forllm_server.settings.values import change_settings
from tests.pages.conftest import Browser

_EVENING = datetime(2026, 3, 4, 21, 48, tzinfo=UTC)


@pytest.fixture
def topic_path(sqlite_database: Database) -> str:
    with time_machine.travel(_EVENING, tick=False), sqlite_database.transaction() as connection:
        subforum = add_subforum(connection, owner_id=1, name="Rows", description="", now=now())
        text = "A [link](https://example.org/x) out."
        topic, _ = open_topic(connection, owner_id=1, subforum_id=subforum.id, title="Rows", content=text, now=now())
    return f"/topics/{topic.id}"


def test_a_row_is_written_once_as_long_as_nothing_changes(browser: Browser, topic_path: str) -> None:
    first = str(browser.open(topic_path).select_one("article.post"))
    before = _kept.cache_info()
    assert str(browser.open(topic_path).select_one("article.post")) == first
    after = _kept.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)


def test_a_changed_text_setting_or_day_is_shown_at_once(
    browser: Browser, sqlite_database: Database, topic_path: str
) -> None:
    with time_machine.travel(_EVENING + timedelta(minutes=1), tick=False):
        row = browser.open(topic_path).select_one("article.post")
        assert row is not None
        assert row.time is not None
        assert row.time.get_text() == "21:48"
        assert "/departure?to=" in str(row)
        with sqlite_database.transaction() as connection:
            change_settings(connection, {"shows_link_warning": False}, now())
        assert "/departure?to=" not in str(browser.open(topic_path).select_one("article.post"))
        with sqlite_database.transaction() as connection:
            edit_post(connection, 1, content="Other words.", editor_id=1, now=now())
        assert "Other words." in str(browser.open(topic_path).select_one("article.post"))
    with time_machine.travel(_EVENING + timedelta(days=1), tick=False):
        row = browser.open(topic_path).select_one("article.post")
        assert row is not None
        assert row.time is not None
        assert row.time.get_text() == "yesterday 21:48"


def test_a_row_with_a_long_thought_is_not_kept(browser: Browser, sqlite_database: Database, topic_path: str) -> None:
    with sqlite_database.transaction() as connection:
        connection.execute(metadata.tables["posts"].update().values(thinking="Hm. " * _LONGEST_KEPT))
    before = _kept.cache_info().misses
    assert browser.open(topic_path).select_one("article.post details") is not None
    assert _kept.cache_info().misses == before
