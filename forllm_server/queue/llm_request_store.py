"""Reading and adding LLM requests. What a worker writes under its lease is in :mod:`lease_store`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Integer, RowMapping, Select, bindparam, case, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from forllm_server import clock
from forllm_server.db import metadata
from forllm_server.db.among import among
from forllm_server.db.types import Id
from forllm_server.errors import Conflict, NotFound
from forllm_server.queue import chain_store, plan_store
from forllm_server.queue.event_store import insert_event, insert_events, insert_queued_events
from forllm_server.queue.model import LIVE, Cause, Happening, Lane, LlmRequest, NewLlmRequest, Status
from forllm_server.queue.plan import LONGEST_PLAN
from forllm_server.queue.tables import ORDER_IN_LINE, llm_requests
from forllm_server.queue.version_store import bump_versions

_c = llm_requests.c
COLUMNS = tuple(_c)
LIVE_VALUES = tuple(status.value for status in LIVE)


def from_row(row: RowMapping) -> LlmRequest:
    """A dataclass from a row of ``llm_requests``."""
    values = dict(row)
    values["status"] = Status(values["status"])
    values["lane"] = Lane(values["lane"])
    values["cause"] = Cause(values["cause"]) if values["cause"] else None
    return LlmRequest(**values)


def get_llm_request(connection: Connection, llm_request_id: int) -> LlmRequest:
    found = find_llm_request(connection, llm_request_id)
    if found is None:
        raise NotFound(f"There is no LLM request {llm_request_id}.")
    return found


def find_llm_request(connection: Connection, llm_request_id: int) -> LlmRequest | None:
    row = connection.execute(select(*COLUMNS).where(_c.id == llm_request_id)).mappings().first()
    return from_row(row) if row else None


def find_live_twin(connection: Connection, new: NewLlmRequest) -> LlmRequest | None:
    """The live LLM request that asks the same thing, if there is one."""
    row = (
        connection.execute(
            select(*COLUMNS).where(
                _c.kind == new.kind,
                _c.post_id == new.post_id,
                func.coalesce(_c.persona_id, 0) == (new.persona_id or 0),
                func.coalesce(_c.model_id, 0) == (new.model_id or 0),
                _c.answer_number == new.answer_number,
                func.coalesce(_c.parent_llm_request_id, 0) == (new.parent_llm_request_id or 0),
                _c.status.in_(LIVE_VALUES),
            )
        )
        .mappings()
        .first()
    )
    return from_row(row) if row else None


_COUNT_ANSWERS = select(func.coalesce(func.max(_c.answer_number), 0)).where(
    _c.post_id == bindparam("post_id", type_=Id),
    func.coalesce(_c.persona_id, 0) == bindparam("persona_id", type_=Id),
    func.coalesce(_c.model_id, 0) == bindparam("model_id", type_=Id),
)


def count_answers(connection: Connection, *, post_id: int, persona_id: int | None, model_id: int | None) -> int:
    """How many times this post was asked of this persona and model, in whatever state: numbers "another answer"."""
    named = {"post_id": post_id, "persona_id": persona_id or 0, "model_id": model_id or 0}
    number: int = connection.execute(_COUNT_ANSWERS, named).scalar_one()
    return number


# Built once: putting such a statement together takes longer than executing it. What names a live request comes back
# with its id, because the rows of many come in any order, and those that were there already not at all.
_NAMED = (_c.id, _c.kind, _c.post_id, _c.persona_id, _c.model_id, _c.answer_number, _c.parent_llm_request_id)
_INSERT_ONCE: dict[str, Any] = {
    "sqlite": sqlite.insert(llm_requests).on_conflict_do_nothing().returning(*_NAMED),
    "postgresql": postgresql.insert(llm_requests).on_conflict_do_nothing().returning(*_NAMED),
}


def insert_llm_request(connection: Connection, new: NewLlmRequest, now: datetime) -> LlmRequest | None:
    """Add one LLM request; None when its live twin is there already (the double click)."""
    row = connection.execute(_INSERT_ONCE[connection.dialect.name], _values(new, now)).first()
    if row is None:
        return None
    bump_versions(connection, new.topic_id)
    insert_event(connection, row[0], Happening.QUEUED, at=now)
    return _made(row[0], new, now)


def insert_new_llm_requests(
    connection: Connection, news: Sequence[NewLlmRequest], now: datetime
) -> list[LlmRequest | None]:
    """Add many at once; in their order, None for each whose live twin is there already, or came before it here."""
    rows = connection.execute(_INSERT_ONCE[connection.dialect.name], [_values(new, now) for new in news])
    ids = {tuple(row[1:]): row[0] for row in rows}
    for topic_id in sorted({new.topic_id for new in news if new.topic_id is not None}):
        bump_versions(connection, topic_id)
    insert_events(connection, sorted(ids.values()), Happening.QUEUED, at=now)
    made: list[LlmRequest | None] = []
    for new in news:
        named = (
            new.kind,
            new.post_id,
            new.persona_id,
            new.model_id,
            new.answer_number,
            new.parent_llm_request_id,
        )
        llm_request_id = ids.pop(named, None)
        made.append(None if llm_request_id is None else _made(llm_request_id, new, now))
    return made


def _made(llm_request_id: int, new: NewLlmRequest, now: datetime) -> LlmRequest:
    """The row that was just inserted, without reading it back: decoding it costs as much as writing it."""
    values = _values(new, now) | {"status": new.status, "lane": new.lane, "cause": new.cause}
    return LlmRequest(id=llm_request_id, **values, **_UNTOUCHED)


#: What nothing has happened to yet.
_UNTOUCHED: dict[str, Any] = {
    "due_at": None,
    "started_at": None,
    "first_token_at": None,
    "finished_at": None,
    "attempts": 0,
    "run": 0,
    "lease_token": None,
    "lease_until": None,
    "worker": None,
    "is_cancel_requested": False,
    "cause_detail": None,
    "output_tokens": 0,
    "usage": None,
    "finish_reason": None,
    "reply_post_id": None,
}


def insert_llm_requests(connection: Connection, news: Sequence[NewLlmRequest], now: datetime) -> None:
    """Add many LLM requests in one go. Their twins are not looked for: the caller's requests are all new."""
    last_id = connection.execute(_LAST_ID).scalar_one()
    connection.execute(insert(llm_requests), [_values(new, now) for new in news])
    insert_queued_events(connection, after_id=last_id)
    for topic_id in sorted({new.topic_id for new in news if new.topic_id is not None}):
        bump_versions(connection, topic_id)


