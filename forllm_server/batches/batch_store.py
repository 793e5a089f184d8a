"""Rows of ``batches`` and ``batch_lines``."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from forllm_server.batches.checks import Check, CheckKind
from forllm_server.batches.model import Batch, BatchAsk, Judge, Line, NewBatch, Place, State
from forllm_server.batches.tables import batch_cells, batch_lines, batch_verdicts, batches
from forllm_server.errors import NotFound

#: lines that one statement inserts
_INSERTED_AT_ONCE = 2_000


def insert_batch(connection: Connection, new: NewBatch, lines: Sequence[Sequence[str]], now: datetime) -> Batch:
    """Add a batch with all its lines; none of them is asked yet."""
    values = {
        "owner_id": new.owner_id,
        "subforum_id": new.subforum_id,
        "place": new.place.value,
        "title": new.title,
        "template": new.template,
        "columns": list(new.columns),
        "asks": [vars(ask) for ask in new.asks],
        "checks": [check.as_dict() for check in new.checks],
        "is_run_now": new.is_run_now,
        "state": State.OPEN.value,
        "line_count": len(lines),
        "fingerprint": new.fingerprint,
        "created_at": now,
        "judge": vars(new.judge) if new.judge else None,
    }
    batch_id = connection.execute(insert(batches).values(values).returning(batches.c.id)).scalar_one()
    rows = [{"batch_id": batch_id, "number": number, "texts": list(line)} for number, line in enumerate(lines, 1)]
    for start in range(0, len(rows), _INSERTED_AT_ONCE):
        connection.execute(insert(batch_lines), rows[start : start + _INSERTED_AT_ONCE])
    return get_batch(connection, batch_id)


def get_batch(connection: Connection, batch_id: int) -> Batch:
    """The batch, or NotFound."""
    return _existing(connection.execute(select(batches).where(batches.c.id == batch_id)).one_or_none())


def get_batch_to_change(connection: Connection, batch_id: int) -> Batch:
    """Like :func:`get_batch`, and nobody else changes it before this transaction ends."""
    query = select(batches).where(batches.c.id == batch_id).with_for_update()
    return _existing(connection.execute(query).one_or_none())


def find_batch_by_fingerprint(connection: Connection, fingerprint: str) -> Batch | None:
    """The newest batch of the same table and question that was not cancelled."""
    query = select(batches).where(batches.c.fingerprint == fingerprint, batches.c.state != State.CANCELLED.value)
    row = connection.execute(query.order_by(batches.c.id.desc()).limit(1)).one_or_none()
    return _batch(row) if row else None


def list_batches(connection: Connection, *, before_id: int | None = None, limit: int) -> list[Batch]:
    """Newest first, by keyset."""
    query = select(batches).order_by(batches.c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(batches.c.id < before_id)
    return [_batch(row) for row in connection.execute(query)]


def list_unfinished_ids(connection: Connection) -> list[int]:
    """The batches in which something is still to be asked, awaited or checked, the oldest first."""
    query = select(batches.c.id).where(batches.c.finished_at.is_(None), batches.c.state != State.PAUSED.value)
    return list(connection.execute(query.order_by(batches.c.id)).scalars())


def list_finished(connection: Connection, *, since: datetime, until: datetime, limit: int) -> list[Batch]:
    """Those that came to their end between two moments, the last one first; not those that were cancelled."""
    is_in = batches.c.finished_at >= since, batches.c.finished_at < until, batches.c.state == State.OPEN.value
    query = select(batches).where(*is_in).order_by(batches.c.finished_at.desc()).limit(limit)
    return [_batch(row) for row in connection.execute(query)]


def update_batch(connection: Connection, batch_id: int, **values: Any) -> None:
    connection.execute(update(batches).where(batches.c.id == batch_id).values(values))


def delete_batch(connection: Connection, batch_id: int) -> None:
    """Forget a batch with its lines and cells; NotFound when there is none. What it asked stays."""
    for table in (batch_verdicts, batch_cells, batch_lines):
        connection.execute(delete(table).where(table.c.batch_id == batch_id))
    if not connection.execute(delete(batches).where(batches.c.id == batch_id)).rowcount:
        raise NotFound(_GONE)


def list_lines(connection: Connection, batch_id: int, *, after: int = 0, limit: int) -> list[Line]:
    """The lines after the number ``after``, in their order."""
    query = select(batch_lines).where(batch_lines.c.batch_id == batch_id, batch_lines.c.number > after)
    return [_line(row) for row in connection.execute(query.order_by(batch_lines.c.number).limit(limit))]


def list_lines_of(connection: Connection, batch_id: int, numbers: Iterable[int]) -> list[Line]:
    """The lines of these numbers, in their order."""
    query = select(batch_lines).where(batch_lines.c.batch_id == batch_id, batch_lines.c.number.in_(list(numbers)))
    return [_line(row) for row in connection.execute(query.order_by(batch_lines.c.number))]


def update_line(connection: Connection, batch_id: int, number: int, *, post_id: int) -> None:
    """Note the post in which a line is asked."""
    statement = update(batch_lines).where(batch_lines.c.batch_id == batch_id, batch_lines.c.number == number)
    connection.execute(statement.values(post_id=post_id))


_GONE = "There is no such batch. It may have been deleted."


def _existing(row: Row[Any] | None) -> Batch:
    if row is None:
        raise NotFound(_GONE)
    return _batch(row)


def _batch(row: Row[Any]) -> Batch:
    values = dict(row._mapping)
    values["place"] = Place(values["place"])
    values["state"] = State(values["state"])
    values["columns"] = tuple(values["columns"])
    values["asks"] = tuple(BatchAsk(**ask) for ask in values["asks"])
    values["checks"] = tuple(Check(CheckKind(check["kind"]), check["value"]) for check in values["checks"])
    values["judge"] = Judge(**values["judge"]) if values["judge"] else None
    return Batch(**values)


def _line(row: Row[Any]) -> Line:
    return Line(row.number, tuple(row.texts), row.post_id)
