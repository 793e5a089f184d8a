"""Which earlier answers can be asked for again (reads the forum, its personas and ``llm_requests``, writes nothing)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, func, or_, select, text

from forllm_server.db.types import metadata
from forllm_server.experiments.model import Candidate, Narrowing

#: so many ids stand in one statement
_IDS_AT_ONCE = 1_000


def list_candidates(connection: Connection, narrowing: Narrowing, *, limit: int) -> list[Candidate]:
    """Of each question the newest answer that the narrowing leaves, in the order of the answers; at most ``limit``."""
    found: set[int] = set()
    for part in _parts(narrowing):
        found.update(connection.execute(_newest(part, limit)).scalars())
    # A question whose answers were named in two parts has come twice: its newest answer counts.
    ids = sorted(found)[:limit]
    candidates: dict[int, Candidate] = {}
    for start in range(0, len(ids), _IDS_AT_ONCE):
        for row in connection.execute(_described(ids[start : start + _IDS_AT_ONCE])):
            candidates[row.parent_id] = _candidate(row)
    return sorted(candidates.values(), key=lambda candidate: candidate.post_id)


def _parts(narrowing: Narrowing) -> list[tuple[Narrowing, Sequence[int] | None, Sequence[int] | None]]:
    """The narrowing with as many topics, or posts, as fit into a statement."""
    parts: list[tuple[Narrowing, Sequence[int] | None, Sequence[int] | None]] = []
    for topic_ids in _cut(narrowing.topic_ids):
        parts += [(narrowing, topic_ids, post_ids) for post_ids in _cut(narrowing.post_ids)]
    return parts


def _cut(ids: tuple[int, ...] | None) -> list[Sequence[int] | None]:
    if ids is None:
        return [None]
    return [ids[start : start + _IDS_AT_ONCE] for start in range(0, len(ids), _IDS_AT_ONCE)]


def _newest(part: tuple[Narrowing, Sequence[int] | None, Sequence[int] | None], limit: int) -> Select[Any]:
    narrowing, topic_ids, post_ids = part
    posts, topics, subforums = (metadata.tables[name] for name in ("posts", "topics", "subforums"))
    answer, question = posts.alias("answer"), posts.alias("question")
    steps = metadata.tables["discussion_steps"].c
    query = (
        select(func.max(answer.c.id))
        .select_from(answer)
        .join(question, question.c.id == answer.c.parent_id)
        .join(topics, topics.c.id == answer.c.topic_id)
        .join(subforums, subforums.c.id == topics.c.subforum_id)
        # Word for word the condition of the index of answers, so that either database sees that it applies.
        .where(text("answer.author_kind = 'persona' AND answer.deleted_at IS NULL AND NOT answer.is_partial"))
        .where(answer.c.persona_version_id.is_not(None), answer.c.model_name.is_not(None))
        # What was said in a debate or a council was asked for in another way than its thread shows.
        .where(~exists().where(steps.llm_request_id == answer.c.llm_request_id))
        .where(question.c.deleted_at.is_(None), topics.c.deleted_at.is_(None), subforums.c.deleted_at.is_(None))
        .group_by(answer.c.parent_id)
        .order_by(func.max(answer.c.id))
        .limit(limit)
    )
    if topic_ids is not None:
        query = query.where(answer.c.topic_id.in_(topic_ids))
    if post_ids is not None:
        query = query.where(or_(answer.c.id.in_(post_ids), answer.c.parent_id.in_(post_ids)))
    if narrowing.subforum_id is not None:
        query = query.where(topics.c.subforum_id == narrowing.subforum_id)
    if narrowing.tag_id is not None:
        tagged = metadata.tables["topic_tags"].c
        query = query.where(answer.c.topic_id.in_(select(tagged.topic_id).where(tagged.tag_id == narrowing.tag_id)))
    if narrowing.persona_version_id is not None:
        query = query.where(answer.c.persona_version_id == narrowing.persona_version_id)
    elif narrowing.persona_id is not None:
        versions = metadata.tables["persona_versions"].c
        own = select(versions.id).where(versions.persona_id == narrowing.persona_id)
        query = query.where(answer.c.persona_version_id.in_(own))
    return query


def _described(ids: Sequence[int]) -> Select[Any]:
    posts, requests = metadata.tables["posts"], metadata.tables["llm_requests"]
    versions, personas = metadata.tables["persona_versions"], metadata.tables["personas"]
    question = posts.alias("question")
    return (
        select(
            posts.c.id,
            posts.c.parent_id,
            posts.c.topic_id,
            posts.c.persona_version_id,
            posts.c.model_name,
            posts.c.usage,
            func.length(posts.c.content).label("characters"),
            func.length(question.c.content).label("question_characters"),
            versions.c.persona_id,
            personas.c.deleted_at.label("persona_deleted_at"),
            requests.c.model_id,
            requests.c.started_at,
            requests.c.finished_at,
        )
        .join(question, question.c.id == posts.c.parent_id)
        .join(versions, versions.c.id == posts.c.persona_version_id)
        .join(personas, personas.c.id == versions.c.persona_id)
        .outerjoin(requests, requests.c.id == posts.c.llm_request_id)
        .where(posts.c.id.in_(ids))
        .order_by(posts.c.id)
    )


def _candidate(row: Row[Any]) -> Candidate:
    return Candidate(
        post_id=row.id,
        question_id=row.parent_id,
        topic_id=row.topic_id,
        persona_id=row.persona_id,
        version_id=row.persona_version_id,
        is_persona_deleted=row.persona_deleted_at is not None,
        model_name=row.model_name,
        model_id=row.model_id,
        tokens=(row.usage or {}).get("completion_tokens"),
        seconds=_seconds(row.started_at, row.finished_at),
        characters=row.characters,
        question_characters=row.question_characters,
    )


def _seconds(started_at: datetime | None, finished_at: datetime | None) -> float | None:
    return (finished_at - started_at).total_seconds() if started_at and finished_at else None
