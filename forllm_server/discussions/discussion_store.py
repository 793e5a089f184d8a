"""Rows of ``discussions`` and ``discussion_steps``; how a step stands is joined from its LLM request."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, text, update

from forllm_server.db.among import among
from forllm_server.db.types import metadata
from forllm_server.discussions.model import Discussion, Ending, Kind, Limits, NewDiscussion, Part, Seat, Step, StepKind
from forllm_server.discussions.tables import discussion_steps, discussions
from forllm_server.errors import NotFound
from forllm_server.queue.model import Status

_c = discussions.c
_s = discussion_steps.c
_BIGGEST_ID = 2**63 - 1


def insert_discussion(connection: Connection, new: NewDiscussion, now: datetime) -> Discussion:
    """Add a discussion of which nothing is asked yet."""
    values = {
        "owner_id": new.owner_id,
        "kind": new.kind.value,
        "post_id": new.post_id,
        "group_id": new.group_id,
        "seats": [seat.as_dict() for seat in new.seats],
        "closer": [new.closer.as_dict()] if new.closer else [],
        "motion": new.motion,
        "most_turns": new.limits.turns,
        "most_tokens": new.limits.tokens,
        "most_minutes": new.limits.minutes,
        "is_run_now": new.is_run_now,
        "seed": new.seed,
        "created_at": now,
    }
    discussion_id = connection.execute(insert(discussions).values(values).returning(_c.id)).scalar_one()
    return get_discussion(connection, discussion_id)


def get_discussion(connection: Connection, discussion_id: int) -> Discussion:
    """The discussion, or NotFound."""
    return _existing(connection.execute(_select().where(_c.id == discussion_id)).one_or_none())


def get_discussion_to_change(connection: Connection, discussion_id: int) -> Discussion:
    """Like :func:`get_discussion`, and nobody else changes it before this transaction ends."""
    connection.execute(select(_c.id).where(_c.id == discussion_id).with_for_update())
    # Read by a statement of its own: it sees what whoever held the row before has written.
    return get_discussion(connection, discussion_id)


def find_discussion_of_group(connection: Connection, group_id: str) -> Discussion | None:
    """The one that was begun under this name."""
    row = connection.execute(_select().where(_c.group_id == group_id)).one_or_none()
    return _discussion(row) if row else None


def list_discussions(
    connection: Connection, *, before_id: int | None = None, kind: Kind | None = None, limit: int
) -> list[Discussion]:
    """The newest first, those with an id below ``before_id``, perhaps only of one kind."""
    query = _select().order_by(_c.id.desc()).limit(limit)
    if kind is not None:
        query = query.where(_c.kind == kind.value)
    if before_id is not None:
        query = query.where(_c.id < before_id)
    return [_discussion(row) for row in connection.execute(query)]


# Discussions are few and posts many: with CROSS JOIN SQLite keeps to the order of the tables.
_OF_TOPIC = text(
    "SELECT discussions.id FROM discussions CROSS JOIN posts "
    "WHERE posts.id = discussions.post_id AND posts.topic_id = :topic_id AND discussions.id < :before_id "
    "ORDER BY discussions.id DESC LIMIT :most"
)


def list_discussions_of_topic(
    connection: Connection, topic_id: int, *, before_id: int | None = None, limit: int
) -> list[Discussion]:
    """The newest first, those with an id below ``before_id``."""
    bound = {"topic_id": topic_id, "before_id": _BIGGEST_ID if before_id is None else before_id, "most": limit}
    ids = list(connection.execute(_OF_TOPIC, bound).scalars())
    if not ids:
        return []
    rows = connection.execute(_select().where(_c.id.in_(ids)).order_by(_c.id.desc()))
    return [_discussion(row) for row in rows]


def list_open_ids(connection: Connection) -> list[int]:
    """Those that have not ended, the oldest first."""
    return list(connection.execute(select(_c.id).where(text("ended_at IS NULL")).order_by(_c.id)).scalars())


def update_ending(
    connection: Connection, discussion_id: int, ending: Ending, *, detail: str = "", ended_at: datetime | None
) -> None:
    """Keep why nothing more is asked; without ``ended_at`` it is still to be summed up."""
    values = {"ending": ending.value, "ending_detail": detail, "ended_at": ended_at}
    connection.execute(update(discussions).where(_c.id == discussion_id).values(values))


def insert_step(
    connection: Connection,
    discussion_id: int,
    *,
    kind: StepKind,
    seat: int,
    attempt: int,
    llm_request_id: int,
    shown: Collection[int] = (),
) -> None:
    """Add the next step. The caller holds the discussion."""
    last = select(func.coalesce(func.max(_s.number), 0)).where(_s.discussion_id == discussion_id)
    values = {
        "discussion_id": discussion_id,
        "number": connection.execute(last).scalar_one() + 1,
        "kind": kind.value,
        "seat": seat,
        "attempt": attempt,
        "llm_request_id": llm_request_id,
        "shown": list(shown),
        "ranked": [],
    }
    connection.execute(insert(discussion_steps).values(values))


def update_ranked(connection: Connection, llm_request_id: int, ranked: Collection[int] | None, reason: str) -> None:
    """Keep how a model ranked the answers, or why what it said is no ranking."""
    values = {"ranked": list(ranked or ()), "reason": reason}
    connection.execute(update(discussion_steps).where(_s.llm_request_id == llm_request_id).values(values))


def list_steps(connection: Connection, discussion_id: int) -> list[Step]:
    """All that was asked, in its order, as it stands now."""
    rows = connection.execute(_steps().where(_s.discussion_id == discussion_id))
    return [_step(row) for row in rows]


def list_steps_of(connection: Connection, discussion_ids: Collection[int]) -> Mapping[int, list[Step]]:
    """The same of several discussions, in one statement."""
    found: dict[int, list[Step]] = {discussion_id: [] for discussion_id in discussion_ids}
    if found:
        for row in connection.execute(_steps().where(_s.discussion_id.in_(list(found)))):
            found[row.discussion_id].append(_step(row))
    return found


def list_parts(connection: Connection, llm_request_ids: Collection[int]) -> Mapping[int, Part]:
    """Which of these LLM requests are part of a discussion, by their ids. One statement where none is."""
    query = select(_s.discussion_id).where(among(_s.llm_request_id, "ids")).distinct()
    ids = list(connection.execute(query, {"ids": list(llm_request_ids)}).scalars()) if llm_request_ids else []
    if not ids:
        return {}
    wanted = set(llm_request_ids)
    by_id = {row.id: _discussion(row) for row in connection.execute(_select().where(_c.id.in_(ids)))}
    return {
        step.llm_request_id: Part(by_id[discussion_id], step, tuple(steps))
        for discussion_id, steps in list_steps_of(connection, ids).items()
        for step in steps
        if step.llm_request_id in wanted
    }


def _steps() -> Select[Any]:
    requests, posts = metadata.tables["llm_requests"], metadata.tables["posts"]
    r = requests.c
    return (
        select(
            *(_s.discussion_id, _s.number, _s.kind, _s.seat, _s.attempt, _s.llm_request_id, _s.shown, _s.ranked),
            *(_s.reason, r.status, r.reply_post_id, r.output_tokens, r.started_at, r.finished_at, r.cause_detail),
            (posts.c.id.is_not(None) & posts.c.deleted_at.is_(None)).label("is_post_there"),
        )
        .select_from(discussion_steps)
        .join(requests, r.id == _s.llm_request_id, isouter=True)
        .join(posts, posts.c.id == r.reply_post_id, isouter=True)
        .order_by(_s.discussion_id, _s.number)
    )


def _step(row: Row[Any]) -> Step:
    is_over = row.started_at is not None and row.finished_at is not None
    return Step(
        number=row.number,
        kind=StepKind(row.kind),
        seat=row.seat,
        attempt=row.attempt,
        llm_request_id=row.llm_request_id,
        shown=tuple(row.shown),
        ranked=tuple(row.ranked) or None,
        reason=row.reason,
        status=Status(row.status) if row.status else None,
        post_id=row.reply_post_id,
        is_post_there=bool(row.is_post_there),
        output_tokens=row.output_tokens or 0,
        seconds=max((row.finished_at - row.started_at).total_seconds(), 0.0) if is_over else 0.0,
        detail=row.cause_detail or "",
    )


def _select() -> Select[Any]:
    posts = metadata.tables["posts"]
    return select(discussions, posts.c.topic_id).join(posts, posts.c.id == _c.post_id, isouter=True)


def _existing(row: Row[Any] | None) -> Discussion:
    if row is None:
        raise NotFound("There is no such debate or council.")
    return _discussion(row)


def _discussion(row: Row[Any]) -> Discussion:
    return Discussion(
        owner_id=row.owner_id,
        kind=Kind(row.kind),
        post_id=row.post_id,
        group_id=row.group_id,
        seats=tuple(Seat.of(each) for each in row.seats),
        closer=Seat.of(row.closer[0]) if row.closer else None,
        motion=row.motion,
        limits=Limits(row.most_turns, row.most_tokens, row.most_minutes),
        is_run_now=bool(row.is_run_now),
        seed=row.seed,
        id=row.id,
        topic_id=row.topic_id,
        created_at=row.created_at,
        ending=Ending(row.ending) if row.ending else None,
        ending_detail=row.ending_detail,
        ended_at=row.ended_at,
    )
