"""Rows of ``drafts``, with the names of the places where they would be sent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from forllm_server.errors import NotFound
from forllm_server.forum.draft_model import ATTACHMENTS_FIELD, Draft, DraftKind, DraftPlace, DraftText
from forllm_server.forum.tables import drafts, posts, subforums, topics

_IS_KEPT = drafts.c.discarded_at.is_(None)


def get_draft(connection: Connection, draft_id: int, *, owner_id: int) -> Draft:
    """The draft, discarded or not; raises NotFound."""
    draft = find_draft(connection, draft_id, owner_id=owner_id)
    if draft is None:
        raise NotFound("There is no such draft. It may have been sent or discarded.")
    return draft


def find_draft(connection: Connection, draft_id: int, *, owner_id: int) -> Draft | None:
    row = connection.execute(_select(owner_id).where(drafts.c.id == draft_id)).one_or_none()
    return _draft(row) if row else None


def find_draft_of_writer(connection: Connection, place: DraftPlace, writer: str, *, owner_id: int) -> Draft | None:
    """The draft that this form saved last, if there is one."""
    query = _select(owner_id).where(_is_at(place), drafts.c.writer == writer, _IS_KEPT).limit(1)
    row = connection.execute(query).one_or_none()
    return _draft(row) if row else None


def list_drafts_of_place(connection: Connection, place: DraftPlace, *, owner_id: int, limit: int = 20) -> list[Draft]:
    """What was begun for a place, last written first."""
    query = _select(owner_id).where(_is_at(place), _IS_KEPT)
    ordered = query.order_by(drafts.c.updated_at.desc(), drafts.c.id.desc()).limit(limit)
    return [_draft(row) for row in connection.execute(ordered)]


def list_drafts(
    connection: Connection, *, owner_id: int, limit: int, after: tuple[datetime, int] | None = None
) -> list[Draft]:
    """A page of all drafts, last written first, beginning after the moment and id of one."""
    query = _select(owner_id).where(_IS_KEPT)
    if after is not None:
        place = tuple_(literal(after[0], drafts.c.updated_at.type), literal(after[1]))
        query = query.where(tuple_(drafts.c.updated_at, drafts.c.id) < place)
    ordered = query.order_by(drafts.c.updated_at.desc(), drafts.c.id.desc()).limit(limit)
    return [_draft(row) for row in connection.execute(ordered)]


def count_drafts(connection: Connection, *, owner_id: int) -> int:
    """How many are kept."""
    query = select(func.count()).select_from(drafts).where(drafts.c.owner_id == owner_id, _IS_KEPT)
    count: int = connection.execute(query).scalar_one()
    return count


def list_attachment_ids(connection: Connection) -> set[int]:
    """The files that drafts name, also those that were discarded and may come back."""
    found: set[int] = set()
    for fields in connection.execute(select(drafts.c.fields)).scalars():
        named = fields.get(ATTACHMENTS_FIELD) if isinstance(fields, Mapping) else None
        words = named if isinstance(named, list) else []
        found |= {int(word) for word in words if isinstance(word, str) and word.isascii() and word.isdecimal()}
    return found


def has_target(connection: Connection, place: DraftPlace) -> bool:
    """Whether the place is or was there: one in the trash may come back."""
    table = subforums if place.kind is DraftKind.TOPIC else posts
    return connection.execute(select(table.c.id).where(table.c.id == place.target_id)).one_or_none() is not None


def insert_draft(
    connection: Connection,
    place: DraftPlace,
    text: DraftText,
    *,
    owner_id: int,
    writer: str,
    format: int,
    now: datetime,
) -> int:
    """Add a draft; its id."""
    values = _values(text) | {
        "owner_id": owner_id,
        "kind": place.kind.value,
        "target_id": place.target_id,
        "writer": writer,
        "format": format,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
    draft_id: int = connection.execute(insert(drafts).values(values).returning(drafts.c.id)).scalar_one()
    return draft_id


def update_draft(
    connection: Connection,
    draft_id: int,
    text: DraftText,
    *,
    owner_id: int,
    writer: str,
    known_version: int | None,
    format: int,
    now: datetime,
) -> bool:
    """Write over a draft, unless another form did so since ``known_version``; whether it was written."""
    statement = update(drafts).where(drafts.c.owner_id == owner_id, _is_own(draft_id, writer, known_version), _IS_KEPT)
    values = {"version": drafts.c.version + 1, "writer": writer, "format": format, "updated_at": now}
    return connection.execute(statement.values(_values(text) | values)).rowcount == 1


def update_discarded(connection: Connection, draft_id: int, *, owner_id: int, discarded_at: datetime | None) -> bool:
    """Discard a draft, or with None take it back; whether there was one."""
    statement = update(drafts).where(drafts.c.id == draft_id, drafts.c.owner_id == owner_id)
    return connection.execute(statement.values(discarded_at=discarded_at)).rowcount == 1


def delete_draft(
    connection: Connection, draft_id: int, *, owner_id: int, writer: str, known_version: int | None
) -> bool:
    """Delete a draft that was sent, unless another form has written on since; whether it is gone."""
    statement = delete(drafts).where(drafts.c.owner_id == owner_id, _is_own(draft_id, writer, known_version))
    return connection.execute(statement).rowcount == 1


def delete_discarded_drafts(connection: Connection, *, until: datetime) -> int:
    """Delete what was discarded until that moment; how many."""
    return connection.execute(delete(drafts).where(drafts.c.discarded_at <= until)).rowcount


def _is_own(draft_id: int, writer: str, known_version: int | None) -> ColumnElement[bool]:
    seen = drafts.c.version == (known_version or 0)
    return and_(drafts.c.id == draft_id, or_(seen, and_(drafts.c.writer == writer, drafts.c.writer != "")))


def _is_at(place: DraftPlace) -> ColumnElement[bool]:
    return and_(drafts.c.kind == place.kind.value, drafts.c.target_id == place.target_id)


def _values(text: DraftText) -> dict[str, Any]:
    return {
        "title": text.title,
        "content": text.content,
        "fields": dict(text.fields),
        "post_version": text.post_version,
    }


def _select(owner_id: int) -> Select[Any]:
    is_for_topic = drafts.c.kind == DraftKind.TOPIC.value
    at_post = and_(drafts.c.kind != DraftKind.TOPIC.value, posts.c.id == drafts.c.target_id)
    of_subforum = or_(and_(is_for_topic, subforums.c.id == drafts.c.target_id), subforums.c.id == topics.c.subforum_id)
    return (
        select(
            drafts,
            subforums.c.name.label("subforum_name"),
            subforums.c.deleted_at.label("subforum_deleted_at"),
            topics.c.title.label("topic_title"),
            topics.c.deleted_at.label("topic_deleted_at"),
            posts.c.id.label("post_id"),
            posts.c.deleted_at.label("post_deleted_at"),
        )
        .select_from(drafts)
        .outerjoin(posts, at_post)
        .outerjoin(topics, topics.c.id == posts.c.topic_id)
        .outerjoin(subforums, of_subforum)
        .where(drafts.c.owner_id == owner_id)
    )


def _draft(row: Row[Any]) -> Draft:
    kind = DraftKind(row.kind)
    is_there = row.subforum_name is not None and row.subforum_deleted_at is None
    if kind is not DraftKind.TOPIC:
        is_there = is_there and row.post_id is not None and row.topic_deleted_at is None and row.post_deleted_at is None
    # Whatever stands in the column, written by whichever version: only an object holds fields.
    fields = row.fields if isinstance(row.fields, Mapping) else {}
    return Draft(
        id=row.id,
        place=DraftPlace(kind, row.target_id),
        text=DraftText(content=row.content, title=row.title, fields=fields, post_version=row.post_version),
        writer=row.writer,
        version=row.version,
        format=row.format,
        created_at=row.created_at,
        updated_at=row.updated_at,
        discarded_at=row.discarded_at,
        place_name=(row.subforum_name if kind is DraftKind.TOPIC else row.topic_title) or "",
        is_place_there=is_there,
    )
