"""Rows of ``settings``."""

from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from forllm_server.settings.fields import Value
from forllm_server.settings.tables import settings


def list_settings(connection: Connection) -> dict[str, Value]:
    """What is stored, by name; unchecked."""
    return {row.key: row.value for row in connection.execute(select(settings.c.key, settings.c.value))}


def update_setting(connection: Connection, name: str, value: Value, *, now: datetime) -> None:
    """Store one value, whether or not there was one."""
    values = {"key": name, "value": value, "updated_at": now}
    changed = {"value": value, "updated_at": now}
    # one statement, because two processes may store the same setting for the first time at once
    if connection.dialect.name == "postgresql":
        connection.execute(
            postgresql.insert(settings).values(values).on_conflict_do_update(index_elements=["key"], set_=changed)
        )
    else:
        connection.execute(
            sqlite.insert(settings).values(values).on_conflict_do_update(index_elements=["key"], set_=changed)
        )


def delete_setting(connection: Connection, name: str) -> None:
    """Forget the stored value: the default holds again."""
    connection.execute(delete(settings).where(settings.c.key == name))