_LAST_ID = select(func.coalesce(func.max(_c.id), 0))


def _values(new: NewLlmRequest, now: datetime) -> dict[str, Any]:
    return {
        "owner_id": new.owner_id,
        "kind": new.kind,
        "status": new.status.value,
        "lane": new.lane.value,
        "priority": new.priority,
        "topic_id": new.topic_id,
        "post_id": new.post_id,
        "persona_id": new.persona_id,
        "persona_version_id": new.persona_version_id,
        "backend_id": new.backend_id,
        "model_id": new.model_id,
        "model_name": new.model_name,
        "parameters": dict(new.parameters),
        "answer_number": new.answer_number,
        "input": dict(new.input),
        "created_at": now,
        "queued_at": now,
        "max_attempts": new.max_attempts,
        "cause": new.cause.value if new.cause else None,
        "parent_llm_request_id": new.parent_llm_request_id,
        "group_id": new.group_id,
    }


def list_llm_requests(
    connection: Connection,
    *,
    statuses: Sequence[Status] = (),
    topic_id: int | None = None,
    post_id: int | None = None,
    before_id: int | None = None,
    limit: int,
) -> list[LlmRequest]:
    """Newest first, by keyset: those with an id below ``before_id``."""
    if len(statuses) > 1 and topic_id is None and post_id is None:
        # With several at once SQLite reads all of history by id; each by itself is found by its index.
        found = [
            request
            for status in dict.fromkeys(statuses)
            for request in list_llm_requests(connection, statuses=[status], before_id=before_id, limit=limit)
        ]
        return sorted(found, key=lambda request: request.id, reverse=True)[:limit]
    query = select(*COLUMNS).order_by(_c.id.desc()).limit(limit)
    if statuses:
        query = query.where(_c.status.in_([status.value for status in statuses]))
    if topic_id is not None:
        query = query.where(_c.topic_id == topic_id)
    if post_id is not None:
        query = query.where(_c.post_id == post_id)
    if before_id is not None:
        query = query.where(_c.id < before_id)
    return _all(connection, query)


