"""Chains: LLM requests that answer the reply of another one, and wait until it is there.

A child waits (status ``waiting``, cause ``waits_for_answer``, without a time) until its parent ends. It is settled in
the transaction in which the parent ends, so that no kill can leave it behind: queued to answer the reply, or ended
like its parent. What ends a parent by another way is found by :func:`list_stranded`, every few seconds.

A parent is always older than its children, so the order of ids is also the order in which a family is locked.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, text, update

from forllm_server.db.types import Id, metadata
from forllm_server.queue.event_store import insert_events
from forllm_server.queue.model import Cause, Happening, Status
from forllm_server.queue.tables import llm_requests

_c = llm_requests.c
_NOT_BEGUN = (Status.WAITING.value, Status.HELD.value)
_ENDED = (Status.FAILED.value, Status.CANCELLED.value)
_CHILDREN = (
    select(_c.id, _c.status, _c.cause)
    .where(_c.parent_llm_request_id == bindparam("parent_id", type_=Id))
    .order_by(_c.id)
)
_FAMILY = (
    "WITH RECURSIVE above(id, parent_id) AS ("
    "SELECT id, parent_llm_request_id FROM llm_requests WHERE id IN :ids "
    "UNION SELECT r.id, r.parent_llm_request_id FROM llm_requests r JOIN above ON r.id = above.parent_id), "
    "family(id) AS (SELECT id FROM above "
    "UNION SELECT r.id FROM llm_requests r JOIN family ON r.parent_llm_request_id = family.id) "
    "SELECT id FROM llm_requests WHERE id IN (SELECT id FROM family) ORDER BY id"
)
_DESCENDANTS = text(
    "WITH RECURSIVE family(id) AS ("
    "SELECT id FROM llm_requests WHERE parent_llm_request_id = :parent_id "
    "UNION SELECT r.id FROM llm_requests r JOIN family ON r.parent_llm_request_id = family.id) "
    "SELECT id FROM family ORDER BY id"
)
_LOCK_FAMILY = {
    "sqlite": text(_FAMILY).bindparams(bindparam("ids", expanding=True)),
    "postgresql": text(f"{_FAMILY} FOR UPDATE").bindparams(bindparam("ids", expanding=True)),
}

#: What is said of a child when its parent ended without an answer.
UNANSWERED_WORDS: Mapping[Status, str] = {
    Status.FAILED: "Its question was not answered: the one before it in the chain failed. Retry to go on.",
    Status.CANCELLED: "Its question was not answered: the one before it in the chain was called off.",
}


def list_family_for_change(connection: Connection, llm_request_ids: Sequence[int]) -> list[int]:
    """Lock these requests with all that come before and after them in their chains, in the order of ids."""
    if not llm_request_ids:
        return []
    query = _LOCK_FAMILY[connection.dialect.name]
    return list(connection.execute(query, {"ids": list(llm_request_ids)}).scalars())


def update_children_of_answered(connection: Connection, parent_id: int, reply_post_id: int, now: datetime) -> None:
    """The parent's reply is there: its children are queued to answer it; one that is held stays held."""
    children = connection.execute(_CHILDREN, {"parent_id": parent_id}).all()
    if not children:
        return
    _change([row.id for row in children if row.status == Status.HELD.value], connection, {"post_id": reply_post_id})
    armed = [row.id for row in children if _waits(row) or _was_ended(row)]
    queued = _afresh(Status.QUEUED, None, now) | {"post_id": reply_post_id}
    _change(armed, connection, queued)
    insert_events(connection, armed, Happening.RELEASED, at=now, detail="What it answers is there.")
    for row in children:
        if _was_ended(row):
            update_descendants_to_waiting(connection, row.id, now)


def update_descendants_to_ended(connection: Connection, parent_id: int, status: Status, now: datetime) -> None:
    """The parent failed or was cancelled: so are all that wait for it, and those that wait for them."""
    detail = UNANSWERED_WORDS[status]
    values = {
        "status": status.value,
        "cause": Cause.QUESTION_UNANSWERED.value,
        "cause_detail": detail,
        "due_at": None,
        "finished_at": now,
    }
    ended = _change(_descendants(connection, parent_id), connection, values, _c.status.in_(_NOT_BEGUN))
    happening = Happening.FAILED if status is Status.FAILED else Happening.CANCELLED
    insert_events(connection, ended, happening, at=now, detail=detail)


