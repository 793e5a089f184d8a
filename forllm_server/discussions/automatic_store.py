"""Rows of ``automatic_replies``: one a topic at most."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from forllm_server.discussions.model import AutomaticEnding, AutomaticReplies
from forllm_server.discussions.tables import automatic_replies

_c = automatic_replies.c
_OF_TOPIC = select(automatic_replies).where(_c.topic_id == bindparam("topic"))


def find_automatic(connection: Connection, topic_id: int) -> AutomaticReplies | None:
    """Those of a topic, on or ended; None when there never were any."""
    return _found(connection.execute(_OF_TOPIC, {"topic": topic_id}).one_or_none())


def find_automatic_to_change(connection: Connection, topic_id: int) -> AutomaticReplies | None:
    """Like :func:`find_automatic`, and nobody else changes them before this transaction ends."""
    query = select(automatic_replies).where(_c.topic_id == topic_id).with_for_update()
    return _found(connection.execute(query).one_or_none())


def replace_automatic(connection: Connection, new: AutomaticReplies) -> AutomaticReplies:
    """Let these be the topic's, with nothing asked yet."""
    fresh = replace(new, asked_count=0, ending=None, ended_at=None)
    connection.execute(delete(automatic_replies).where(_c.topic_id == new.topic_id))
    connection.execute(insert(automatic_replies).values(vars(fresh) | {"persona_ids": list(fresh.persona_ids)}))
    return fresh


def update_asked_count(connection: Connection, topic_id: int, asked_count: int) -> None:
    connection.execute(update(automatic_replies).where(_c.topic_id == topic_id).values(asked_count=asked_count))


def update_automatic_ending(connection: Connection, topic_id: int, ending: AutomaticEnding, now: datetime) -> None:
    """Nothing more is asked by itself."""
    values = {"ending": ending.value, "ended_at": now}
    is_on = (_c.topic_id == topic_id, _c.ended_at.is_(None))
    connection.execute(update(automatic_replies).where(*is_on).values(values))


def _found(row: Row[Any] | None) -> AutomaticReplies | None:
    if row is None:
        return None
    values = dict(row._mapping)
    values["persona_ids"] = tuple(values["persona_ids"])
    values["is_each_other"] = bool(values["is_each_other"])
    values["ending"] = AutomaticEnding(values["ending"]) if values["ending"] else None
    return AutomaticReplies(**values)
