"""Rows of ``subforums``, with the group they stand in and the last activity of their topics."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from forllm_server.errors import NameTaken, NotFound
from forllm_server.forum.model import Colour, RailSubforum, Subforum
from forllm_server.forum.tables import subforum_groups, subforums, topics

_IS_THERE = subforums.c.deleted_at.is_(None)
#: Those without a group first, then group by group, each in the order people gave them.
_ORDER = (
    func.coalesce(subforum_groups.c.position, -1),
    func.coalesce(subforum_groups.c.id, 0),
    subforums.c.position,
    subforums.c.id,
)
# Built once: it is asked with every page.
_RAIL = (
    select(subforums.c.id, subforums.c.name, subforums.c.colour, subforum_groups.c.name.label("group_name"))
    .outerjoin(subforum_groups, subforum_groups.c.id == subforums.c.group_id)
    .where(_IS_THERE)
    .order_by(*_ORDER)
)


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
    """All that are not in the trash: those without a group, then group by group, in the order people gave them."""
    query = _select().where(_IS_THERE).order_by(*_ORDER)
    return [_subforum(row) for row in connection.execute(query)]


def list_rail(connection: Connection) -> list[RailSubforum]:
    """What every page's rail shows of the subforums, in the same order."""
    return [
        RailSubforum(row.id, row.name, Colour(row.colour) if row.colour else None, row.group_name or "")
        for row in connection.execute(_RAIL)
    ]


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


def update_topic_count(connection: Connection, subforum_id: int, change: int) -> None:
    """Count ``change`` topics more, or fewer, in a subforum."""
    values = {"topic_count": subforums.c.topic_count + change}
    connection.execute(update(subforums).where(subforums.c.id == subforum_id).values(values))


def list_miscounted(connection: Connection) -> list[int]:
    """The subforums whose stored number of topics is wrong; counts them all."""
    counted = select(func.count()).where(topics.c.subforum_id == subforums.c.id, topics.c.deleted_at.is_(None))
    is_wrong = subforums.c.topic_count != counted.correlate(subforums).scalar_subquery()
    return list(connection.execute(select(subforums.c.id).where(subforums.c.name != "", is_wrong)).scalars())


def update_topic_counts(connection: Connection) -> None:
    """Count the topics of all subforums anew."""
    counted = select(func.count()).where(topics.c.subforum_id == subforums.c.id, topics.c.deleted_at.is_(None))
    connection.execute(update(subforums).values(topic_count=counted.correlate(subforums).scalar_subquery()))


def _select() -> Select[Any]:
    # A look at the end of the index ix_topics_list.
    own = (topics.c.subforum_id == subforums.c.id, topics.c.deleted_at.is_(None))
    last_post_at = select(func.max(topics.c.last_post_at)).where(*own).correlate(subforums).scalar_subquery()
    named = func.coalesce(subforum_groups.c.name, "").label("group_name")
    return select(subforums, named, last_post_at.label("last_post_at")).outerjoin(
        subforum_groups, subforum_groups.c.id == subforums.c.group_id
    )


def _subforum(row: Row[Any]) -> Subforum:
    values = dict(row._mapping)
    del values["name_key"]
    values["colour"] = Colour(values["colour"]) if values["colour"] else None
    return Subforum(**values)
