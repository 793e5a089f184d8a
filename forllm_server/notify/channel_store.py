"""Rows of ``channels``."""

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from forllm_server.errors import NotFound
from forllm_server.notify.model import Channel, ChannelKind
from forllm_server.notify.tables import channels

_c = channels.c


def get_channel(connection: Connection, channel_id: int) -> Channel:
    """The channel; raises NotFound."""
    row = connection.execute(select(channels).where(_c.id == channel_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such channel. It may have been deleted.")
    return _channel(row)


def get_channel_to_change(connection: Connection, channel_id: int) -> Channel:
    """Like :func:`get_channel`, and nobody else changes it before this transaction ends."""
    row = connection.execute(select(channels).where(_c.id == channel_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound("There is no such channel. It may have been deleted.")
    return _channel(row)


def list_channels(
    connection: Connection, *, owner_id: int | None = None, is_enabled: bool | None = None
) -> list[Channel]:
    """The channels, oldest first."""
    query = select(channels).order_by(_c.id)
    if owner_id is not None:
        query = query.where(_c.owner_id == owner_id)
    if is_enabled is not None:
        query = query.where(_c.is_enabled == is_enabled)
    return [_channel(row) for row in connection.execute(query)]


def insert_channel(connection: Connection, **values: Any) -> Channel:
    """Add a channel."""
    return _channel(connection.execute(insert(channels).values(**values).returning(channels)).one())


def update_channel(connection: Connection, channel_id: int, **values: Any) -> None:
    """Change columns."""
    connection.execute(update(channels).where(_c.id == channel_id).values(**values))


def delete_channel(connection: Connection, channel_id: int) -> bool:
    """Delete a channel with its deliveries; whether there was one."""
    return connection.execute(delete(channels).where(_c.id == channel_id)).rowcount > 0


def _channel(row: Row[Any]) -> Channel:
    values = dict(row._mapping)
    values["kind"] = ChannelKind(values["kind"])
    return Channel(**values)
