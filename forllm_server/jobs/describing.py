"""What a hook's call says of the topic, the post, the batch or the LLM request that it is about, as they stand now."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from forllm_server.batches import batch_store
from forllm_server.errors import NotFound
from forllm_server.forum import post_store, topic_store
from forllm_server.forum.model import Post, Topic


def describe(connection: Connection, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Read when the call is made and not kept with it: what was deleted meanwhile is not handed on."""
    found: dict[str, Any] = {}
    if facts.get("topic_id"):
        topic = topic_store.find_topic(connection, facts["topic_id"])
        is_there = topic is not None and topic.deleted_at is None
        found["topic"] = _topic(topic) if topic is not None and is_there else None
    if facts.get("post_id"):
        is_withheld = found.get("topic") is None
        found["post"] = None if is_withheld else _find_post(connection, facts["post_id"])
    if facts.get("batch_id"):
        found["batch"] = _find_batch(connection, facts["batch_id"])
    return found


def _topic(topic: Topic) -> dict[str, Any]:
    return {
        "id": topic.id,
        "title": topic.title,
        "kind": topic.kind.value,
        "subforum_id": topic.subforum_id,
        "subforum_name": topic.subforum_name,
        "path": f"/topics/{topic.id}",
    }


def _find_post(connection: Connection, post_id: int) -> dict[str, Any] | None:
    try:
        return _post(post_store.get_post(connection, post_id))
    except NotFound:
        return None


def _post(post: Post) -> dict[str, Any]:
    return {
        "id": post.id,
        "topic_id": post.topic_id,
        "parent_id": post.parent_id,
        "author_kind": post.author_kind.value,
        "author": post.author_name,
        "model": post.model_name,
        "is_partial": post.is_partial,
        "is_deleted": post.is_deleted,
        # Empty once the post was deleted.
        "content": post.content,
        "created_at": post.created_at.isoformat(),
        "edited_at": post.edited_at.isoformat() if post.edited_at else None,
        "path": f"/posts/{post.id}",
    }


def _find_batch(connection: Connection, batch_id: int) -> dict[str, Any] | None:
    try:
        batch = batch_store.get_batch(connection, batch_id)
    except NotFound:
        return None
    return {
        "id": batch.id,
        "title": batch.title,
        "state": batch.state.value,
        "lines": batch.line_count,
        "asks": len(batch.asks),
        "path": f"/batches/{batch.id}",
    }
