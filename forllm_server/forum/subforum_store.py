"""Rows of ``subforums``, with the number and the last activity of their topics."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from forllm_server.errors import NameTaken, NotFound
from forllm_server.forum.model import Subforum
from forllm_server.forum.tables import subforums, topics

_IS_THERE = subforums.c.deleted_at.is_(None)


def get_subforum(connection: Connection, subforum_id: int) -> Subforum:
    """The subforum; raises NotFound when there is none or it lies in the trash."""
    subforum = find_subforum(connection, subforum_id)
    if subforum is None or subforum.deleted_at is not None:
        raise NotFound("There is no such subforum. It may have been deleted.")
    return subforum


def find_subforum(connection: Connection, subforum_id: int) -> Subforum | None:
    """The subforum, in the trash or not."""
    row = connection.execute(_select().where(subforums.c.id == subforum_id)).one_or_none()
    return _subforum(row) if row else None


def list_subforums(connection: Connection) -> list[Subforum]:
    """All that are not in the trash, in the order people gave them."""
    query = _select().where(_IS_THERE).order_by(subforums.c.position, subforums.c.id)
    return [_subforum(row) for row in connection.execute(query)]


def insert_subforum(
    connection: Connection, *, owner_id: int, name: str, name_key: str, description: str, now: datetime
) -> int:
    """Add a subforum at the end of the list; its id. Raises NameTaken."""
    last = select(func.coalesce(func.max(subforums.c.position), -1) + 1).where(_IS_THERE).scalar_subquery()
    statement = insert(subforums).values(
        owner_id=owner_id, name=name, name_key=name_key, description=description, position=last, created_at=now
    )
    try:
        with connection.begin_nested():
            subforum_id: int = connection.execute(statement.returning(subforums.c.id)).scalar_one()
    except IntegrityError as error:
        raise NameTaken(field="name") from error
    return subforum_id


def update_subforum(connection: Connection, subforum_id: int, **values: Any) -> None:
    """Change columns. Raises NameTaken when another subforum has the name (also by coming back from the trash)."""
    try:
        with connection.begin_nested():
            connection.execute(update(subforums).where(subforums.c.id == subforum_id).values(**values))
    except IntegrityError as error:
        raise NameTaken(field="name") from error


def _select() -> Select[Any]:
    # Each subquery runs inside the index ix_topics_list; a join with GROUP BY would sort every topic.
    own = (topics.c.subforum_id == subforums.c.id, topics.c.deleted_at.is_(None))
    topic_count = select(func.count()).select_from(topics).where(*own).correlate(subforums).scalar_subquery()
    last_post_at = select(func.max(topics.c.last_post_at)).where(*own).correlate(subforums).scalar_subquery()
    return select(subforums, topic_count.label("topic_count"), last_post_at.label("last_post_at"))


def _subforum(row: Row[Any]) -> Subforum:
    values = dict(row._mapping)
    del values["name_key"]
    return Subforum(**values)
