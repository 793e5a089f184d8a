"""Rows of ``idempotency_keys``: answers kept so that a repeated call changes nothing and hears the same again."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from forllm_server.accounts.model import RecordedResponse
from forllm_server.accounts.tables import idempotency_keys
from forllm_server.errors import Conflict


def find_response(connection: Connection, *, owner_id: int, key: str) -> RecordedResponse | None:
    """What was answered to the first call with this key; None when there was none."""
    table = idempotency_keys
    row = connection.execute(select(table).where(table.c.owner_id == owner_id, table.c.key == key)).one_or_none()
    return RecordedResponse(**row._mapping) if row else None


def insert_response(
    connection: Connection, *, owner_id: int, key: str, route: str, status_code: int, body: Any, now: datetime
) -> None:
    """Keep the answer, in the transaction that did the work.

    Raises :class:`Conflict` when another call with the same key came first; the caller's transaction is
    then rolled back, so that the work is done once.
    """
    values = {
        "owner_id": owner_id,
        "key": key,
        "route": route,
        "status_code": status_code,
        "body": body,
        "created_at": now,
    }
    try:
        connection.execute(insert(idempotency_keys).values(values))
    except IntegrityError as error:
        raise Conflict(
            "A call with this Idempotency-Key is being answered already. Repeat it to get its answer."
        ) from error


def delete_responses_before(connection: Connection, moment: datetime) -> int:
    """Forget answers older than ``moment``; how many there were."""
    return connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < moment)).rowcount
