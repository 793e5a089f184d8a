"""Rows of ``recurring_topics``, with the names of their subforums and the topics they opened last."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, func, insert, select, update

from forllm_server.db.types import metadata
from forllm_server.errors import NotFound
from forllm_server.schedule.recurrence import Missed, RecurringDraft, RecurringTopic, TopicAsk
from forllm_server.schedule.tables import recurring_topics

_GONE = "There is no such recurring topic. It may have been deleted."


def list_recurring_topics(connection: Connection, *, is_enabled: bool | None = None) -> list[RecurringTopic]:
    """All, or all that are (not) enabled, in the order they were made."""
    query = _select().order_by(recurring_topics.c.id)
    if is_enabled is not None:
        query = query.where(recurring_topics.c.is_enabled == is_enabled)
    return [_recurring(row) for row in connection.execute(query)]


def count_recurring_topics(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(recurring_topics)).scalar_one()


def get_recurring_topic(connection: Connection, recurring_id: int) -> RecurringTopic:
    """The recurring topic, or :class:`NotFound`."""
    return _existing(connection.execute(_one(recurring_id)).one_or_none())


def get_recurring_topic_to_change(connection: Connection, recurring_id: int) -> RecurringTopic:
    """Like :func:`get_recurring_topic`, and nobody else changes it before this transaction ends."""
    return _existing(connection.execute(_one(recurring_id).with_for_update(of=recurring_topics)).one_or_none())


def find_due_to_change(connection: Connection, recurring_id: int, now: datetime) -> RecurringTopic | None:
    """The recurring topic if it is due; nobody else changes it before this transaction ends."""
    query = _one(recurring_id).where(*_due(now)).with_for_update(of=recurring_topics)
    row = connection.execute(query).one_or_none()
    return _recurring(row) if row else None


def list_due_ids(connection: Connection, now: datetime) -> list[int]:
    """Those that are due, the longest due first."""
    query = select(recurring_topics.c.id).where(*_due(now)).order_by(recurring_topics.c.next_at, recurring_topics.c.id)
    return list(connection.execute(query).scalars())


def insert_recurring_topic(
    connection: Connection, draft: RecurringDraft, *, next_at: datetime | None, owner_id: int, now: datetime
) -> RecurringTopic:
    values = _values(draft) | {"owner_id": owner_id, "created_at": now, "next_at": next_at, "opened_count": 0}
    statement = insert(recurring_topics).values(values).returning(recurring_topics.c.id)
    return get_recurring_topic(connection, connection.execute(statement).scalar_one())


def update_draft(connection: Connection, recurring_id: int, draft: RecurringDraft, *, next_at: datetime | None) -> None:
    """Replace what a person decides; what went wrong before is forgotten."""
    _update(connection, recurring_id, _values(draft) | {"next_at": next_at, "last_problem": None})


def update_next(connection: Connection, recurring_id: int, next_at: datetime) -> None:
    """Change only when it is next due."""
    _update(connection, recurring_id, {"next_at": next_at})


def update_passed_over(connection: Connection, recurring_id: int, next_at: datetime, *, problem: str | None) -> None:
    """Go on to the next occurrence without having opened anything."""
    _update(connection, recurring_id, {"next_at": next_at, "last_problem": problem})


def update_disabled(connection: Connection, recurring_id: int, *, problem: str | None) -> None:
    """Switch it off, and say why if it was not a person."""
    _update(connection, recurring_id, {"is_enabled": False, "next_at": None, "last_problem": problem})


def update_occurrence(
    connection: Connection, recurring: RecurringTopic, *, occurrence: datetime, next_at: datetime
) -> bool:
    """Take ``occurrence`` as the one dealt with, if nobody has moved on from what ``recurring`` says; whether so."""
    statement = update(recurring_topics).where(
        recurring_topics.c.id == recurring.id,
        recurring_topics.c.is_enabled,
        recurring_topics.c.next_at == recurring.next_at,
        recurring_topics.c.last_occurrence_at.is_not_distinct_from(recurring.last_occurrence_at),
    )
    changed = connection.execute(statement.values(last_occurrence_at=occurrence, next_at=next_at))
    return bool(changed.rowcount)


def update_opened(connection: Connection, recurring: RecurringTopic, *, topic_id: int, problem: str | None) -> None:
    """A topic was opened. The caller holds the row: see :func:`get_recurring_topic_to_change`."""
    values = {"opened_count": recurring.opened_count + 1, "last_topic_id": topic_id, "last_problem": problem}
    _update(connection, recurring.id, values)


def delete_recurring_topic(connection: Connection, recurring_id: int) -> None:
    """:class:`NotFound` when there is none."""
    if not connection.execute(delete(recurring_topics).where(recurring_topics.c.id == recurring_id)).rowcount:
        raise NotFound(_GONE)


def has_subforum(connection: Connection, subforum_id: int) -> bool:
    """Whether there is such a subforum, not in the trash."""
    return _is_there(connection, "subforums", subforum_id)


def has_persona(connection: Connection, persona_id: int) -> bool:
    """Whether there is such a persona, not deleted."""
    return _is_there(connection, "personas", persona_id)


def has_model(connection: Connection, model_id: int) -> bool:
    """Whether there is such a model; it need not be available today."""
    models = metadata.tables["models"]
    return connection.execute(select(models.c.id).where(models.c.id == model_id)).first() is not None


def _is_there(connection: Connection, table: str, row_id: int) -> bool:
    rows = metadata.tables[table]
    condition = (rows.c.id == row_id) & rows.c.deleted_at.is_(None)
    return connection.execute(select(rows.c.id).where(condition)).first() is not None


def _select() -> Select[Any]:
    subforums, topics = metadata.tables["subforums"], metadata.tables["topics"]
    in_subforum = and_(subforums.c.id == recurring_topics.c.subforum_id, subforums.c.deleted_at.is_(None))
    last_topic = and_(topics.c.id == recurring_topics.c.last_topic_id, topics.c.deleted_at.is_(None))
    return (
        select(
            recurring_topics,
            subforums.c.name.label("subforum_name"),
            topics.c.title.label("last_topic_title"),
        )
        .outerjoin(subforums, in_subforum)
        .outerjoin(topics, last_topic)
    )


def _one(recurring_id: int) -> Select[Any]:
    return _select().where(recurring_topics.c.id == recurring_id)


def _due(now: datetime) -> tuple[Any, ...]:
    return (recurring_topics.c.is_enabled, recurring_topics.c.next_at <= now)


def _update(connection: Connection, recurring_id: int, values: dict[str, Any]) -> None:
    connection.execute(update(recurring_topics).where(recurring_topics.c.id == recurring_id).values(values))


def _values(draft: RecurringDraft) -> dict[str, Any]:
    return {
        "subforum_id": draft.subforum_id,
        "title": draft.title,
        "content": draft.content,
        "asks": [{"persona_id": ask.persona_id, "model_id": ask.model_id} for ask in draft.asks],
        "days": draft.day_list,
        "minute": draft.minute,
        "timezone": draft.timezone,
        "missed": draft.missed.value,
        "is_enabled": draft.is_enabled,
    }


def _existing(row: Row[Any] | None) -> RecurringTopic:
    if row is None:
        raise NotFound(_GONE)
    return _recurring(row)


def _recurring(row: Row[Any]) -> RecurringTopic:
    values = dict(row._mapping)
    return RecurringTopic(
        **values
        | {
            "asks": tuple(TopicAsk(**ask) for ask in row.asks),
            "days": frozenset(row.days),
            "missed": Missed(row.missed),
        }
    )
