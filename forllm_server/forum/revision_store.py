"""Rows of ``post_revisions``: the earlier texts of posts and the files they had with them.

Those of a deleted post are withheld like its own.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select

from forllm_server.db.types import metadata
from forllm_server.errors import NotFound
from forllm_server.forum.attachment_model import KeptFile
from forllm_server.forum.model import PostRevision
from forllm_server.forum.tables import post_revisions, posts


def get_revision(connection: Connection, post_id: int, number: int) -> PostRevision:
    """The earlier text ``number`` (1 is the oldest) of a post; raises NotFound."""
    query = _select().where(post_revisions.c.post_id == post_id, post_revisions.c.number == number)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("This post has no such earlier text.", field="number")
    return _revision(row)


def list_revisions(connection: Connection, post_id: int) -> list[PostRevision]:
    """All earlier texts of a post, newest first."""
    query = _select().where(post_revisions.c.post_id == post_id).order_by(post_revisions.c.number.desc())
    return [_revision(row) for row in connection.execute(query)]


def insert_revision(
    connection: Connection,
    *,
    post_id: int,
    number: int,
    content: str,
    editor_id: int,
    written_at: datetime,
    replaced_at: datetime,
    attachments: Sequence[KeptFile],
) -> None:
    connection.execute(
        insert(post_revisions).values(
            post_id=post_id,
            number=number,
            content=content,
            editor_id=editor_id,
            written_at=written_at,
            replaced_at=replaced_at,
            attachments=[asdict(each) for each in attachments],
        )
    )


def _select() -> Select[Any]:
    users = metadata.tables["users"]
    return (
        select(post_revisions, users.c.name.label("editor_name"))
        .join(users, users.c.id == post_revisions.c.editor_id)
        .join(posts, posts.c.id == post_revisions.c.post_id)
        .where(posts.c.deleted_at.is_(None))
    )


def _revision(row: Row[Any]) -> PostRevision:
    kept = row.attachments
    attachments = None if kept is None else tuple(KeptFile(**each) for each in kept)
    return PostRevision(**{**row._mapping, "attachments": attachments})
