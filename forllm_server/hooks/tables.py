"""Tables of hooks, of their calls and of each attempt."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from forllm_server.db.types import Id, Json, UtcDateTime, metadata

hooks = Table(
    "hooks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    # Names of hooks/model.py EVENTS.
    Column("events", Json, nullable=False),
    Column("command", Text, nullable=False, server_default=""),
    Column("url", Text, nullable=False, server_default=""),
    Column("may_be_local", Boolean, nullable=False),
    # The key of a webhook's signature; never shown again.
    Column("secret_sealed", LargeBinary),
    Column("timeout_seconds", Integer, nullable=False),
    Column("most_attempts", Integer, nullable=False),
    Column("most_repeats", Integer, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    # One call at a time: two would be in each other's way, in a repository for example.
    Column("busy_until", UtcDateTime),
    # Which process it is; what a process that is gone had taken is free at the next start.
    Column("busy_by", Text),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint("kind IN ('command', 'webhook')", name="kind"),
)

_IS_WAITING = text("status = 'waiting'")
# Written in the transaction of what happened: both are there, or neither.
hook_calls = Table(
    "hook_calls",
    metadata,
    Column("id", Id, primary_key=True),
    Column("hook_id", Id, ForeignKey("hooks.id", ondelete="CASCADE"), nullable=False),
    Column("event", Text, nullable=False),
    Column("event_id", Text, nullable=False, unique=True),
    Column("facts", Json, nullable=False),
    # Ids of the hooks whose calls led here.
    Column("chain", Json, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", UtcDateTime, nullable=False),
    # When it is tried next; while somebody tries, when another one may.
    Column("due_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("problem", Text),
    Index("ix_hook_calls_hook_id", "hook_id", "id"),
    Index("ix_hook_calls_waiting", "hook_id", "id", sqlite_where=_IS_WAITING, postgresql_where=_IS_WAITING),
    Index("ix_hook_calls_ended_at", "ended_at"),
)

hook_attempts = Table(
    "hook_attempts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("call_id", Id, ForeignKey("hook_calls.id", ondelete="CASCADE"), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("is_ok", Boolean, nullable=False),
    Column("code", Integer),
    Column("output", Text, nullable=False),
    Column("is_truncated", Boolean, nullable=False),
    Column("problem", Text, nullable=False),
    Index("ix_hook_attempts_call_id", "call_id"),
)

# Which posts the calls of hooks brought about, so that a persona's reply to one is known to follow from it.
hook_posts = Table(
    "hook_posts",
    metadata,
    Column("post_id", Id, ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("chain", Json, nullable=False),
)
