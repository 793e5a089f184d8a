"""Rows of ``attachments``, and what the files hold, in pieces, once for all who attached the same."""

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from forllm_server.db.among import among
from forllm_server.errors import NotFound
from forllm_server.forum.attachment_model import Attachment
from forllm_server.forum.tables import attachment_contents, attachment_pieces, attachments, posts, subforums, topics

#: How much of a file is kept, and given away, at a time.
PIECE_BYTES = 256 * 1024

_a = attachments.c
_IS_KEPT = _a.deleted_at.is_(None)


def get_attachment(connection: Connection, attachment_id: int, *, reader_id: int) -> Attachment:
    """A file that the reader may see: one of a post that is there, or staged by the reader. Raises NotFound."""
    is_own = and_(_a.post_id.is_(None), _a.owner_id == reader_id)
    is_there = and_(posts.c.deleted_at.is_(None), topics.c.deleted_at.is_(None), subforums.c.deleted_at.is_(None))
    query = (
        _select()
        .outerjoin(posts, posts.c.id == _a.post_id)
        .outerjoin(topics, topics.c.id == posts.c.topic_id)
        .outerjoin(subforums, subforums.c.id == topics.c.subforum_id)
        .where(_a.id == attachment_id, _IS_KEPT)
        .where(or_(is_own, and_(_a.post_id.is_not(None), is_there)))
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("There is no such file. It may have been removed, or its post was deleted.")
    return _attachment(row)


def find_attachment(connection: Connection, attachment_id: int) -> Attachment | None:
    """The file, removed or not, whoever asks."""
    row = connection.execute(_select().where(_a.id == attachment_id)).one_or_none()
    return _attachment(row) if row else None


def list_attachments(connection: Connection, attachment_ids: Collection[int]) -> list[Attachment]:
    """Those of these files that are not removed, by id."""
    if not attachment_ids:
        return []
    query = _select().where(_a.id.in_(attachment_ids), _IS_KEPT).order_by(_a.id)
    return [_attachment(row) for row in connection.execute(query)]


def list_attachments_of_posts(connection: Connection, post_ids: Collection[int]) -> dict[int, tuple[Attachment, ...]]:
    """The files of each of these posts, in their order; posts without any are left out."""
    found: dict[int, tuple[Attachment, ...]] = {}
    for row in connection.execute(_of_posts(), {"posts": [*post_ids]}):
        found[row.post_id] = (*found.get(row.post_id, ()), _attachment(row))
    return found


@cache
def _of_posts() -> Select[Any]:
    # Built once: it is asked with every page of every topic.
    own = among(_a.post_id, "posts")
    return _select().where(own, _IS_KEPT).order_by(_a.post_id, _a.position, _a.id)


def list_removed(connection: Connection, post_id: int, attachment_ids: Collection[int]) -> list[Attachment]:
    """Those of these files of a post that lie in the trash, by id."""
    if not attachment_ids:
        return []
    query = _select().where(_a.post_id == post_id, _a.id.in_(attachment_ids), ~_IS_KEPT).order_by(_a.id)
    return [_attachment(row) for row in connection.execute(query)]


def list_attachments_of_topic(connection: Connection, topic_id: int, *, limit: int) -> list[Attachment]:
    """The files of a topic's posts, newest first."""
    query = _select().join(posts, posts.c.id == _a.post_id).where(posts.c.topic_id == topic_id, _IS_KEPT)
    there = query.where(posts.c.deleted_at.is_(None))
    return [_attachment(row) for row in connection.execute(there.order_by(_a.id.desc()).limit(limit))]


def count_bytes(connection: Connection) -> int:
    """What all files weigh together; the same content counts once."""
    query = select(func.coalesce(func.sum(attachment_contents.c.size_bytes), 0))
    return int(connection.execute(query).scalar_one())


def has_content(connection: Connection, digest: str) -> bool:
    """Whether a file of this content is there already. It stays as long as this transaction lasts."""
    query = select(attachment_contents.c.digest).where(attachment_contents.c.digest == digest)
    return connection.execute(query.with_for_update(read=True)).one_or_none() is not None


def find_piece(connection: Connection, digest: str, number: int) -> bytes | None:
    """A piece of a content, from 0; None after the last."""
    is_piece = (attachment_pieces.c.digest == digest, attachment_pieces.c.number == number)
    content = connection.execute(select(attachment_pieces.c.content).where(*is_piece)).scalar_one_or_none()
    return None if content is None else bytes(content)


_INSERT_CONTENT: dict[str, Any] = {
    "sqlite": sqlite.insert(attachment_contents).on_conflict_do_nothing().returning(attachment_contents.c.digest),
    "postgresql": postgresql.insert(attachment_contents)
    .on_conflict_do_nothing()
    .returning(attachment_contents.c.digest),
}


def insert_content(connection: Connection, digest: str, size_bytes: int, pieces: Iterable[bytes]) -> None:
    """Keep a content; one that somebody else has just kept is left as it is."""
    named = {"digest": digest, "size_bytes": size_bytes}
    if connection.execute(_INSERT_CONTENT[connection.dialect.name], named).first() is None:
        return
    for number, piece in enumerate(pieces):
        connection.execute(insert(attachment_pieces).values(digest=digest, number=number, content=piece))


def insert_attachment(
    connection: Connection, *, owner_id: int, name: str, media_type: str, label: str, digest: str, now: datetime
) -> int:
    """Add a staged file; its id."""
    statement = insert(attachments).values(
        owner_id=owner_id, name=name, media_type=media_type, label=label, digest=digest, created_at=now
    )
    attachment_id: int = connection.execute(statement.returning(_a.id)).scalar_one()
    return attachment_id


def update_attached(connection: Connection, attachment_id: int, *, post_id: int, position: int) -> bool:
    """Make a staged file one of a post; False when it is staged no more."""
    is_staged = (_a.id == attachment_id, _a.post_id.is_(None), _IS_KEPT)
    return (
        connection.execute(update(attachments).where(*is_staged).values(post_id=post_id, position=position)).rowcount
        > 0
    )


def update_deleted(connection: Connection, attachment_ids: Collection[int], *, deleted_at: datetime | None) -> int:
    """Put files into the trash, or with None take them out; how many were moved."""
    is_other = _IS_KEPT if deleted_at is not None else ~_IS_KEPT
    statement = update(attachments).where(_a.id.in_(attachment_ids), is_other).values(deleted_at=deleted_at)
    return connection.execute(statement).rowcount


def delete_staged(connection: Connection, *, before: datetime, except_ids: Collection[int]) -> int:
    """Delete what was staged before that moment and is named by none of ``except_ids``; how many."""
    old = select(_a.id).where(_a.post_id.is_(None), _a.created_at < before)
    gone = [found for found in connection.execute(old).scalars() if found not in except_ids]
    return delete_attachments(connection, gone)


def delete_attachments(connection: Connection, attachment_ids: Collection[int]) -> int:
    """Delete files for good; how many. What they held goes with :func:`delete_unused_contents`."""
    return connection.execute(delete(attachments).where(_a.id.in_(attachment_ids))).rowcount if attachment_ids else 0


def delete_attachments_in_trash(connection: Connection, *, until: datetime) -> int:
    """Delete for good what was removed until that moment; how many."""
    return connection.execute(delete(attachments).where(_a.deleted_at <= until)).rowcount


def delete_unused_contents(connection: Connection) -> int:
    """Delete what no file holds any more; how many contents."""
    is_used = exists().where(_a.digest == attachment_contents.c.digest)
    return connection.execute(delete(attachment_contents).where(~is_used)).rowcount


def _select() -> Select[Any]:
    return select(attachments, attachment_contents.c.size_bytes).join(
        attachment_contents, attachment_contents.c.digest == _a.digest
    )


def _attachment(row: Row[Any]) -> Attachment:
    return Attachment(**row._mapping)
