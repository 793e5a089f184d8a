"""Rows of ``topics``, with the names of their subforum and of who opened them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)

from forllm_server.db.types import metadata
from forllm_server.errors import NotFound
from forllm_server.forum.model import Topic, TopicKind
from forllm_server.forum.tables import posts, subforums, topics

_IS_THERE = and_(topics.c.deleted_at.is_(None), subforums.c.deleted_at.is_(None))


@dataclass(frozen=True, slots=True)
class TopicCursor:
    """The last topic of a page: the next page begins after it."""

    last_post_at: datetime
    id: int

    @classmethod
    def after(cls, topic: Topic) -> "TopicCursor":
        return cls(topic.last_post_at, topic.id)


def get_topic(connection: Connection, topic_id: int) -> Topic:
    """The topic; raises NotFound when there is none or it (or its subforum) lies in the trash."""
    row = connection.execute(_select().where(topics.c.id == topic_id, _IS_THERE)).one_or_none()
    if row is None:
        raise NotFound("There is no such topic. It may have been deleted.")
    return _topic(row)


def find_topic(connection: Connection, topic_id: int) -> Topic | None:
    """The topic, in the trash or not."""
    row = connection.execute(_select().where(topics.c.id == topic_id)).one_or_none()
    return _topic(row) if row else None


def get_version(connection: Connection, topic_id: int) -> int:
    """The topic's version alone, for polls; raises NotFound like :func:`get_topic`."""
    query = select(topics.c.version).join(subforums, subforums.c.id == topics.c.subforum_id)
    version: int | None = connection.execute(query.where(topics.c.id == topic_id, _IS_THERE)).scalar_one_or_none()
    if version is None:
        raise NotFound("There is no such topic. It may have been deleted.")
    return version


def list_topics(
    connection: Connection, subforum_id: int, *, limit: int, after: TopicCursor | None = None
) -> list[Topic]:
    """A page of a subforum's topics, newest activity first, beginning after the topic of the cursor."""
    query = _select().where(topics.c.subforum_id == subforum_id, _IS_THERE)
    return _list(connection, query, limit, after)


def list_recent_topics(connection: Connection, *, limit: int, after: TopicCursor | None = None) -> list[Topic]:
    """A page of the topics of all subforums, newest activity first."""
    return _list(connection, _select().where(_IS_THERE), limit, after)


def list_titles(connection: Connection, topic_ids: Collection[int]) -> dict[int, str]:
    """The titles by id of those topics that are not in the trash."""
    query = select(topics.c.id, topics.c.title).where(topics.c.id.in_(topic_ids), topics.c.deleted_at.is_(None))
    return {row.id: row.title for row in connection.execute(query)}


def insert_topic(
    connection: Connection, *, owner_id: int, subforum_id: int, kind: TopicKind, title: str, now: datetime
) -> int:
    """Add a topic without posts; its id."""
    statement = insert(topics).values(
        subforum_id=subforum_id,
        owner_id=owner_id,
        kind=kind.value,
        title=title,
        created_at=now,
        last_post_at=now,
        post_count=0,
        version=1,
    )
    topic_id: int = connection.execute(statement.returning(topics.c.id)).scalar_one()
    return topic_id


def update_topic(connection: Connection, topic_id: int, **values: Any) -> None:
    """Change columns and bump the version."""
    _update(connection, topic_id, **values)


def update_for_new_post(connection: Connection, topic_id: int, now: datetime) -> None:
    """Count one post more, written ``now``."""
    connection.execute(_new_post(), {"topic": topic_id, "now": now})


@cache
def _new_post() -> Update:
    # Built once: it runs for every post. A post may be committed after one that was begun later; the newest activity
    # must not go backwards.
    moment = bindparam("now", type_=topics.c.last_post_at.type)
    newest = case((topics.c.last_post_at > moment, topics.c.last_post_at), else_=moment)
    return (
        update(topics)
        .where(topics.c.id == bindparam("topic"))
        .values(version=topics.c.version + 1, post_count=topics.c.post_count + 1, last_post_at=newest)
    )


def update_for_deleted_post(connection: Connection, topic_id: int, created_at: datetime) -> None:
    """Count one post fewer; what was written at ``created_at`` is no longer the newest activity."""
    _update(connection, topic_id, post_count=topics.c.post_count - 1)
    newest = select(func.max(posts.c.created_at)).where(posts.c.topic_id == topic_id, posts.c.deleted_at.is_(None))
    # Only then is it worth looking through the topic's posts.
    was_newest = and_(topics.c.id == topic_id, topics.c.last_post_at <= literal(created_at, posts.c.created_at.type))
    connection.execute(update(topics).where(was_newest).values(last_post_at=newest.scalar_subquery()))


def _update(connection: Connection, topic_id: int, **values: Any) -> None:
    connection.execute(update(topics).where(topics.c.id == topic_id).values(version=topics.c.version + 1, **values))


def _list(connection: Connection, query: Select[Any], limit: int, after: TopicCursor | None) -> list[Topic]:
    if after is not None:
        query = query.where(_is_after(after))
    ordered = query.order_by(topics.c.last_post_at.desc(), topics.c.id.desc()).limit(limit)
    return [_topic(row) for row in connection.execute(ordered)]


def _is_after(cursor: TopicCursor) -> ColumnElement[bool]:
    place = tuple_(literal(cursor.last_post_at, topics.c.last_post_at.type), literal(cursor.id))
    return tuple_(topics.c.last_post_at, topics.c.id) < place


def _select() -> Select[Any]:
    users = metadata.tables["users"]
    return (
        select(topics, subforums.c.name.label("subforum_name"), users.c.name.label("author_name"))
        .join(subforums, subforums.c.id == topics.c.subforum_id)
        .join(users, users.c.id == topics.c.owner_id)
    )


def _topic(row: Row[Any]) -> Topic:
    values = dict(row._mapping)
    values["kind"] = TopicKind(values["kind"])
    return Topic(**values)
