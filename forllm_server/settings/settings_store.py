"""Rows of ``settings``."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from forllm_server.db.upsert import insert_here, insert_or_update
from forllm_server.settings.fields import Value
from forllm_server.settings.tables import settings


def list_settings(connection: Connection) -> dict[str, Value]:
    """What is stored, by name; unchecked."""
    return {row[0]: row[1] for row in connection.execute(_ALL)}


_ALL = select(settings.c.key, settings.c.value)


def update_setting(connection: Connection, name: str, value: Value, *, now: datetime) -> None:
    """Store one value, whether or not there was one."""
    # one statement, because two processes may store the same setting for the first time at once
    insert_or_update(connection, settings, {"key": name}, {"value": value, "updated_at": now})


def find_stamped(connection: Connection, name: str) -> tuple[Any, datetime] | None:
    """What is stored under a name, unchecked, and when it was written."""
    row = connection.execute(select(settings.c.value, settings.c.updated_at).where(settings.c.key == name)).first()
    return None if row is None else (row.value, row.updated_at)


def update_if_unchanged(
    connection: Connection, name: str, value: Mapping[str, Value], *, written_at: datetime | None, now: datetime
) -> bool:
    """Store a value unless another process has since ``written_at`` (as found; None: there was none). Whether it did.

    Of several that find the same and then write, one succeeds.
    """
    if written_at is not None:
        changed = update(settings).where(settings.c.key == name, settings.c.updated_at == written_at)
        return connection.execute(changed.values(value=value, updated_at=now)).rowcount > 0
    values = {"key": name, "value": value, "updated_at": now}
    made = insert_here(connection, settings).values(values).on_conflict_do_nothing().returning(settings.c.key)
    return connection.execute(made).first() is not None


def delete_setting(connection: Connection, name: str) -> None:
    """Forget the stored value: the default holds again."""
    connection.execute(delete(settings).where(settings.c.key == name))
