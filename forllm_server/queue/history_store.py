"""The history of the queue: all LLM requests, newest first, by what they were about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, Subquery, func, or_, select, union_all

from forllm_server.db import metadata
from forllm_server.queue.llm_request_store import COLUMNS, from_row
from forllm_server.queue.model import LlmRequest, Status
from forllm_server.queue.tables import llm_requests

#: A filter that finds little is not let look further than this at once; the next page goes on from there.
LOOKED_AT = 5_000

_c = llm_requests.c


@dataclass(frozen=True)
class HistoryFilter:
    """Which LLM requests; what is None or empty is not asked for. ``text``: in the question or the topic's title."""

    statuses: Sequence[Status] = field(default=())
    subforum_id: int | None = None
    topic_id: int | None = None
    post_id: int | None = None
    persona_id: int | None = None
    model_id: int | None = None
    text: str = ""


@dataclass(frozen=True)
class HistoryPage:
    """``next_id``: where the next page goes on (``before_id``); None when there is nothing older."""

    llm_requests: tuple[LlmRequest, ...]
    next_id: int | None


def list_history(
    connection: Connection, wanted: HistoryFilter, *, before_id: int | None = None, limit: int
) -> HistoryPage:
    """Those that fit, newest first, among the next :data:`LOOKED_AT`: so a page costs the same in any history.

    It may hold fewer than ``limit``, or none, and yet have a next page.
    """
    looked_at = _looked_at(wanted, before_id)
    rows = connection.execute(_fitting(wanted, looked_at).limit(limit + 1)).mappings()
    found = [from_row(row) for row in rows]
    if len(found) > limit:
        return HistoryPage(tuple(found[:limit]), found[limit - 1].id)
    number, oldest_id = connection.execute(select(func.count(), func.min(looked_at.c.id))).one()
    return HistoryPage(tuple(found), oldest_id if number == LOOKED_AT else None)


def _looked_at(wanted: HistoryFilter, before_id: int | None) -> Subquery:
    """The ids by what an index knows: state, topic or post."""
    query = select(_c.id).order_by(_c.id.desc()).limit(LOOKED_AT)
    if wanted.topic_id is not None:
        query = query.where(_c.topic_id == wanted.topic_id)
    if wanted.post_id is not None:
        query = query.where(_c.post_id == wanted.post_id)
    if before_id is not None:
        query = query.where(_c.id < before_id)
    if not wanted.statuses:
        return query.subquery("looked_at")
    # With several states at once SQLite would read all of history by id; each by itself is found by its index.
    parts = [query.where(_c.status == status.value).subquery() for status in dict.fromkeys(wanted.statuses)]
    every = union_all(*(select(part.c.id) for part in parts)).subquery()
    return select(every.c.id).order_by(every.c.id.desc()).limit(LOOKED_AT).subquery("looked_at")


def _fitting(wanted: HistoryFilter, looked_at: Subquery) -> Select[Any]:
    query = select(*COLUMNS).join(looked_at, looked_at.c.id == _c.id).order_by(_c.id.desc())
    if wanted.persona_id is not None:
        query = query.where(_c.persona_id == wanted.persona_id)
    if wanted.model_id is not None:
        query = query.where(_c.model_id == wanted.model_id)
    if wanted.subforum_id is None and not wanted.text:
        return query
    topics, posts = metadata.tables["topics"], metadata.tables["posts"]
    query = query.join(topics, topics.c.id == _c.topic_id)
    if wanted.subforum_id is not None:
        query = query.where(topics.c.subforum_id == wanted.subforum_id)
    if wanted.text:
        question = posts.c.content.icontains(wanted.text, autoescape=True)
        title = topics.c.title.icontains(wanted.text, autoescape=True)
        query = query.outerjoin(posts, posts.c.id == _c.post_id).where(or_(question, title))
        # What is in the trash is not found by its words.
        query = query.where(or_(posts.c.id.is_(None), posts.c.deleted_at.is_(None)))
    return query
