"""What ended in a span of time: sums, stretches of work and replies. Reads the queue's and the forum's tables."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Integer, and_, case, exists, func, literal, select, union_all

from forllm_server.forum.tables import posts, subforums, topics
from forllm_server.morning.model import Reply, Stretch, Tally
from forllm_server.queue.llm_request_store import COLUMNS, from_row
from forllm_server.queue.model import LlmRequest, Status
from forllm_server.queue.tables import llm_requests

_c = llm_requests.c
#: Of a reply's text so much is read: enough for its first words.
BEGINNING_CHARACTERS = 600
#: A load that took less is a look-up of a model that was there already; in seconds.
_LOAD_SECONDS = 0.5


#: The index is by status first, which every question therefore names.
_HAS_ENDED = _c.status.in_([each.value for each in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)])


def _number(name: str) -> Any:
    return _c.usage[name].as_float()


def _sum(value: Any) -> Any:
    return func.coalesce(func.sum(value), 0)


def list_tallies(connection: Connection, start: datetime, end: datetime) -> list[Tally]:
    """Everything that ended from ``start`` until before ``end``, added up in the database."""
    written = func.coalesce(_number("completion_tokens"), _c.output_tokens)
    currency = _c.usage["currency"].as_string()
    own = (_c.kind, _c.status, _c.backend_id, _c.model_id, _c.model_name, currency)
    query = (
        select(
            *own,
            func.count(),
            _sum(_number("prompt_tokens")),
            _sum(case((_number("cached_tokens").is_not(None), _number("prompt_tokens")))),
            _sum(_number("cached_tokens")),
            _sum(written),
            _sum(case((_number("generation_seconds") > 0, written))),
            _sum(_number("generation_seconds")),
            _sum(case((_number("load_seconds") >= _LOAD_SECONDS, 1), else_=0)),
            _sum(_number("watt_hours")),
            func.count(_number("watt_hours")),
            _sum(case((_c.usage["is_energy_measured"].as_boolean(), 1), else_=0)),
            _sum(_number("cost")),
            func.count(_number("cost")),
        )
        .where(_HAS_ENDED, _c.finished_at >= start, _c.finished_at < end)
        .group_by(*own)
    )
    return [_tally(row) for row in connection.execute(query)]


def _tally(row: Any) -> Tally:
    kind, status, backend_id, model_id, model_name, currency, number, *sums = row
    whole = [int(value) for value in sums[:5]]
    seconds, loads, watt_hours, metered, measured, cost, priced = sums[5:]
    own = (kind, Status(status), backend_id, model_id, model_name, currency, number)
    energy = (float(watt_hours), int(metered), int(measured), float(cost), int(priced))
    members: tuple[Any, ...] = (*own, *whole, float(seconds), int(loads), *energy)
    return Tally(*members)


def list_stretches(connection: Connection, start: datetime, end: datetime, *, limit: int) -> list[Stretch]:
    """When models worked on what ended in that time, by its beginning."""
    query = (
        select(_c.backend_id, _c.model_id, _c.started_at, _c.finished_at)
        .where(_HAS_ENDED, _c.finished_at >= start, _c.finished_at < end, _c.started_at.is_not(None))
        .order_by(_c.started_at, _c.id)
        .limit(limit)
    )
    return [Stretch(*row) for row in connection.execute(query)]


def list_replies(connection: Connection, start: datetime, end: datetime, *, limit: int) -> list[Reply]:
    """The replies that came in that time and are still there, newest first."""
    older = posts.alias("older")
    had_reply = exists().where(
        older.c.parent_id == posts.c.parent_id, older.c.deleted_at.is_(None), older.c.created_at < start
    )
    is_there = and_(posts.c.deleted_at.is_(None), topics.c.deleted_at.is_(None), subforums.c.deleted_at.is_(None))
    query = (
        select(
            posts.c.id,
            posts.c.parent_id,
            topics.c.id,
            topics.c.title,
            subforums.c.id,
            subforums.c.name,
            posts.c.persona_name,
            posts.c.model_name,
            func.substr(posts.c.content, 1, BEGINNING_CHARACTERS),
            posts.c.is_partial,
            posts.c.created_at,
            had_reply,
        )
        .select_from(
            llm_requests.join(posts, posts.c.id == _c.reply_post_id)
            .join(topics, topics.c.id == posts.c.topic_id)
            .join(subforums, subforums.c.id == topics.c.subforum_id)
        )
        .where(_c.finished_at >= start, _c.finished_at < end, _c.status == Status.SUCCEEDED.value, is_there)
        .order_by(_c.finished_at.desc(), _c.id.desc())
        .limit(limit)
    )
    return [_reply(*row) for row in connection.execute(query)]


def _reply(post_id: int, question_id: int | None, *rest: Any) -> Reply:
    *topic, persona_name, model_name, beginning, is_partial, created_at, had_reply = rest
    names = (persona_name or "A persona", model_name or "")
    end = (beginning, bool(is_partial), created_at, not had_reply)
    members: tuple[Any, ...] = (post_id, question_id or 0, *topic, *names, *end)
    return Reply(*members)


def list_failed(connection: Connection, start: datetime, end: datetime, *, limit: int) -> list[LlmRequest]:
    """What failed in that time and still has, newest first."""
    query = (
        select(*COLUMNS)
        .where(_c.finished_at >= start, _c.finished_at < end, _c.status == Status.FAILED.value)
        .order_by(_c.finished_at.desc(), _c.id.desc())
        .limit(limit)
    )
    return [from_row(row) for row in connection.execute(query).mappings()]


def count_answered_by_day(
    connection: Connection, spans: Mapping[date, tuple[datetime, datetime]], *, most: int
) -> dict[date, int]:
    """How much was answered in each of these spans, counted up to ``most``: one statement, off the index alone."""
    if not spans:
        return {}
    moment = _c.finished_at.type
    days = list(spans)
    counts = []
    for number, (start, end) in enumerate(spans.values()):
        found = (
            select(_c.finished_at)
            .where(_c.finished_at >= literal(start, moment), _c.finished_at < literal(end, moment))
            .where(_c.status == Status.SUCCEEDED.value)
            .limit(most)
            .subquery(f"day_{number}")
        )
        counts.append(select(literal(number, Integer).label("number"), func.count().label("count")).select_from(found))
    rows = connection.execute(union_all(*counts))
    return {days[number]: count for number, count in rows if count}


def count_ended(connection: Connection, start: datetime, end: datetime) -> dict[Status, int]:
    """How much ended in that time, by how it ended."""
    query = (
        select(_c.status, func.count())
        .where(_HAS_ENDED, _c.finished_at >= start, _c.finished_at < end)
        .group_by(_c.status)
    )
    return {Status(status): number for status, number in connection.execute(query)}


def count_live(connection: Connection, *, leaving_out: Sequence[str]) -> dict[Status, int]:
    """How many requests are live, by status; those of the kinds ``leaving_out`` aside."""
    live = [status.value for status in (Status.QUEUED, Status.WAITING, Status.RUNNING)]
    query = select(_c.status, func.count()).where(_c.status.in_(live), _c.kind.not_in(leaving_out)).group_by(_c.status)
    return {Status(status): number for status, number in connection.execute(query)}