def list_by_ids(connection: Connection, llm_request_ids: Collection[int]) -> dict[int, LlmRequest]:
    """Those of these LLM requests that exist, by id."""
    if not llm_request_ids:
        return {}
    return {each.id: each for each in _all(connection, select(*COLUMNS).where(_c.id.in_(llm_request_ids)))}


def count_like_first(connection: Connection, llm_request_ids: Collection[int]) -> dict[int, int]:
    """Of those of these LLM requests that wait to be served, the first of each backend and lane, and how many."""
    if not llm_request_ids:
        return {}
    waits = among(_c.id, "ids"), _c.status.in_((Status.QUEUED, Status.WAITING))
    query = select(func.min(_c.id), func.count()).where(*waits).group_by(_c.backend_id, _c.lane, _c.status, _c.cause)
    return {row[0]: row[1] for row in connection.execute(query.order_by(func.min(_c.id)), {"ids": llm_request_ids})}


def list_group(connection: Connection, group_id: str) -> list[LlmRequest]:
    """What was asked together, in the order of asking."""
    return _all(connection, select(*COLUMNS).where(_c.group_id == group_id).order_by(_c.id))


def list_unanswered_of_posts(
    connection: Connection, topic_id: int, post_ids: Sequence[int], *, limit: int = 500
) -> list[LlmRequest]:
    """What stands in a thread beside its posts: live, failed and cancelled requests asked about ``post_ids``."""
    rows = connection.execute(_UNANSWERED, {"topic": topic_id, "posts": post_ids, "most": limit})
    return [from_row(row) for row in rows.mappings()]


def list_plan(connection: Connection, *, limit: int) -> list[LlmRequest]:
    """What is running and what comes next, in the order of the claim."""
    rank = case((_c.status == "running", 0), (_c.status == "queued", 1), (_c.status == "waiting", 2), else_=3)
    query = select(*COLUMNS).where(_c.status.in_(LIVE_VALUES)).order_by(rank, *ORDER_IN_LINE).limit(limit)
    return _all(connection, query)


def list_positions(connection: Connection, *, limit: int = LONGEST_PLAN) -> dict[int, int]:
    """The place in line (1 = next) of the queued requests of all backends now; see :mod:`plan_store`."""
    return plan_store.list_positions(connection, clock.now(), limit=limit)


def count_by_status(connection: Connection) -> dict[Status, int]:
    """How many requests are in each live state, and how many failed. What succeeded is history and is not counted."""
    return {Status(status): number for status, number in connection.execute(_COUNTS)}


# Built once: these are asked with every page.
_COUNTS = select(_c.status, func.count()).where(_c.status.in_((*LIVE_VALUES, "failed"))).group_by(_c.status)
_UNANSWERED = (
    select(*COLUMNS)
    .where(
        _c.topic_id == bindparam("topic", type_=Id),
        _c.status != "succeeded",
        among(_c.post_id, "posts"),
    )
    .order_by(_c.id)
    .limit(bindparam("most", type_=Integer))
)
_CHANGE = (
    update(llm_requests)
    .where(_c.id == bindparam("id_"), _c.status.in_(bindparam("from_", expanding=True)))
    .returning(*COLUMNS)
)


