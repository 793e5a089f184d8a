"""The circuit breaker of each backend, in the database so that all workers share it."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select, text, update

from forllm_server.db.types import UtcDateTime
from forllm_server.queue.model import BackendState
from forllm_server.queue.tables import backend_states

_c = backend_states.c
_RECORD = text(
    "INSERT INTO backend_states (backend_id, failures, open_until, last_error, changed_at) "
    "VALUES (:backend_id, 1, NULL, :error, :now) "
    "ON CONFLICT (backend_id) DO UPDATE SET failures = backend_states.failures + 1, "
    "last_error = excluded.last_error, changed_at = excluded.changed_at RETURNING failures"
).bindparams(bindparam("now", type_=UtcDateTime()))


def list_backend_states(connection: Connection) -> dict[int, BackendState]:
    rows = connection.execute(select(_c.backend_id, _c.failures, _c.open_until, _c.last_error))
    return {row.backend_id: BackendState(*row) for row in rows}


def insert_failure(connection: Connection, backend_id: int, *, error: str, now: datetime) -> int:
    """Count a transport failure; returns how many there are in a row."""
    row = connection.execute(_RECORD, {"backend_id": backend_id, "error": error, "now": now})
    return int(row.scalar_one())


def update_open_until(connection: Connection, backend_id: int, *, open_until: datetime | None) -> None:
    connection.execute(update(backend_states).where(_c.backend_id == backend_id).values(open_until=open_until))


def delete_failures(connection: Connection, backend_id: int) -> bool:
    """A success closes the circuit. Returns whether there was anything to forget."""
    result = connection.execute(
        update(backend_states)
        .where(_c.backend_id == backend_id, _c.failures > 0)
        .values(failures=0, open_until=None, last_error=None)
    )
    return result.rowcount > 0
