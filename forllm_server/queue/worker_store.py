"""The processes that work on the queue, and their signs of life."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from forllm_server.db.types import UtcDateTime
from forllm_server.queue.model import WorkerRecord
from forllm_server.queue.tables import workers

#: For how long those that are gone are still listed.
REMEMBERED = timedelta(days=7)

_c = workers.c
_BEAT = (
    update(workers)
    .where(_c.id == bindparam("id_"), _c.stopped_at.is_(None))
    .values(heartbeat_at=bindparam("now", type_=UtcDateTime()))
)


def replace_worker(
    connection: Connection, worker_id: str, *, threads: int, backend_ids: Sequence[int] | None, now: datetime
) -> None:
    """Register a worker that has begun; what it was before is replaced, and those long gone are forgotten.

    ``worker_id`` as of :func:`forllm_server.queue.identity.worker_identity`: its host and process are read from it.
    """
    host, _, pid, _ = worker_id.split("/")
    connection.execute(delete(workers).where((_c.id == worker_id) | (_c.heartbeat_at < now - REMEMBERED)))
    connection.execute(
        insert(workers).values(
            id=worker_id,
            host=host,
            pid=int(pid),
            started_at=now,
            heartbeat_at=now,
            threads=threads,
            backend_ids=None if backend_ids is None else sorted(backend_ids),
        )
    )


def update_heartbeat(connection: Connection, worker_id: str, now: datetime) -> bool:
    """A sign of life; False when the worker is not registered, or is taken for stopped."""
    return connection.execute(_BEAT, {"id_": worker_id, "now": now}).rowcount > 0


def update_stopped(connection: Connection, worker_id: str, now: datetime) -> None:
    connection.execute(update(workers).where(_c.id == worker_id).values(stopped_at=now, heartbeat_at=now))


def list_workers(connection: Connection, *, limit: int = 200) -> list[WorkerRecord]:
    """Those that gave the latest sign of life first; ``is_alive(now)`` tells which still work."""
    query = select(
        _c.id, _c.host, _c.pid, _c.started_at, _c.heartbeat_at, _c.threads, _c.backend_ids, _c.stopped_at
    ).order_by(_c.heartbeat_at.desc(), _c.id)
    return [
        WorkerRecord(*row[:6], None if row.backend_ids is None else tuple(row.backend_ids), row.stopped_at)
        for row in connection.execute(query.limit(limit))
    ]