def update_status(
    connection: Connection,
    llm_request_id: int,
    *,
    from_statuses: Sequence[Status],
    values: Mapping[str, Any],
    event: tuple[Happening, datetime] | None = None,
) -> LlmRequest | None:
    """Change a request that no worker holds, if it is in one of ``from_statuses``; None when it is not.

    ``event``: what is noted to have happened to it, and when.
    """
    bound = {"id_": llm_request_id, "from_": [status.value for status in from_statuses]}
    try:
        row = connection.execute(_CHANGE.values(**values), bound).mappings().first()
    except IntegrityError as error:
        raise Conflict("The same question is in the queue already, asked of the same persona and model.") from error
    if row is None:
        return None
    changed = from_row(row)
    bump_versions(connection, changed.topic_id)
    if event is not None:
        insert_event(connection, changed.id, event[0], at=event[1], run=changed.run, detail=changed.cause_detail)
    return changed


def list_for_change(connection: Connection, llm_request_ids: Sequence[int]) -> list[int]:
    """Lock these requests, with their chains, before any of them is changed; all of them, in the order of ids.

    Every change locks its request and then the queue's version. Who changes several must have all of the first before
    the second, or it and a worker that settles one of them would wait for each other.
    """
    return chain_store.list_family_for_change(connection, llm_request_ids)


def _all(connection: Connection, query: Select[Any]) -> list[LlmRequest]:
    return [from_row(row) for row in connection.execute(query).mappings()]


def has_queued(connection: Connection) -> bool:
    """Whether anything is ready to be claimed, windows and breakers aside."""
    return connection.execute(_HAS_QUEUED).first() is not None


_HAS_QUEUED = select(_c.id).where(text("status = 'queued'")).limit(1)


def list_without_backend(connection: Connection, *, limit: int) -> list[LlmRequest]:
    """Queued requests that no model could be found for yet."""
    query = select(*COLUMNS).where(text("status = 'queued'"), _c.backend_id.is_(None)).order_by(_c.id).limit(limit)
    return _all(connection, query)


def list_ids_waiting_for_backend(connection: Connection, backend_id: int) -> list[int]:
    """Requests of this backend that are not finished and do not run, in the order of ids."""
    query = select(_c.id).where(_c.backend_id == backend_id, _c.status.in_(("queued", "waiting", "held")))
    return list(connection.execute(query.order_by(_c.id)).scalars())


def list_ids_of_deleted_backends(connection: Connection, *, limit: int = 1000) -> list[int]:
    """Requests not yet started whose backend was deleted."""
    backends = metadata.tables["backends"]
    rows = connection.execute(
        select(_c.id)
        .join(backends, backends.c.id == _c.backend_id)
        .where(_c.status.in_(("queued", "waiting", "held")), backends.c.deleted_at.is_not(None))
        .limit(limit)
    )
    return [row.id for row in rows]


def count_personas_asked(connection: Connection, *, post_id: int, model_id: int | None) -> int:
    """How many persona versions this model was or will be asked to answer one post as."""
    number: int = connection.execute(
        select(func.count(_c.persona_version_id.distinct())).where(_c.post_id == post_id, _c.model_id == model_id)
    ).scalar_one()
    return number


def find_model_to_ask(connection: Connection, model_id: int) -> tuple[int, str] | None:
    """(backend's id, name) of a model that is there, on a backend that may be asked."""
    models, backends = metadata.tables["models"].c, metadata.tables["backends"].c
    row = connection.execute(
        select(models.backend_id, models.name)
        .join(metadata.tables["backends"], backends.id == models.backend_id)
        .where(models.id == model_id, models.is_available.is_(True))
        .where(backends.is_enabled.is_(True), backends.deleted_at.is_(None))
    ).first()
    return (row.backend_id, row.name) if row else None
