"""Rows of ``backends``."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from forllm_server.catalog.model import BackendKind, BackendRecord
from forllm_server.catalog.tables import backends
from forllm_server.errors import NameTaken, NotFound

_NOT_DELETED = backends.c.deleted_at.is_(None)


def get_backend(connection: Connection, backend_id: int) -> BackendRecord:
    """The backend; raises NotFound when there is none or it was deleted."""
    record = find_backend(connection, backend_id)
    if record is None or record.deleted_at is not None:
        raise NotFound("There is no such backend. It may have been deleted.")
    return record


def find_backend(connection: Connection, backend_id: int) -> BackendRecord | None:
    """The backend, deleted or not: old LLM requests still name it."""
    row = connection.execute(_BY_ID, {"id_": backend_id}).one_or_none()
    return None if row is None else _record(row)


# Built once: every question asks for it, and putting the statement together takes longer than executing it.
_BY_ID = select(backends).where(backends.c.id == bindparam("id_"))


def find_backend_by_name_key(connection: Connection, name_key: str) -> BackendRecord | None:
    row = connection.execute(select(backends).where(backends.c.name_key == name_key, _NOT_DELETED)).one_or_none()
    return None if row is None else _record(row)


def list_backends(connection: Connection, *, is_enabled: bool | None = None) -> list[BackendRecord]:
    """All that are not deleted, oldest first; ``is_enabled`` keeps only one sort."""
    query = select(backends).where(_NOT_DELETED).order_by(backends.c.id)
    if is_enabled is not None:
        query = query.where(backends.c.is_enabled.is_(is_enabled))
    return [_record(row) for row in connection.execute(query)]


def insert_backend(connection: Connection, values: dict[str, Any]) -> BackendRecord:
    """Insert a row; raises NameTaken when another backend has the name."""
    try:
        with connection.begin_nested():
            row = connection.execute(insert(backends).values(**values).returning(backends)).one()
    except IntegrityError as error:
        raise NameTaken(field="name") from error
    return _record(row)


def insert_first_backend(connection: Connection, backend_id: int, values: dict[str, Any]) -> BackendRecord:
    """Insert a row whose id is fixed, and let the ids that follow begin after it."""
    record = insert_backend(connection, {"id": backend_id, **values})
    if connection.dialect.name == "postgresql":
        # An id given by hand does not move PostgreSQL's sequence.
        connection.execute(select(func.setval("backends_id_seq", select(func.max(backends.c.id)).scalar_subquery())))
    return record


def update_backend(connection: Connection, backend_id: int, values: dict[str, Any]) -> BackendRecord:
    """Change columns of a backend; raises NameTaken or NotFound."""
    statement = update(backends).where(backends.c.id == backend_id, _NOT_DELETED).values(**values).returning(backends)
    try:
        with connection.begin_nested():
            row = connection.execute(statement).one_or_none()
    except IntegrityError as error:
        raise NameTaken(field="name") from error
    if row is None:
        raise NotFound("There is no such backend. It may have been deleted.")
    return _record(row)


def update_probe(connection: Connection, backend_id: int, probe: dict[str, Any], probed_at: datetime) -> None:
    connection.execute(update(backends).where(backends.c.id == backend_id).values(probe=probe, probed_at=probed_at))


def _record(row: Row[Any]) -> BackendRecord:
    values = dict(row._mapping)
    values["kind"] = BackendKind(values["kind"])
    values["options"] = values["options"] or {}
    return BackendRecord(**values)