def update_descendants_to_waiting(connection: Connection, parent_id: int, now: datetime) -> None:
    """The parent is tried again: all that ended with it wait for it again."""
    values = _afresh(Status.WAITING, Cause.WAITS_FOR_ANSWER, now)
    descendants = _descendants(connection, parent_id)
    waiting = _change(
        descendants, connection, values, _c.status.in_(_ENDED), _c.cause == Cause.QUESTION_UNANSWERED.value
    )
    insert_events(connection, waiting, Happening.RETRIED, at=now, detail="Waits for the one before it again.")


def update_descendants_lane(connection: Connection, parent_id: int, lane: str) -> None:
    """Those that wait for this one go to its lane with it; a place given by hand was one of the other lane."""
    values = {"lane": lane, "pinned": None}
    _change(_descendants(connection, parent_id), connection, values, _c.status.in_(_NOT_BEGUN))


_STRANDED = text(
    "SELECT c.id, c.topic_id, c.parent_llm_request_id AS parent_id, p.status, p.reply_post_id "
    "FROM llm_requests c LEFT JOIN llm_requests p ON p.id = c.parent_llm_request_id "
    "WHERE c.status = 'waiting' AND c.cause = 'waits_for_answer' "
    "AND (p.id IS NULL OR p.status IN ('succeeded', 'failed', 'cancelled')) ORDER BY c.id LIMIT 500"
)


def list_stranded(connection: Connection) -> list[Row[Any]]:
    """(id, topic_id, parent_id, the parent's status, its reply_post_id) of those that wait for what has ended."""
    return list(connection.execute(_STRANDED))


def find_link(
    connection: Connection, *, post_id: int, parent_llm_request_id: int | None, persona_id: int | None
) -> int | None:
    """The newest request that is this link of a chain already: alive, or answered by a reply that is there."""
    posts = metadata.tables["posts"].c
    is_answered = (_c.status == "succeeded") & _c.reply_post_id.in_(
        select(posts.id).where(posts.id == _c.reply_post_id, posts.deleted_at.is_(None))
    )
    query = (
        select(_c.id)
        .where(_c.kind == "reply", _c.persona_id == persona_id)
        .where(_c.status.in_(("queued", "waiting", "held", "running")) | is_answered)
        .order_by(_c.id.desc())
        .limit(1)
    )
    if parent_llm_request_id is None:
        query = query.where(_c.post_id == post_id, _c.parent_llm_request_id.is_(None))
    else:
        query = query.where(_c.parent_llm_request_id == parent_llm_request_id)
    return connection.execute(query).scalar_one_or_none()


def _waits(row: Row[Any, Any, Any]) -> bool:
    return bool(row.status == Status.WAITING.value and row.cause == Cause.WAITS_FOR_ANSWER.value)


def _was_ended(row: Row[Any, Any, Any]) -> bool:
    return row.status in _ENDED and bool(row.cause == Cause.QUESTION_UNANSWERED.value)


def _afresh(status: Status, cause: Cause | None, now: datetime) -> dict[str, Any]:
    return {
        "status": status.value,
        "cause": cause.value if cause else None,
        "cause_detail": None,
        "attempts": 0,
        "queued_at": now,
        "due_at": None,
        "finished_at": None,
        "is_cancel_requested": False,
    }


def _descendants(connection: Connection, parent_id: int) -> list[int]:
    return list(connection.execute(_DESCENDANTS, {"parent_id": parent_id}).scalars())


def _change(ids: Sequence[int], connection: Connection, values: Mapping[str, Any], *where: Any) -> list[int]:
    """Change these; the ids of those that were."""
    if not ids:
        return []
    query = update(llm_requests).where(_c.id.in_(ids), *where).values(**values).returning(_c.id)
    return sorted(connection.execute(query).scalars())
