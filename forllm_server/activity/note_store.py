"""Rows of ``topic_notes``: a reader's own words about topics. Nobody else and no model is shown them."""

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Select, bindparam, delete, select

from forllm_server.activity.model import TopicNote
from forllm_server.activity.tables import topic_notes
from forllm_server.db.types import metadata
from forllm_server.db.upsert import insert_or_update

_c = topic_notes.c


def find_note(connection: Connection, user_id: int, topic_id: int) -> TopicNote | None:
    """The reader's note on a topic, if there is one."""
    row = connection.execute(_of_topic(), {"reader": user_id, "topic": topic_id}).one_or_none()
    return _note(row) if row else None


@cache
def _of_topic() -> Select[Any]:
    # Built once: it is asked with every page of every topic.
    return _select(bindparam("reader")).where(_c.topic_id == bindparam("topic"))


def list_notes(connection: Connection, user_id: int, *, limit: int) -> list[TopicNote]:
    """The reader's notes, the one changed last first."""
    query = _select(user_id).order_by(_c.changed_at.desc(), _c.topic_id.desc()).limit(limit)
    return [_note(row) for row in connection.execute(query)]


def replace_note(connection: Connection, user_id: int, topic_id: int, content: str, now: datetime) -> None:
    """Keep a note in place of the one before."""
    keys = {"user_id": user_id, "topic_id": topic_id}
    insert_or_update(connection, topic_notes, keys, {"content": content, "changed_at": now})


def delete_note(connection: Connection, user_id: int, topic_id: int) -> None:
    connection.execute(delete(topic_notes).where(_c.user_id == user_id, _c.topic_id == topic_id))


def _select(user_id: int | BindParameter[int]) -> Select[Any]:
    topics, subforums = metadata.tables["topics"], metadata.tables["subforums"]
    return (
        select(_c.topic_id, topics.c.title, _c.content, _c.changed_at)
        .join(topics, topics.c.id == _c.topic_id)
        .join(subforums, subforums.c.id == topics.c.subforum_id)
        .where(_c.user_id == user_id, topics.c.deleted_at.is_(None), subforums.c.deleted_at.is_(None))
    )


def _note(row: Row[Any]) -> TopicNote:
    return TopicNote(row.topic_id, row.title, row.content, row.changed_at)
