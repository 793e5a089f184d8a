"""Rows of ``deliveries``. Who sends one takes it first: of several processes one does."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from forllm_server.db.upsert import insert_here
from forllm_server.errors import NotFound
from forllm_server.notify.model import Delivery, DeliveryStatus, Message, Occasion
from forllm_server.notify.tables import deliveries
from forllm_server.outward import line_store

_d = deliveries.c


def insert_delivery(connection: Connection, channel_id: int, message: Message, now: datetime) -> int | None:
    """Put a message in line for a channel; its id, or None when the channel was told of it already."""
    statement = insert_here(connection, deliveries).values(
        channel_id=channel_id,
        occasion=message.occasion.value,
        key=message.key,
        subject=message.subject,
        body=message.body,
        facts=dict(message.facts),
        status=DeliveryStatus.WAITING.value,
        attempts=0,
        created_at=now,
        due_at=now,
    )
    return connection.execute(statement.on_conflict_do_nothing().returning(_d.id)).scalar_one_or_none()


def get_delivery(connection: Connection, delivery_id: int) -> Delivery:
    """The delivery; raises NotFound."""
    row = connection.execute(select(deliveries).where(_d.id == delivery_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such delivery. It may be too old, or its channel was deleted.")
    return _delivery(row)


def has_due(connection: Connection, now: datetime) -> bool:
    """Whether anything is to be sent."""
    return line_store.has_due(connection, deliveries, now)


def list_due_ids(connection: Connection, now: datetime, *, limit: int) -> list[int]:
    """What is to be sent, the longest due first."""
    return line_store.list_due_ids(connection, deliveries, now, limit=limit)


def update_taken(connection: Connection, delivery_id: int, *, until: datetime, now: datetime) -> Delivery | None:
    """Take a delivery that is due; None when somebody else has it. Nobody else takes it before ``until``."""
    row = line_store.update_taken(connection, deliveries, delivery_id, until=until, now=now)
    return _delivery(row) if row else None


def update_ended(
    connection: Connection, taken: Delivery, status: DeliveryStatus, *, problem: str | None, now: datetime
) -> bool:
    """Note how a delivery that was taken ended; False when it was taken from us meanwhile."""
    return line_store.update_ended(
        connection, deliveries, taken.id, attempt=taken.attempts, status=status.value, problem=problem, now=now
    )


def update_postponed(connection: Connection, taken: Delivery, *, problem: str, due_at: datetime) -> bool:
    """Note that it is tried again."""
    return line_store.update_postponed(
        connection, deliveries, taken.id, attempt=taken.attempts, problem=problem, due_at=due_at
    )


def update_due_again(connection: Connection, delivery_id: int, now: datetime) -> bool:
    """Have a delivery that was given up tried again; whether there was one."""
    return line_store.update_due_again(connection, deliveries, delivery_id, now)


def list_deliveries(
    connection: Connection, *, channel_id: int | None = None, before_id: int | None = None, limit: int
) -> list[Delivery]:
    """Newest first, by keyset: those with an id below ``before_id``."""
    query = select(deliveries).order_by(_d.id.desc()).limit(limit)
    if channel_id is not None:
        query = query.where(_d.channel_id == channel_id)
    if before_id is not None:
        query = query.where(_d.id < before_id)
    return [_delivery(row) for row in connection.execute(query)]


def delete_deliveries_before(connection: Connection, moment: datetime) -> int:
    """Forget deliveries that ended before; how many."""
    return connection.execute(delete(deliveries).where(_d.ended_at < moment)).rowcount


def _delivery(row: Row[Any]) -> Delivery:
    values = dict(row._mapping)
    values["occasion"] = Occasion(values["occasion"])
    values["status"] = DeliveryStatus(values["status"])
    return Delivery(**values)
