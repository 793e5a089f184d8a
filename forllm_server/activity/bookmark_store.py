"""Rows of ``bookmarks``, with what they were set on. Of a deleted post the text is withheld, as everywhere."""

from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, case, insert, literal, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from forllm_server.activity.model import Bookmark
from forllm_server.activity.tables import bookmarks
from forllm_server.db.among import among
from forllm_server.db.types import metadata
from forllm_server.errors import Conflict, NotFound

_c = bookmarks.c


def get_bookmark(connection: Connection, user_id: int, bookmark_id: int) -> Bookmark:
    """The reader's bookmark; raises NotFound."""
    row = connection.execute(_select(user_id).where(_c.id == bookmark_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such bookmark. It may have been removed.")
    return _bookmark(row)


def find_bookmark_of_post(connection: Connection, user_id: int, post_id: int) -> Bookmark | None:
    """The reader's bookmark of a post, if there is one."""
    row = connection.execute(_select(user_id).where(_c.post_id == post_id)).one_or_none()
    return _bookmark(row) if row else None


def list_bookmarks(
    connection: Connection, user_id: int, *, limit: int, after: tuple[datetime, int] | None = None
) -> list[Bookmark]:
    """The reader's bookmarks, the newest first, beginning after the moment and id of ``after``. What lies in the trash
    with its topic is left out."""
    query = _select(user_id).order_by(_c.created_at.desc(), _c.id.desc()).limit(limit)
    if after is not None:
        place = tuple_(literal(after[0], _c.created_at.type), literal(after[1]))
        query = query.where(tuple_(_c.created_at, _c.id) < place)
    return [_bookmark(row) for row in connection.execute(query)]


def list_bookmarked(connection: Connection, user_id: int, post_ids: Collection[int]) -> frozenset[int]:
    """Those of the posts that the reader bookmarked."""
    return frozenset(connection.execute(_bookmarked(), {"reader": user_id, "ids": [*post_ids]}).scalars())


@cache
def _bookmarked() -> Select[Any]:
    # Built once: it is asked with every page of every topic.
    own = (_c.user_id == bindparam("reader"), among(_c.post_id, "ids"))
    return select(_c.post_id).where(*own, _c.removed_at.is_(None))


def insert_bookmark(connection: Connection, user_id: int, post_id: int, note: str, now: datetime) -> int:
    """Add a bookmark; its id. One that was removed comes back. Raises Conflict when the reader has one on that post."""
    own = (_c.user_id == user_id, _c.post_id == post_id)
    back = update(bookmarks).where(*own, _c.removed_at.is_not(None)).returning(_c.id)
    bookmark_id = connection.execute(back.values(note=note, created_at=now, removed_at=None)).scalar_one_or_none()
    if bookmark_id is not None:
        return int(bookmark_id)
    statement = insert(bookmarks).values(user_id=user_id, post_id=post_id, note=note, created_at=now)
    try:
        with connection.begin_nested():
            return int(connection.execute(statement.returning(_c.id)).scalar_one())
    except IntegrityError as error:
        raise Conflict("This post is bookmarked already. Change the note of that bookmark.", field="post_id") from error


def update_bookmark(connection: Connection, bookmark_id: int, **values: Any) -> None:
    """Change columns."""
    connection.execute(update(bookmarks).where(_c.id == bookmark_id).values(**values))


def update_restored_bookmark(connection: Connection, user_id: int, bookmark_id: int) -> bool:
    """Let a removed bookmark be there again; whether there was one."""
    own = (_c.user_id == user_id, _c.id == bookmark_id)
    return connection.execute(update(bookmarks).where(*own).values(removed_at=None)).rowcount > 0


def _select(user_id: int) -> Select[Any]:
    posts, topics = metadata.tables["posts"], metadata.tables["topics"]
    subforums, users = metadata.tables["subforums"], metadata.tables["users"]
    return (
        select(
            _c.id,
            _c.post_id,
            _c.note,
            _c.created_at,
            posts.c.topic_id,
            topics.c.title,
            subforums.c.name.label("subforum_name"),
            posts.c.persona_name,
            posts.c.author_kind,
            users.c.name.label("user_name"),
            case((posts.c.deleted_at.is_(None), posts.c.content), else_="").label("content"),
        )
        .join(posts, posts.c.id == _c.post_id)
        .join(topics, topics.c.id == posts.c.topic_id)
        .join(subforums, subforums.c.id == topics.c.subforum_id)
        .join(users, users.c.id == posts.c.owner_id)
        .where(_c.user_id == user_id, _c.removed_at.is_(None))
        .where(topics.c.deleted_at.is_(None), subforums.c.deleted_at.is_(None))
    )


def _bookmark(row: Row[Any]) -> Bookmark:
    return Bookmark(
        id=row.id,
        post_id=row.post_id,
        topic_id=row.topic_id,
        topic_title=row.title,
        subforum_name=row.subforum_name,
        author_name=row.persona_name or row.user_name,
        is_by_persona=row.author_kind == "persona",
        content=row.content,
        note=row.note,
        created_at=row.created_at,
    )
