"""What lies in the trash, and its erasure.

Erased rows stay as empty shells: replies hang on them, and LLM requests and other rooms point at them. A text, title
or name is never empty otherwise, so an empty one tells an erased row.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
    update,
)

from forllm_server.db.types import metadata
from forllm_server.forum.model import TrashItem, TrashKind, TrashPlace
from forllm_server.forum.tables import attachments, post_revisions, posts, subforums, topics

_EXCERPT_CHARS = 200


def list_trash(connection: Connection, *, limit: int, after: TrashPlace | None = None) -> list[TrashItem]:
    """What can be restored, last deleted first; with ``after`` what comes after that place."""
    personas = metadata.tables["personas"]
    parts = [
        _part(TrashKind.SUBFORUM, subforums, subforums.c.name, subforums.c.name),
        # What was merged into another topic is no more: its posts are there.
        _part(TrashKind.TOPIC, topics, topics.c.title, topics.c.title).where(topics.c.moved_to_post_id.is_(None)),
        _part(TrashKind.POST, posts, posts.c.content, topics.c.title, func.substr(posts.c.content, 1, _EXCERPT_CHARS))
        .join(topics, topics.c.id == posts.c.topic_id)
        .where(topics.c.deleted_at.is_(None)),
        _part(TrashKind.ATTACHMENT, attachments, attachments.c.name, attachments.c.name, topics.c.title)
        .join(posts, posts.c.id == attachments.c.post_id)
        .join(topics, topics.c.id == posts.c.topic_id)
        .where(posts.c.deleted_at.is_(None), topics.c.deleted_at.is_(None)),
        _part(TrashKind.PERSONA, personas, personas.c.name, personas.c.name).where(personas.c.erased_at.is_(None)),
    ]
    trash = union_all(*parts).subquery()
    order = (trash.c.deleted_at, trash.c.kind, trash.c.id)
    query = select(trash).order_by(*(column.desc() for column in order)).limit(limit)
    if after is not None:
        query = query.where(
            tuple_(*order) < tuple_(*(literal(part, each.type) for part, each in zip(after, order, strict=True)))
        )
    return [_item(row) for row in connection.execute(query)]


def is_post_erased(connection: Connection, post_id: int) -> bool:
    """Whether nothing is left of a deleted post that could be restored."""
    return connection.execute(select(posts.c.content == "").where(posts.c.id == post_id)).scalar_one()


def update_erased_posts(connection: Connection, *, until: datetime, now: datetime) -> int:
    """Erase the posts deleted until that moment, and all posts of such topics and subforums; how many."""
    dead_topics = (
        select(topics.c.id)
        .join(subforums, subforums.c.id == topics.c.subforum_id)
        .where(topics.c.title != "", or_(topics.c.deleted_at <= until, subforums.c.deleted_at <= until))
    )
    return _erase_posts(connection, posts.c.deleted_at <= until, now) + _erase_posts(
        connection, posts.c.topic_id.in_(dead_topics), now
    )


def update_erased_topics(connection: Connection, *, until: datetime, now: datetime) -> int:
    """Erase the titles of topics deleted until that moment, and of all topics of such subforums; how many."""
    dead_subforums = select(subforums.c.id).where(subforums.c.name != "", subforums.c.deleted_at <= until)
    is_dead = or_(topics.c.deleted_at <= until, topics.c.subforum_id.in_(dead_subforums))
    values = {"title": "", "deleted_at": func.coalesce(topics.c.deleted_at, _moment(now))}
    return connection.execute(update(topics).where(topics.c.title != "", is_dead).values(values)).rowcount


def update_erased_subforums(connection: Connection, *, until: datetime) -> int:
    """Erase the names of subforums deleted until that moment; how many."""
    is_dead = (subforums.c.name != "", subforums.c.deleted_at <= until)
    values = {"name": "", "name_key": "", "description": ""}
    return connection.execute(update(subforums).where(*is_dead).values(values)).rowcount


def _erase_posts(connection: Connection, which: ColumnElement[bool], now: datetime) -> int:
    dead = select(posts.c.id).where(posts.c.content != "", which)
    connection.execute(delete(post_revisions).where(post_revisions.c.post_id.in_(dead)))
    connection.execute(delete(attachments).where(attachments.c.post_id.in_(dead)))
    values = {
        "content": "",
        "content_html": None,
        "thinking": None,
        "deleted_at": func.coalesce(posts.c.deleted_at, _moment(now)),
        "version": posts.c.version + 1,
        "revision_count": 0,
    }
    return connection.execute(update(posts).where(posts.c.content != "", which).values(values)).rowcount


def _moment(now: datetime) -> ColumnElement[datetime]:
    return literal(now, posts.c.deleted_at.type)


def _part(
    kind: TrashKind,
    table: Table,
    erased_when_empty: ColumnElement[str],
    title: ColumnElement[str],
    excerpt: ColumnElement[str] | None = None,
) -> Select[Any]:
    return (
        select(
            literal(kind.value).label("kind"),
            table.c.id.label("id"),
            title.label("title"),
            (literal("") if excerpt is None else excerpt).label("excerpt"),
            table.c.deleted_at.label("deleted_at"),
        )
        .select_from(table)
        .where(table.c.deleted_at.is_not(None), erased_when_empty != "")
    )


def _item(row: Row[Any]) -> TrashItem:
    return TrashItem(
        kind=TrashKind(row.kind), id=row.id, title=row.title, excerpt=row.excerpt, deleted_at=row.deleted_at
    )
