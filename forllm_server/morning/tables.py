"""What is kept of nights, and the indexes that their reports need on other rooms' tables."""

from sqlalchemy import Boolean, Column, Date, ForeignKey, Index, Integer, Table, Text, false, text

from forllm_server.db.types import Id, UtcDateTime, metadata
from forllm_server.forum.tables import posts
from forllm_server.queue.tables import llm_requests

#: A night as it was while it was under way: later the schedule may be another one.
nights = Table(
    "nights",
    metadata,
    # The date of its morning, in the forum's zone.
    Column("day", Date, primary_key=True),
    Column("begins_at", UtcDateTime),
    Column("ends_at", UtcDateTime),
    Column("counts_from", UtcDateTime, nullable=False),
    Column("counts_until", UtcDateTime, nullable=False),
    # When it was summed up, and its messages were put in line; of several processes one does it.
    Column("closed_at", UtcDateTime),
)

#: A topic's night in a line; the key keeps it from being asked twice.
gists = Table(
    "gists",
    metadata,
    Column("day", Date, primary_key=True),
    Column("topic_id", Id, ForeignKey("topics.id", ondelete="CASCADE"), primary_key=True),
    # No foreign key: what a model wrote stays when the request's row is cleared up.
    Column("llm_request_id", Id),
    Column("replies", Integer, nullable=False),
    Column("line", Text, nullable=False, server_default=""),
    Column("disagreement", Text, nullable=False, server_default=""),
    Column("model_name", Text, nullable=False, server_default=""),
    Column("persona_version_id", Id, ForeignKey("persona_versions.id")),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("written_at", UtcDateTime),
    Index("ix_gists_topic_id", "topic_id"),
)

#: Pauses as they were seen: ``queue_pauses`` holds only what is now.
pause_records = Table(
    "pause_records",
    metadata,
    # 0: the whole queue; else a backend's id.
    Column("scope", Id, primary_key=True, autoincrement=False),
    Column("began_at", UtcDateTime, primary_key=True),
    Column("ended_at", UtcDateTime),
    Column("reason", Text, nullable=False, server_default=""),
    Column("is_by_machine", Boolean, nullable=False, server_default=false()),
    Index("ix_pause_records_began_at", "began_at"),
)

# What ended in a night, and how: without it a report would read the whole history.
_HAS_ENDED = text("finished_at IS NOT NULL")
Index(
    "ix_llm_requests_finished",
    llm_requests.c.status,
    llm_requests.c.finished_at,
    sqlite_where=_HAS_ENDED,
    postgresql_where=_HAS_ENDED,
)
# The newest posts of a topic and of a persona's version: for the feeds.
Index("ix_posts_topic_newest", posts.c.topic_id, posts.c.id)
_IS_BY_PERSONA = text("persona_version_id IS NOT NULL")
Index(
    "ix_posts_persona_newest",
    posts.c.persona_version_id,
    posts.c.id,
    sqlite_where=_IS_BY_PERSONA,
    postgresql_where=_IS_BY_PERSONA,
)
