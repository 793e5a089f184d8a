"""When models may work: the windows of the week and the dates that differ from it."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Integer, Table, Text

from forllm_server.db.types import Id, Json, UtcDateTime, metadata

schedule_windows = Table(
    "schedule_windows",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    # null: for every backend without windows of its own
    Column("backend_id", Id, ForeignKey("backends.id"), nullable=True),
    # list of "mon" … "sun"
    Column("days", Json, nullable=False),
    Column("start_minute", Integer, nullable=False),
    # smaller than the start: on the next day; equal to it: the whole day
    Column("end_minute", Integer, nullable=False),
    # null: the forum's
    Column("timezone", Text, nullable=True),
    Column("closing", Text, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint("start_minute BETWEEN 0 AND 1439", name="start_minute"),
    CheckConstraint("end_minute BETWEEN 1 AND 1440", name="end_minute"),
)

schedule_exceptions = Table(
    "schedule_exceptions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    # null: for all backends
    Column("backend_id", Id, ForeignKey("backends.id"), nullable=True),
    # 2026-12-24
    Column("date", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    # both null: the whole date
    Column("start_minute", Integer, nullable=True),
    Column("end_minute", Integer, nullable=True),
    Column("note", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

recurring_topics = Table(
    "recurring_topics",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("subforum_id", Id, ForeignKey("subforums.id"), nullable=False),
    # with {date}, {weekday}, {time} and {number} in them
    Column("title", Text, nullable=False),
    Column("content", Text, nullable=False),
    # list of {"persona_id": id or null, "model_id": id or null}: whom to ask about the first post
    Column("asks", Json, nullable=False),
    # list of "mon" … "sun"
    Column("days", Json, nullable=False),
    Column("minute", Integer, nullable=False),
    # null: the forum's
    Column("timezone", Text, nullable=True),
    # skip, latest or all: what becomes of occurrences at which no FORLLM was running
    Column("missed", Text, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # the occurrence that was dealt with last; who deals with one moves it on, from the value that was read
    Column("last_occurrence_at", UtcDateTime, nullable=True),
    # the first occurrence not dealt with; null: disabled
    Column("next_at", UtcDateTime, nullable=True),
    # a sentence for people; null: the last time all went well
    Column("last_problem", Text, nullable=True),
    Column("opened_count", Integer, nullable=False),
    Column("last_topic_id", Id, ForeignKey("topics.id"), nullable=True),
    CheckConstraint("minute BETWEEN 0 AND 1439", name="minute"),
)
