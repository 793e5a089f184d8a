"""What all workers share about each backend: its circuit breaker, and what it served last."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, bindparam, literal_column, select, text, update

from forllm_server.db.types import UtcDateTime
from forllm_server.queue.context_sql import served_last_where_it_loads
from forllm_server.queue.dispatch import LastServed
from forllm_server.queue.model import BackendState
from forllm_server.queue.tables import backend_states

_c = backend_states.c
_RECORD = text(
    "INSERT INTO backend_states (backend_id, failures, open_until, last_error, changed_at) "
    "VALUES (:backend_id, 1, NULL, :error, :now) "
    "ON CONFLICT (backend_id) DO UPDATE SET failures = backend_states.failures + 1, "
    "last_error = excluded.last_error, changed_at = excluded.changed_at RETURNING failures"
).bindparams(bindparam("now", type_=UtcDateTime()))

_LAST_COLUMNS = (
    _c.last_model_id,
    _c.last_persona_version_id,
    _c.last_topic_id,
    _c.last_owner_id,
    _c.passed_over,
    _c.in_turn,
)
_SERVED = text(
    "INSERT INTO backend_states (backend_id, changed_at, last_model_id, last_persona_version_id, last_topic_id, "
    "last_owner_id, passed_over, in_turn) "
    "VALUES (:backend_id, :now, :model, :persona_version, :topic, :owner, :passed_over, :in_turn) "
    "ON CONFLICT (backend_id) DO UPDATE SET last_model_id = excluded.last_model_id, "
    "last_persona_version_id = excluded.last_persona_version_id, last_topic_id = excluded.last_topic_id, "
    "last_owner_id = excluded.last_owner_id, passed_over = excluded.passed_over, in_turn = excluded.in_turn"
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


def list_last_served(connection: Connection) -> dict[int, LastServed]:
    """By backend, what it served last; a backend that served nothing yet is missing."""
    context_tokens: ColumnElement[int] = literal_column(
        served_last_where_it_loads("backend_states", connection.dialect.name)
    )
    columns = (_c.backend_id, *_LAST_COLUMNS, context_tokens)
    rows = connection.execute(select(*columns).where(_c.last_owner_id.is_not(None)))
    return {row[0]: LastServed(*row[1:]) for row in rows}


def replace_last_served(connection: Connection, backend_id: int, last: LastServed, *, now: datetime) -> None:
    """Keep what a backend serves now, for the next choice, whichever process makes it."""
    values = {
        "backend_id": backend_id,
        "now": now,
        "model": last.model_id,
        "persona_version": last.persona_version_id,
        "topic": last.topic_id,
        "owner": last.owner_id,
        "passed_over": last.passed_over,
        "in_turn": last.in_turn,
    }
    connection.execute(_SERVED, values)
