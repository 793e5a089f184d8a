"""A small world to test in: a subforum, a topic with a first post, a model on a backend, and questions about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.db import Database, metadata
from forllm_server.queue.llm_request_store import insert_llm_request
from forllm_server.queue.model import Lane, LlmRequest, NewLlmRequest

LOCAL_USER = 1
BUILTIN_PERSONA = 1


@dataclass(frozen=True)
class World:
    """The ids of what was made."""

    subforum_id: int
    topic_id: int
    post_id: int
    backend_id: int
    model_id: int


def insert(connection: Connection, table: str, **values: Any) -> int:
    """Insert a row of any table; its id."""
    result = connection.execute(metadata.tables[table].insert().values(**values))
    return int(result.inserted_primary_key[0])


def make_world(database: Database, now: datetime, *, base_url: str = "", kind: str = "llama_cpp") -> World:
    """Rows written directly, so that a test of one room does not depend on the rules of another."""
    with database.transaction() as connection:
        subforum_id = insert(
            connection,
            "subforums",
            owner_id=LOCAL_USER,
            name="Homelab",
            name_key="homelab",
            description="",
            position=1,
            created_at=now,
        )
        topic_id = _insert_topic(connection, subforum_id, now)
        post_id = insert_post(connection, topic_id, now)
        backend_id = insert_backend(connection, now, base_url=base_url, kind=kind)
        model_id = insert_model(connection, backend_id, now)
    return World(subforum_id, topic_id, post_id, backend_id, model_id)


def insert_user(connection: Connection, now: datetime, *, name: str) -> int:
    """Another person who asks."""
    return insert(connection, "users", name=name, name_key=name.casefold(), created_at=now)


def insert_topic(connection: Connection, world: World, now: datetime) -> int:
    """One more topic, still without a post."""
    return _insert_topic(connection, world.subforum_id, now)


def _insert_topic(connection: Connection, subforum_id: int, now: datetime) -> int:
    return insert(
        connection,
        "topics",
        subforum_id=subforum_id,
        owner_id=LOCAL_USER,
        kind="discussion",
        title="ZFS or Btrfs?",
        created_at=now,
        last_post_at=now,
        post_count=1,
        version=1,
    )


def insert_post(connection: Connection, topic_id: int, now: datetime, *, number: int = 0) -> int:
    return insert(
        connection,
        "posts",
        topic_id=topic_id,
        owner_id=LOCAL_USER,
        author_kind="person",
        content="Which file system for two disks?",
        path=b"\x00" + number.to_bytes(3, "big"),
        depth=0,
        created_at=now,
    )


def insert_backend(
    connection: Connection,
    now: datetime,
    *,
    name: str = "Desk",
    base_url: str = "http://127.0.0.1:9",
    kind: str = "llama_cpp",
    concurrency: int = 1,
) -> int:
    return insert(
        connection,
        "backends",
        owner_id=LOCAL_USER,
        name=name,
        name_key=name.casefold(),
        kind=kind,
        base_url=base_url,
        concurrency=concurrency,
        is_enabled=True,
        options={},
        created_at=now,
    )


def insert_model(connection: Connection, backend_id: int, now: datetime, *, name: str = "qwen3:8b") -> int:
    return insert(
        connection,
        "models",
        backend_id=backend_id,
        name=name,
        label=name,
        context_tokens=4096,
        context_source="known",
        details={},
        is_available=True,
        first_seen_at=now,
        last_seen_at=now,
    )


def new_request(world: World, **changes: Any) -> NewLlmRequest:
    """A reply to the world's post by the built-in persona."""
    values: dict[str, Any] = {
        "owner_id": LOCAL_USER,
        "kind": "reply",
        "topic_id": world.topic_id,
        "post_id": world.post_id,
        "persona_id": BUILTIN_PERSONA,
        "persona_version_id": 1,
        "backend_id": world.backend_id,
        "model_id": world.model_id,
        "model_name": "qwen3:8b",
        "lane": Lane.NIGHT,
        "parameters": {"max_tokens": 100},
    }
    return NewLlmRequest(**(values | changes))


def queue_request(database: Database, world: World, now: datetime, **changes: Any) -> LlmRequest:
    """Queue one LLM request; consecutive calls give different answer numbers so that none is a double click."""
    with database.transaction() as connection:
        table = metadata.tables["llm_requests"]
        taken = len(connection.execute(table.select().with_only_columns(table.c.id)).all())
        inserted = insert_llm_request(connection, new_request(world, **({"answer_number": taken + 1} | changes)), now)
    assert inserted is not None
    return inserted
