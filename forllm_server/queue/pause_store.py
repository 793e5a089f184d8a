"""Rows of ``queue_pauses``: one for the whole queue at most, and one for each backend."""

from sqlalchemy import Connection, delete, or_, select

from forllm_server.db import metadata
from forllm_server.db.upsert import insert_or_update
from forllm_server.queue.model import Pause
from forllm_server.queue.tables import queue_pauses

#: The scope that stands for the whole queue; every other scope is a backend's id.
WHOLE_QUEUE = 0

_c = queue_pauses.c
_ALL = select(_c.scope, _c.until, _c.reason, _c.created_at, _c.is_by_machine)


def list_pauses(connection: Connection) -> dict[int, Pause]:
    """All pauses by their scope, also those that are over by now."""
    return {row.scope: Pause(*row) for row in connection.execute(_ALL)}


def replace_pause(connection: Connection, pause: Pause) -> bool:
    """Set a pause in place of the one that is there; whether it was set.

    A machine's is not, where a person's holds: one statement, for a person may pause at the very same moment.
    """
    values = {
        "until": pause.until,
        "reason": pause.reason,
        "created_at": pause.created_at,
        "is_by_machine": pause.is_by_machine,
    }
    gives_way = or_(_c.is_by_machine, _c.until <= pause.created_at) if pause.is_by_machine else None
    return insert_or_update(connection, queue_pauses, {"scope": pause.scope}, values, where=gives_way)


def delete_pause(connection: Connection, scope: int, *, is_by_machine: bool = False) -> bool:
    """Whether there was one; ``is_by_machine``: one that a machine set."""
    statement = delete(queue_pauses).where(_c.scope == scope)
    return connection.execute(statement.where(_c.is_by_machine) if is_by_machine else statement).rowcount > 0


def has_backend(connection: Connection, backend_id: int) -> bool:
    """Whether there is such a backend to be paused."""
    backends = metadata.tables["backends"].c
    query = select(backends.id).where(backends.id == backend_id, backends.deleted_at.is_(None))
    return connection.execute(query).first() is not None
