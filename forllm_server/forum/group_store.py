"""Rows of ``subforum_groups``."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from forllm_server.errors import NameTaken, NotFound
from forllm_server.forum.model import SubforumGroup
from forllm_server.forum.tables import subforum_groups, subforums

_c = subforum_groups.c
_SELECT: Select[Any] = select(_c.id, _c.owner_id, _c.name, _c.position, _c.created_at)


def get_group(connection: Connection, group_id: int) -> SubforumGroup:
    """The group; raises NotFound."""
    row = connection.execute(_SELECT.where(_c.id == group_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such group. It may have been removed.")
    return _group(row)


def list_groups(connection: Connection) -> list[SubforumGroup]:
    """All groups, in the order people gave them."""
    return [_group(row) for row in connection.execute(_SELECT.order_by(_c.position, _c.id))]


def insert_group(connection: Connection, *, owner_id: int, name: str, name_key: str, now: datetime) -> int:
    """Add a group at the end; its id. Raises NameTaken."""
    last = select(func.coalesce(func.max(_c.position), -1) + 1).scalar_subquery()
    statement = insert(subforum_groups).values(
        owner_id=owner_id, name=name, name_key=name_key, position=last, created_at=now
    )
    try:
        with connection.begin_nested():
            group_id: int = connection.execute(statement.returning(_c.id)).scalar_one()
    except IntegrityError as error:
        raise NameTaken(field="name") from error
    return group_id


def update_group(connection: Connection, group_id: int, **values: Any) -> None:
    """Change columns. Raises NameTaken."""
    try:
        with connection.begin_nested():
            connection.execute(update(subforum_groups).where(_c.id == group_id).values(**values))
    except IntegrityError as error:
        raise NameTaken(field="name") from error


def delete_group(connection: Connection, group_id: int) -> None:
    """Remove a group; its subforums stand in none then, those in the trash too."""
    connection.execute(update(subforums).where(subforums.c.group_id == group_id).values(group_id=None))
    connection.execute(delete(subforum_groups).where(_c.id == group_id))


def _group(row: Row[Any]) -> SubforumGroup:
    return SubforumGroup(**row._mapping)
