"""What happened to each LLM request, append-only, written in the transaction that makes it happen."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, literal, select

from forllm_server.db.types import Id
from forllm_server.queue.model import Happening, LlmRequestEvent
from forllm_server.queue.tables import llm_request_events, llm_requests

_c = llm_request_events.c
_r = llm_requests.c
# Built once: these run for every request, and building a statement costs more than running it.
_INSERT = insert(llm_request_events)
_WITHOUT_EVENTS = (
    select(
        _r.created_at,
        _r.id,
        literal(Happening.QUEUED.value).label("name"),
        literal(0).label("run"),
    )
    .where(_r.id > bindparam("after_id", type_=Id))
    .where(~select(_c.id).where(_c.llm_request_id == _r.id).exists())
)
_INSERT_QUEUED = insert(llm_request_events).from_select(["at", "llm_request_id", "name", "run"], _WITHOUT_EVENTS)


def insert_event(
    connection: Connection,
    llm_request_id: int,
    name: Happening,
    *,
    at: datetime,
    run: int = 0,
    worker: str | None = None,
    detail: str | None = None,
) -> None:
    """Note what has just happened to a request."""
    connection.execute(_INSERT, _row(llm_request_id, name, at, run, worker, detail))


def insert_success(
    connection: Connection, llm_request_id: int, *, first_token_at: datetime | None, at: datetime, run: int
) -> None:
    """Note that a request was answered; with ``first_token_at`` also when its answer had begun."""
    rows = [_row(llm_request_id, Happening.SUCCEEDED, at, run, None, None)]
    if first_token_at is not None:
        rows.insert(0, _row(llm_request_id, Happening.FIRST_TOKEN, first_token_at, run, None, None))
    connection.execute(_INSERT, rows)


def insert_events(
    connection: Connection, llm_request_ids: Sequence[int], name: Happening, *, at: datetime, detail: str | None = None
) -> None:
    """Note that the same has happened to several requests."""
    if llm_request_ids:
        connection.execute(_INSERT, [_row(each, name, at, 0, None, detail) for each in llm_request_ids])


def insert_queued_events(connection: Connection, *, after_id: int) -> None:
    """Note, in one statement, that the requests with an id above ``after_id`` were asked."""
    connection.execute(_INSERT_QUEUED, {"after_id": after_id})


def _row(
    llm_request_id: int, name: Happening, at: datetime, run: int, worker: str | None, detail: str | None
) -> dict[str, object]:
    return {
        "llm_request_id": llm_request_id,
        "name": name.value,
        "at": at,
        "run": run,
        "worker": worker,
        "detail": detail,
    }


def list_events(connection: Connection, llm_request_id: int, *, limit: int = 200) -> list[LlmRequestEvent]:
    """The last ``limit`` events of a request, oldest first."""
    query = select(llm_request_events).where(_c.llm_request_id == llm_request_id).order_by(_c.id.desc()).limit(limit)
    return [_event_from(*row) for row in connection.execute(query)][::-1]


def list_newest_events(
    connection: Connection, *, before_id: int | None = None, limit: int = 100
) -> list[LlmRequestEvent]:
    """What happened last in the whole queue, newest first, by keyset: those with an id below ``before_id``."""
    query = select(llm_request_events).order_by(_c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(_c.id < before_id)
    return [_event_from(*row) for row in connection.execute(query)]


def _event_from(
    id: int, at: datetime, llm_request_id: int, name: str, run: int, worker: str | None, detail: str | None
) -> LlmRequestEvent:
    return LlmRequestEvent(id, at, llm_request_id, Happening(name), run, worker, detail)
