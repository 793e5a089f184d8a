"""A night that has been: replies, failures and a calling off, written directly."""

from datetime import datetime, timedelta
from typing import Any

from forllm_server.db import Database, metadata
from tests.support.world import LOCAL_USER, World, insert, queue_request

USAGE = {
    "prompt_tokens": 1000, "cached_tokens": 400, "completion_tokens": 200, "load_seconds": 0.0, "prompt_seconds": 2.0,
    "generation_seconds": 20.0,
}  # fmt: skip


def end_request(database: Database, world: World, at: datetime, status: str, **values: Any) -> int:
    """An LLM request that ended ``at``, after a minute of work; its id."""
    queued = queue_request(database, world, at - timedelta(hours=1), **values.pop("new", {}))
    requests = metadata.tables["llm_requests"]
    own = {"status": status, "started_at": at - timedelta(minutes=1), "finished_at": at} | values
    with database.transaction() as connection:
        connection.execute(requests.update().where(requests.c.id == queued.id).values(**own))
    return queued.id


def answer(database: Database, world: World, at: datetime, content: str = "ZFS, *of course*.", **values: Any) -> int:
    """A reply to the world's post (or to ``question_id``) that came ``at``; its post's id."""
    question_id = values.pop("question_id", world.post_id)
    topic_id = values.pop("topic_id", world.topic_id)
    name = values.pop("persona_name", "Assistant")
    usage = USAGE | values.pop("usage", {})
    request_id = end_request(database, world, at, "succeeded", usage=usage, output_tokens=200, **values)
    with database.transaction() as connection:
        post_id = insert(
            connection,
            "posts",
            topic_id=topic_id,
            parent_id=question_id,
            owner_id=LOCAL_USER,
            author_kind="persona",
            content=content,
            path=b"\x00\x00\x00\x01" + request_id.to_bytes(8, "big"),
            depth=1,
            created_at=at,
            llm_request_id=request_id,
            persona_version_id=1,
            persona_name=name,
            model_name="qwen3:8b",
            usage=usage,
        )
        requests = metadata.tables["llm_requests"]
        connection.execute(requests.update().where(requests.c.id == request_id).values(reply_post_id=post_id))
        topics = metadata.tables["topics"]
        connection.execute(
            topics.update()
            .where(topics.c.id == topic_id)
            .values(post_count=topics.c.post_count + 1, version=topics.c.version + 1, last_post_at=at)
        )
    return post_id


def open_topic(database: Database, world: World, at: datetime, title: str) -> tuple[int, int]:
    """Another topic of the world's subforum; (its id, that of its first post)."""
    with database.transaction() as connection:
        topic_id = insert(
            connection,
            "topics",
            subforum_id=world.subforum_id,
            owner_id=LOCAL_USER,
            kind="discussion",
            title=title,
            created_at=at,
            last_post_at=at,
            post_count=1,
            version=1,
        )
        post_id = insert(
            connection,
            "posts",
            topic_id=topic_id,
            owner_id=LOCAL_USER,
            author_kind="person",
            content="Why?",
            path=b"\x00\x00\x00\x00",
            depth=0,
            created_at=at,
        )
    return topic_id, post_id
