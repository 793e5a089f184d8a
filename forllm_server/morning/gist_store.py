"""Rows of ``gists``."""

from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import Connection, select, update

from forllm_server.db.upsert import insert_here
from forllm_server.morning.model import Gist
from forllm_server.morning.tables import gists

_g = gists.c
_COLUMNS = (
    *(_g.day, _g.topic_id, _g.llm_request_id, _g.replies, _g.line, _g.disagreement, _g.model_name),
    *(_g.persona_version_id, _g.written_at),
)


def list_gists(connection: Connection, day: date, topic_ids: Collection[int] | None = None) -> dict[int, Gist]:
    """The gists of a night by topic, those that are only asked for too; of all topics or of these."""
    query = select(*_COLUMNS).where(_g.day == day)
    if topic_ids is not None:
        query = query.where(_g.topic_id.in_(topic_ids))
    return {row.topic_id: Gist(*row) for row in connection.execute(query)}


def insert_gist(connection: Connection, day: date, topic_id: int, *, replies: int, now: datetime) -> bool:
    """Take the place of a topic's gist; False when somebody has it already."""
    statement = insert_here(connection, gists).values(day=day, topic_id=topic_id, replies=replies, asked_at=now)
    return connection.execute(statement.on_conflict_do_nothing().returning(_g.topic_id)).first() is not None


def update_asked(connection: Connection, day: date, topic_id: int, llm_request_id: int) -> None:
    """Note which LLM request is to write a gist."""
    own = (_g.day == day, _g.topic_id == topic_id)
    connection.execute(update(gists).where(*own).values(llm_request_id=llm_request_id))


def update_written(connection: Connection, gist: Gist) -> bool:
    """Keep what was written; False when the topic is gone."""
    own = (_g.day == gist.day, _g.topic_id == gist.topic_id)
    values = {
        "line": gist.line,
        "disagreement": gist.disagreement,
        "model_name": gist.model_name,
        "persona_version_id": gist.persona_version_id,
        "written_at": gist.written_at,
    }
    return connection.execute(update(gists).where(*own).values(values)).rowcount > 0
