"""The line as the plan and the forecast read it, and a person's own order in it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, bindparam, func, literal_column, select, text, update

from forllm_server.db import metadata
from forllm_server.db.types import Id
from forllm_server.queue.backend_state_store import list_last_served
from forllm_server.queue.context_sql import context_where_it_loads
from forllm_server.queue.dispatch import Candidate
from forllm_server.queue.model import Lane, Status
from forllm_server.queue.plan import LONGEST_PLAN, order
from forllm_server.queue.remembering import remembered
from forllm_server.queue.tables import ORDER_IN_LINE, llm_requests

_c = llm_requests.c
_COLUMNS = (
    _c.id,
    _c.status,
    _c.lane,
    _c.priority,
    _c.backend_id,
    _c.model_id,
    _c.persona_id,
    _c.persona_version_id,
    _c.topic_id,
    _c.created_at,
    _c.pinned,
    _c.due_at,
    _c.started_at,
    _c.parameters["max_tokens"].as_integer().label("max_tokens"),
    _c.input["prompt_tokens"].as_float().label("prompt_tokens"),
    _c.owner_id,
)


@dataclass(frozen=True)
class InLine:
    """A live LLM request: what its place and its length depend on. ``prompt_tokens``: as counted when it was asked."""

    candidate: Candidate
    status: Status
    backend_id: int | None
    persona_id: int | None
    due_at: datetime | None
    started_at: datetime | None
    max_tokens: int | None
    prompt_tokens: float | None

    @property
    def id(self) -> int:
        return self.candidate.id


@dataclass(frozen=True)
class Crowd:
    """Requests of one persona on one model, only counted."""

    backend_id: int
    model_id: int
    persona_id: int | None
    number: int
    lane: Lane = Lane.NIGHT


def list_queued(connection: Connection, backend_id: int, *, limit: int) -> list[InLine]:
    """The first ``limit`` queued requests of a backend in the order of the line, by the index of the claim."""
    query = _QUEUED[connection.dialect.name]
    return [_in_line(row) for row in connection.execute(query, {"id_": backend_id, "limit_": limit}).mappings()]


def list_line(connection: Connection, backend_id: int, now: datetime, *, limit: int = LONGEST_PLAN) -> Sequence[InLine]:
    """The first ``limit`` queued requests of a backend in the order of service.

    By the queue's version alone: with time nothing changes in the order but who has waited for a day.
    """

    def read() -> tuple[InLine, ...]:
        last = list_last_served(connection).get(backend_id)
        queued = {each.id: each for each in list_queued(connection, backend_id, limit=limit)}
        ordered = order([each.candidate for each in queued.values()], last, now, limit=limit)
        return tuple(queued[each.id] for each in ordered)

    return remembered(connection, ("line", backend_id, limit), read)


def list_in_line(
    connection: Connection, statuses: Sequence[Status], *, limit: int, backend_id: int | None = None
) -> list[InLine]:
    """The first ``limit`` live requests in these states, in the order of the line; of one backend or of all."""
    query = select(*_columns(connection.dialect.name)).where(_c.status.in_([status.value for status in statuses]))
    if backend_id is not None:
        query = query.where(_c.backend_id == backend_id)
    return [_in_line(row) for row in connection.execute(query.order_by(*ORDER_IN_LINE).limit(limit)).mappings()]


def _columns(dialect: str) -> list[ColumnElement[Any]]:
    return [*_COLUMNS, literal_column(context_where_it_loads("llm_requests", dialect)).label("context_tokens")]


_QUEUED = {
    dialect: select(*_columns(dialect))
    .where(text("status = 'queued'"), _c.backend_id == bindparam("id_", type_=Id))
    .order_by(*ORDER_IN_LINE)
    .limit(bindparam("limit_"))
    for dialect in ("sqlite", "postgresql")
}
_NEW = (
    "SELECT CAST(:backend_id AS BIGINT) AS backend_id, CAST(:model_id AS BIGINT) AS model_id, "
    "(SELECT v.parameters FROM persona_versions v WHERE v.id = :persona_version_id) AS parameters"
)
_CONTEXT_OF_NEW = {
    dialect: text(f"SELECT {context_where_it_loads('n', dialect)} FROM ({_NEW}) n").bindparams(
        *(bindparam(name, type_=Id) for name in ("backend_id", "model_id", "persona_version_id"))
    )
    for dialect in ("sqlite", "postgresql")
}
_LONGER = (
    select(_c.id)
    .where(text("status = 'queued'"), _c.backend_id == bindparam("id_", type_=Id))
    .limit(1)
    .offset(bindparam("number"))
)


def find_context_to_load(
    connection: Connection, *, backend_id: int, model_id: int, persona_version_id: int | None
) -> int | None:
    """The context that the model is loaded with for this persona; None where it is not part of loading."""
    named = {"backend_id": backend_id, "model_id": model_id, "persona_version_id": persona_version_id}
    found: int | None = connection.execute(_CONTEXT_OF_NEW[connection.dialect.name], named).scalar_one()
    return found


def has_more_queued(connection: Connection, backend_id: int, number: int) -> bool:
    """Whether more than ``number`` requests are queued for a backend."""
    return connection.execute(_LONGER, {"id_": backend_id, "number": number}).first() is not None


def list_crowds(connection: Connection) -> Sequence[Crowd]:
    """All queued requests that have a model, counted by backend, model and persona."""
    return remembered(connection, "crowds", lambda: _read_crowds(connection))


def _read_crowds(connection: Connection) -> tuple[Crowd, ...]:
    rows = connection.execute(
        select(_c.backend_id, _c.model_id, _c.persona_id, func.count())
        .where(text("status = 'queued'"), _c.backend_id.is_not(None), _c.model_id.is_not(None))
        .group_by(_c.backend_id, _c.model_id, _c.persona_id)
    )
    return tuple(Crowd(*row) for row in rows)


def list_positions(
    connection: Connection, now: datetime, *, backend_ids: Collection[int] | None = None, limit: int = LONGEST_PLAN
) -> dict[int, int]:
    """The place in line (1 = next) of the queued requests as the plan has them, the first ``limit`` of each backend.

    ``backend_ids``: of these backends only; one statement each.
    """
    positions: dict[int, int] = {}
    for backend_id in _list_backend_ids(connection) if backend_ids is None else backend_ids:
        line = list_line(connection, backend_id, now, limit=limit)
        positions |= {each.id: place for place, each in enumerate(line, start=1)}
    return positions


def _list_backend_ids(connection: Connection) -> list[int]:
    backends = metadata.tables["backends"].c
    return list(connection.execute(select(backends.id).where(backends.deleted_at.is_(None))).scalars())


def find_pinned_range(connection: Connection, lane: Lane) -> tuple[float, float] | None:
    """The smallest and the greatest place that is given by hand in a lane; None when there is none."""
    query = select(func.min(_c.pinned), func.max(_c.pinned)).where(
        _c.status.in_(("queued", "waiting", "held")), _c.lane == lane.value, _c.pinned.is_not(None)
    )
    least, greatest = connection.execute(query).one()
    return None if least is None else (least, greatest)


_PIN = update(llm_requests).where(_c.id == bindparam("id_", type_=Id)).values(pinned=bindparam("place"))


def update_pinned(connection: Connection, places: Mapping[int, float]) -> None:
    """Give requests their places by hand."""
    if places:
        # In the order of ids, as everybody locks several rows.
        connection.execute(_PIN, [{"id_": each, "place": place} for each, place in sorted(places.items())])


def _in_line(values: RowMapping) -> InLine:
    return InLine(
        candidate=Candidate(
            values["id"],
            Lane(values["lane"]),
            values["priority"],
            values["model_id"],
            values["persona_version_id"],
            values["topic_id"],
            values["created_at"],
            values["pinned"],
            values["owner_id"],
            values["context_tokens"],
        ),
        status=Status(values["status"]),
        backend_id=values["backend_id"],
        persona_id=values["persona_id"],
        due_at=values["due_at"],
        started_at=values["started_at"],
        max_tokens=values["max_tokens"],
        prompt_tokens=values["prompt_tokens"],
    )
