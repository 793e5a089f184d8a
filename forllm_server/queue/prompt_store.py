"""The exact prompt of each LLM request, apart from the queue's rows: it is large and rarely read."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from forllm_server.db import metadata
from forllm_server.queue.model import Prompt
from forllm_server.queue.tables import llm_chunks, llm_prompts, llm_requests

_c = llm_prompts.c


def replace_prompt(
    connection: Connection,
    llm_request_id: int,
    *,
    layout: str,
    messages: Sequence[Mapping[str, Any]],
    breakdown: Mapping[str, Any],
    now: datetime,
    is_first: bool = False,
) -> None:
    """Keep the prompt of the newest run instead of that of an earlier one; ``is_first``: there is none."""
    if not is_first:
        connection.execute(delete(llm_prompts).where(_c.llm_request_id == llm_request_id))
    row = {
        "llm_request_id": llm_request_id,
        "layout": layout,
        "messages": [dict(message) for message in messages],
        "breakdown": dict(breakdown),
        "created_at": now,
    }
    connection.execute(_INSERT, row)


_INSERT = insert(llm_prompts)


def find_prompt(connection: Connection, llm_request_id: int) -> Prompt | None:
    row = connection.execute(select(llm_prompts).where(_c.llm_request_id == llm_request_id)).mappings().first()
    if row is None:
        return None
    return Prompt(llm_request_id, row["layout"], tuple(row["messages"]), row["breakdown"], row["created_at"])


def delete_texts(connection: Connection, llm_request_ids: Collection[int]) -> None:
    """Erase the prompts and partial texts of these requests."""
    ids = list(llm_request_ids)
    connection.execute(delete(llm_chunks).where(llm_chunks.c.llm_request_id.in_(ids)))
    connection.execute(delete(llm_prompts).where(_c.llm_request_id.in_(ids)))


def delete_texts_of_erased(connection: Connection) -> int:
    """Erase the prompts and partial texts of requests about posts and topics that were erased. Returns how many."""
    posts, topics = metadata.tables["posts"], metadata.tables["topics"]
    # One after the other, each from what was deleted: asked for with "or" the whole forum would be looked through.
    of_posts = select(llm_requests.c.id).join(posts, posts.c.id == llm_requests.c.post_id)
    of_topics = select(llm_requests.c.id).join(topics, topics.c.id == llm_requests.c.topic_id)
    gone = of_posts.where(posts.c.deleted_at.is_not(None), posts.c.content == "").union(
        of_topics.where(topics.c.deleted_at.is_not(None), topics.c.title == "")
    )
    connection.execute(delete(llm_chunks).where(llm_chunks.c.llm_request_id.in_(gone)))
    return connection.execute(delete(llm_prompts).where(_c.llm_request_id.in_(gone))).rowcount
