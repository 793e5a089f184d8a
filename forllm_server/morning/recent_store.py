"""What came last in the whole forum: topics, replies and personas; as cheap with a million posts as with ten."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from forllm_server.db.types import metadata
from forllm_server.forum.model import AuthorKind, Topic, TopicOrder
from forllm_server.forum.tables import posts, subforums, topics
from forllm_server.forum.topic_store import list_page
from forllm_server.personas.tables import persona_versions, personas

#: How many of each are told.
MOST = 10
#: So much of a reply is read for the line that shows it.
_BEGINNING = 600


@dataclass(frozen=True, slots=True)
class RecentReply:
    """A reply with where it stands. ``beginning``: of its text, Markdown."""

    post_id: int
    topic_id: int
    topic_title: str
    subforum_name: str
    author_name: str
    author_kind: AuthorKind
    model_name: str | None
    beginning: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RecentPersona:
    """A persona that was made or changed; ``number`` is that of its version, and 1 means that it is new."""

    persona_id: int
    name: str
    number: int
    note: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest of each, newest first."""

    topics: tuple[Topic, ...]
    replies: list[RecentReply]
    personas: list[RecentPersona]


def read_recent(connection: Connection, *, limit: int = MOST) -> Recent:
    """What was done last, ``limit`` of each. What is in the trash is left out."""
    return Recent(
        list_page(connection, TopicOrder.NEW, limit=limit).topics,
        list_recent_replies(connection, limit=limit),
        list_recent_personas(connection, limit=limit),
    )


def list_recent_replies(connection: Connection, *, limit: int) -> list[RecentReply]:
    """By people and by personas, newest first."""
    users = metadata.tables["users"]
    author = func.coalesce(posts.c.persona_name, users.c.name)
    query = (
        select(
            posts.c.id,
            posts.c.topic_id,
            topics.c.title,
            subforums.c.name,
            author,
            posts.c.author_kind,
            posts.c.model_name,
            func.substr(posts.c.content, 1, _BEGINNING),
            posts.c.created_at,
        )
        .select_from(
            posts.join(topics, topics.c.id == posts.c.topic_id)
            .join(subforums, subforums.c.id == topics.c.subforum_id)
            .join(users, users.c.id == posts.c.owner_id)
        )
        .where(posts.c.parent_id.is_not(None), posts.c.deleted_at.is_(None))
        .where(topics.c.deleted_at.is_(None), subforums.c.deleted_at.is_(None))
        .order_by(posts.c.id.desc())
        .limit(limit)
    )
    return [RecentReply(*row[:5], AuthorKind(row[5]), *row[6:]) for row in connection.execute(query)]


def list_recent_personas(connection: Connection, *, limit: int) -> list[RecentPersona]:
    """Those made or changed last; each once."""
    v = persona_versions.c
    query = (
        select(personas.c.id, personas.c.name, v.number, v.note, v.created_at)
        .join(persona_versions, v.id == personas.c.current_version_id)
        .where(personas.c.deleted_at.is_(None))
        .order_by(v.created_at.desc(), v.id.desc())
        .limit(limit)
    )
    return [RecentPersona(*row) for row in connection.execute(query)]
