"""Rows of ``schedule_windows``."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from forllm_server.db.types import metadata
from forllm_server.errors import NotFound
from forllm_server.schedule.model import ScheduleWindow
from forllm_server.schedule.tables import schedule_windows
from forllm_server.schedule.windows import DAYS, Closing, Window


def list_windows(connection: Connection) -> list[ScheduleWindow]:
    """All windows, disabled ones too, in the order they were made."""
    return [_window(row) for row in connection.execute(_ALL)]


# Built once: it is asked with every page.
_ALL = select(schedule_windows).order_by(schedule_windows.c.id)


def count_windows(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(schedule_windows)).scalar_one()


def get_window(connection: Connection, window_id: int) -> ScheduleWindow:
    """The window, or :class:`NotFound`."""
    row = connection.execute(select(schedule_windows).where(schedule_windows.c.id == window_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such window. It may have been deleted.")
    return _window(row)


def insert_window(connection: Connection, window: Window, *, owner_id: int, now: datetime) -> ScheduleWindow:
    values = _values(window) | {"owner_id": owner_id, "created_at": now}
    return _window(connection.execute(insert(schedule_windows).values(values).returning(schedule_windows)).one())


def update_window(connection: Connection, window_id: int, window: Window) -> ScheduleWindow:
    """Replace everything but number, owner and age; :class:`NotFound` when there is none."""
    statement = update(schedule_windows).where(schedule_windows.c.id == window_id).values(_values(window))
    connection.execute(statement)
    return get_window(connection, window_id)


def delete_window(connection: Connection, window_id: int) -> None:
    """:class:`NotFound` when there is none."""
    if not connection.execute(delete(schedule_windows).where(schedule_windows.c.id == window_id)).rowcount:
        raise NotFound("There is no such window. It may have been deleted.")


def find_backend_name(connection: Connection, backend_id: int) -> str | None:
    """The name of a backend that is not deleted."""
    backends = metadata.tables["backends"]
    condition = (backends.c.id == backend_id) & backends.c.deleted_at.is_(None)
    return connection.execute(select(backends.c.name).where(condition)).scalar_one_or_none()


def _values(window: Window) -> dict[str, Any]:
    return {
        "backend_id": window.backend_id,
        "days": [day for day in DAYS if day in window.days],
        "start_minute": window.start_minute,
        "end_minute": window.end_minute,
        "timezone": window.timezone,
        "closing": window.closing.value,
        "is_enabled": window.is_enabled,
    }


def _window(row: Row[Any]) -> ScheduleWindow:
    return ScheduleWindow(
        id=row.id,
        owner_id=row.owner_id,
        backend_id=row.backend_id,
        days=frozenset(row.days),
        start_minute=row.start_minute,
        end_minute=row.end_minute,
        timezone=row.timezone,
        closing=Closing(row.closing),
        is_enabled=row.is_enabled,
        created_at=row.created_at,
    )
