"""Rows of ``schedule_exceptions``."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, Text, bindparam, delete, func, insert, select

from forllm_server.errors import NotFound
from forllm_server.schedule.model import ScheduleException
from forllm_server.schedule.tables import schedule_exceptions
from forllm_server.schedule.windows import DateException, ExceptionKind


def list_exceptions(connection: Connection, *, since: date | None = None) -> list[ScheduleException]:
    """Exceptions by date; with ``since`` only those on that date or later."""
    rows = connection.execute(_SINCE, {"since": "" if since is None else since.isoformat()})
    return [_exception(row) for row in rows]


# Built once: it is asked with every page.
_SINCE = (
    select(schedule_exceptions)
    .where(schedule_exceptions.c.date >= bindparam("since", type_=Text))
    .order_by(schedule_exceptions.c.date, schedule_exceptions.c.id)
)


def count_exceptions(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(schedule_exceptions)).scalar_one()


def get_exception(connection: Connection, exception_id: int) -> ScheduleException:
    """The exception, or :class:`NotFound`."""
    query = select(schedule_exceptions).where(schedule_exceptions.c.id == exception_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("There is no such exception. It may have been deleted.")
    return _exception(row)


def insert_exception(
    connection: Connection, item: DateException, *, note: str, owner_id: int, now: datetime
) -> ScheduleException:
    values = {
        "owner_id": owner_id,
        "backend_id": item.backend_id,
        "date": item.date.isoformat(),
        "kind": item.kind.value,
        "start_minute": item.start_minute,
        "end_minute": item.end_minute,
        "note": note,
        "created_at": now,
    }
    statement = insert(schedule_exceptions).values(values).returning(schedule_exceptions)
    return _exception(connection.execute(statement).one())


def delete_exception(connection: Connection, exception_id: int) -> None:
    """:class:`NotFound` when there is none."""
    statement = delete(schedule_exceptions).where(schedule_exceptions.c.id == exception_id)
    if not connection.execute(statement).rowcount:
        raise NotFound("There is no such exception. It may have been deleted.")


def _exception(row: Row[Any]) -> ScheduleException:
    return ScheduleException(
        id=row.id,
        owner_id=row.owner_id,
        backend_id=row.backend_id,
        date=date.fromisoformat(row.date),
        kind=ExceptionKind(row.kind),
        start_minute=row.start_minute,
        end_minute=row.end_minute,
        note=row.note,
        created_at=row.created_at,
    )
