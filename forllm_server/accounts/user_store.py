"""Rows of ``users``."""

import unicodedata
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from forllm_server.accounts.model import User
from forllm_server.accounts.tables import users


def find_user(connection: Connection, user_id: int) -> User | None:
    row = connection.execute(select(users).where(users.c.id == user_id)).one_or_none()
    return _user(row) if row else None


def list_users(connection: Connection) -> list[User]:
    """All users, oldest first."""
    return [_user(row) for row in connection.execute(select(users).order_by(users.c.id))]


def insert_user(connection: Connection, *, name: str, now: datetime, user_id: int | None = None) -> User:
    """Add a user; ``user_id`` only for the local one, whose number is fixed."""
    values = {"name": name.strip(), "name_key": _name_key(name), "created_at": now}
    if user_id is not None:
        values["id"] = user_id
    row = connection.execute(insert(users).values(values).returning(users)).one()
    if user_id is not None and connection.dialect.name == "postgresql":
        # an id given by hand leaves the sequence behind, and the next user would collide with this one
        sequence = func.pg_get_serial_sequence("users", "id")
        connection.execute(select(func.setval(sequence, select(func.max(users.c.id)).scalar_subquery())))
    return _user(row)


def _name_key(name: str) -> str:
    return unicodedata.normalize("NFKC", name.strip()).casefold()


def _user(row: Row[Any]) -> User:
    return User(id=row.id, name=row.name, created_at=row.created_at)
