"""The exact prompt of each LLM request, apart from the queue's rows: it is large and rarely read."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text

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


# With CROSS JOIN SQLite keeps to the order of the tables: from what was erased, and not through the whole history.
# A run that began after a post was deleted was not shown it, if the prompt is its own and not one of a run before. One
# that is still to come has another prompt then.
_MAY_HAVE_HELD = (
    "llm_prompts.llm_request_id = llm_requests.id AND llm_requests.status IN ('succeeded', 'failed', 'cancelled') "
    "AND (llm_requests.started_at IS NULL OR llm_requests.started_at <= {}.deleted_at "
    "OR llm_prompts.created_at < llm_requests.started_at)"
)
# The prompt of an answer holds all that stands above it, and stood there before its branch was split off.
_DELETE_BELOW_ERASED = text(
    "WITH RECURSIVE below(id, deleted_at) AS ("
    "SELECT id, deleted_at FROM posts WHERE deleted_at IS NOT NULL AND content = '' "
    "UNION SELECT posts.id, below.deleted_at FROM posts JOIN below ON posts.parent_id = below.id) "
    "DELETE FROM llm_prompts WHERE llm_request_id IN ("
    "SELECT llm_requests.id FROM below CROSS JOIN llm_requests CROSS JOIN llm_prompts "
    f"WHERE llm_requests.post_id = below.id AND {_MAY_HAVE_HELD.format('below')} "
    "UNION SELECT llm_requests.id FROM below CROSS JOIN topics CROSS JOIN llm_requests CROSS JOIN llm_prompts "
    "WHERE topics.split_from_post_id = below.id AND llm_requests.topic_id = topics.id "
    f"AND {_MAY_HAVE_HELD.format('below')})"
)
# Summaries, experiments and rankings name no post, and who chairs a council reads what stands below the question: any
# of them may have held any post of their topic.
_OF_DISCUSSION = {
    "sqlite": "json_extract(llm_requests.input, '$.discussion_id') IS NOT NULL",
    "postgresql": "(llm_requests.input -> 'discussion_id') IS NOT NULL",
}
_DELETE_OF_TOPIC = {
    dialect: text(
        "DELETE FROM llm_prompts WHERE llm_request_id IN ("
        "SELECT llm_requests.id FROM posts CROSS JOIN llm_requests CROSS JOIN llm_prompts "
        "WHERE llm_requests.topic_id = posts.topic_id AND posts.deleted_at IS NOT NULL AND posts.content = '' "
        f"AND (llm_requests.post_id IS NULL OR {is_of_discussion}) AND {_MAY_HAVE_HELD.format('posts')})"
    )
    for dialect, is_of_discussion in _OF_DISCUSSION.items()
}
# Posts of other branches, which the account of a prompt names.
_BESIDE = {
    "sqlite": "json_each(llm_prompts.breakdown, '$.ambient_post_ids') AS beside",
    "postgresql": "LATERAL jsonb_array_elements_text(llm_prompts.breakdown -> 'ambient_post_ids') AS beside(value)",
}
_DELETE_BESIDE_ERASED = {
    dialect: text(
        "DELETE FROM llm_prompts WHERE llm_request_id IN ("
        "SELECT llm_prompts.llm_request_id FROM topics "
        f"CROSS JOIN llm_requests CROSS JOIN llm_prompts CROSS JOIN {beside} CROSS JOIN posts "
        "WHERE topics.id IN (SELECT topic_id FROM posts WHERE deleted_at IS NOT NULL AND content = '') "
        "AND llm_requests.topic_id = topics.id AND llm_prompts.llm_request_id = llm_requests.id "
        "AND llm_requests.status IN ('succeeded', 'failed', 'cancelled') "
        "AND posts.id = CAST(beside.value AS BIGINT) AND posts.deleted_at IS NOT NULL AND posts.content = '')"
    )
    for dialect, beside in _BESIDE.items()
}


def delete_texts_of_erased(connection: Connection) -> None:
    """Erase the prompts and partial texts of requests about posts and topics that were erased.

    Also, as far as they were begun before the post was deleted, the prompts of those about posts below them, split off
    or not, and of those in their topics that name no post or belong to a debate or a council; and all prompts that had
    it beside their thread.
    """
    posts, topics = metadata.tables["posts"], metadata.tables["topics"]
    # One after the other, each from what was deleted: asked for with "or" the whole forum would be looked through.
    of_posts = select(llm_requests.c.id).join(posts, posts.c.id == llm_requests.c.post_id)
    of_topics = select(llm_requests.c.id).join(topics, topics.c.id == llm_requests.c.topic_id)
    gone = of_posts.where(posts.c.deleted_at.is_not(None), posts.c.content == "").union(
        of_topics.where(topics.c.deleted_at.is_not(None), topics.c.title == "")
    )
    connection.execute(delete(llm_chunks).where(llm_chunks.c.llm_request_id.in_(gone)))
    connection.execute(delete(llm_prompts).where(_c.llm_request_id.in_(gone)))
    connection.execute(_DELETE_BELOW_ERASED)
    connection.execute(_DELETE_OF_TOPIC[connection.dialect.name])
    connection.execute(_DELETE_BESIDE_ERASED[connection.dialect.name])
