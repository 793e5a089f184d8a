"""The newest posts of a part of the forum, for its feeds: as cheap with a million posts as with ten."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, select, union_all

from forllm_server.forum.model import AuthorKind
from forllm_server.forum.tables import posts, subforums, topics
from forllm_server.personas.tables import persona_versions

#: So many versions of a persona are looked at, the newest; older ones are followed by no feed reader.
_VERSIONS = 60


@dataclass(frozen=True)
class FeedPost:
    """A post in a feed, and what makes it look different when that changes."""

    post_id: int
    version: int
    render_version: int
    topic_title: str
    subforum_name: str
    updated_at: datetime


def list_newest(connection: Connection, *, limit: int) -> list[FeedPost]:
    """Of the whole forum, newest first."""
    return _list(connection, posts.c.id.is_not(None), limit)


def list_newest_of_topic(connection: Connection, topic_id: int, *, limit: int) -> list[FeedPost]:
    """Of a topic, newest first."""
    return _list(connection, posts.c.topic_id == topic_id, limit)


def list_newest_of_subforum(connection: Connection, subforum_id: int, *, limit: int) -> list[FeedPost]:
    """Of a subforum, newest first: they are among the newest of its last active topics."""
    query = (
        select(topics.c.id)
        .where(topics.c.subforum_id == subforum_id, topics.c.deleted_at.is_(None))
        .order_by(topics.c.last_post_at.desc(), topics.c.id.desc())
        .limit(limit)
    )
    return _list_among(connection, posts.c.topic_id, list(connection.execute(query).scalars()), limit)


def list_newest_of_persona(connection: Connection, persona_id: int, *, limit: int) -> list[FeedPost]:
    """Of a persona, by whichever of its versions, newest first."""
    query = (
        select(persona_versions.c.id)
        .where(persona_versions.c.persona_id == persona_id)
        .order_by(persona_versions.c.number.desc())
        .limit(_VERSIONS)
    )
    return _list_among(connection, posts.c.persona_version_id, list(connection.execute(query).scalars()), limit)


@dataclass(frozen=True)
class News:
    """A reply of a persona that somebody has not been told of."""

    post_id: int
    persona_name: str
    topic_title: str


def list_news(connection: Connection, *, after_id: int, limit: int) -> list[News]:
    """The newest replies of personas with an id above ``after_id``, newest first."""
    is_there = and_(posts.c.deleted_at.is_(None), topics.c.deleted_at.is_(None))
    query = (
        select(posts.c.id, posts.c.persona_name, topics.c.title)
        .select_from(posts.join(topics, topics.c.id == posts.c.topic_id))
        .where(posts.c.id > after_id, posts.c.author_kind == AuthorKind.PERSONA.value, is_there)
        .order_by(posts.c.id.desc())
        .limit(limit)
    )
    return [News(row[0], row[1] or "A persona", row[2]) for row in connection.execute(query)]


def _list_among(connection: Connection, column: Any, values: list[int], limit: int) -> list[FeedPost]:
    """Each value's newest by its index: all of them together would have to be sorted first."""
    if not values:
        return []
    parts: list[Select[Any]] = []
    for number, value in enumerate(values):
        newest = (
            select(posts.c.id)
            .where(column == value, posts.c.deleted_at.is_(None))
            .order_by(posts.c.id.desc())
            .limit(limit)
            .subquery(f"part_{number}")
        )
        parts.append(select(newest.c.id))
    found = union_all(*parts).subquery("found")
    return _list(connection, posts.c.id.in_(select(found.c.id)), limit)


def _list(connection: Connection, which: ColumnElement[bool], limit: int) -> list[FeedPost]:
    is_there = and_(posts.c.deleted_at.is_(None), topics.c.deleted_at.is_(None), subforums.c.deleted_at.is_(None))
    query = (
        select(
            posts.c.id,
            posts.c.version,
            posts.c.render_version,
            topics.c.title,
            subforums.c.name,
            posts.c.created_at,
            posts.c.edited_at,
        )
        .select_from(
            posts.join(topics, topics.c.id == posts.c.topic_id).join(subforums, subforums.c.id == topics.c.subforum_id)
        )
        .where(which, is_there)
        .order_by(posts.c.id.desc())
        .limit(limit)
    )
    return [FeedPost(*row[:5], row[6] or row[5]) for row in connection.execute(query)]
