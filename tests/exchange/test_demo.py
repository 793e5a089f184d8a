"""The demo forum."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from forllm_server.db import Database
from forllm_server.errors import NotAllowed
from forllm_server.exchange.demo import MODEL_NAME, make_demo
from forllm_server.forum import post_store, subforum_store, topic_store
from forllm_server.forum.model import Post
from forllm_server.personas import persona_store, version_store
from forllm_server.queue import llm_request_store
from forllm_server.queue.model import LlmRequest, Status
from forllm_server.schedule import window_store
from tests.catalog.world import NOW, add_model
from tests.conftest import fill


def _posts(database: Database) -> list[Post]:
    with database.read() as connection:
        topics = topic_store.list_recent_topics(connection, limit=100)
        return [post for topic in topics for post in post_store.list_page(connection, topic.id, limit=100)]


def _requests(database: Database, status: Status) -> list[LlmRequest]:
    with database.read() as connection:
        return llm_request_store.list_llm_requests(connection, statuses=(status,), limit=100)


def _rows(database: Database, *tables: str) -> list[Any]:
    with database.read() as connection:
        return [
            tuple(row) for table in tables for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY id"))
        ]


def test_the_demo_is_a_small_forum_with_a_past(database: Database) -> None:
    make_demo(database, NOW)
    posts = _posts(database)
    with database.read() as connection:
        subforums = subforum_store.list_subforums(connection)
        personas = {persona.name: persona for persona in persona_store.list_personas(connection)}
        (window,) = window_store.list_windows(connection)
        versions = version_store.list_versions(connection, personas["Teacher"].id)
    assert [subforum.name for subforum in subforums] == ["Start here", "Homelab", "Code", "Reading"]
    assert all(subforum.topic_count >= 2 for subforum in subforums)
    assert sum(subforum.topic_count for subforum in subforums) == 12
    assert set(personas) == {"Assistant", "Skeptic", "Teacher", "Archivist"}
    assert len(versions) == 3
    assert (window.start_minute, window.end_minute, len(window.day_list)) == (22 * 60 + 30, 6 * 60, 7)
    assert max(post.depth for post in posts) >= 3
    assert all(post.created_at <= NOW for post in posts)
    assert min(post.created_at for post in posts) > NOW - timedelta(days=14)


def test_every_reply_of_a_persona_says_that_it_was_written_by_hand(database: Database) -> None:
    make_demo(database, NOW)
    replies = [post for post in _posts(database) if post.is_by_persona]
    done = {request.id: request for request in _requests(database, Status.SUCCEEDED)}
    assert len(replies) >= 10
    for reply in replies:
        assert reply.model_name == MODEL_NAME
        assert reply.usage is not None
        assert reply.usage["is_estimated"]
        request = done[reply.llm_request_id or 0]
        assert (request.reply_post_id, request.post_id) == (reply.id, reply.parent_id)
        assert request.created_at <= reply.created_at
    assert len(done) == len(replies)


def test_what_is_not_answered_waits_for_a_model_that_is_there(database: Database) -> None:
    with database.transaction() as connection:
        model = add_model(connection, 1, "smollm2")
    make_demo(database, NOW)
    queued = _requests(database, Status.QUEUED)
    assert len(queued) >= 6
    assert {(request.backend_id, request.model_id) for request in queued} == {(1, model.id)}
    assert [request.cause for request in _requests(database, Status.HELD)] == ["held"]
    assert {request.cause for request in _requests(database, Status.FAILED)} == {"prompt_too_long", "model_gone"}
    assert all(request.cause_detail for request in _requests(database, Status.FAILED))


def test_the_same_moment_makes_the_same_forum(sqlite_database: Database, tmp_path: Path) -> None:
    other = Database.at(tmp_path / "other.db")
    fill(other, tmp_path / "backups")
    for database in (sqlite_database, other):
        make_demo(database, NOW)
    tables = ("subforums", "topics", "posts", "personas", "persona_versions", "llm_requests", "schedule_windows")
    assert _rows(sqlite_database, *tables) == _rows(other, *tables)
    other.close()


def test_a_forum_in_use_is_left_alone(sqlite_database: Database) -> None:
    make_demo(sqlite_database, NOW)
    before = _rows(sqlite_database, "posts", "llm_requests")
    with pytest.raises(NotAllowed):
        make_demo(sqlite_database, NOW)
    assert _rows(sqlite_database, "posts", "llm_requests") == before
