"""Hooks, their calls and each attempt."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, Json, UtcDateTime

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "hooks",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("events", Json, nullable=False),
        sa.Column("command", sa.Text, nullable=False, server_default=""),
        sa.Column("url", sa.Text, nullable=False, server_default=""),
        sa.Column("may_be_local", sa.Boolean, nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary),
        sa.Column("timeout_seconds", sa.Integer, nullable=False),
        sa.Column("most_attempts", sa.Integer, nullable=False),
        sa.Column("most_repeats", sa.Integer, nullable=False),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        sa.Column("busy_until", UtcDateTime),
        sa.Column("busy_by", sa.Text),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("kind IN ('command', 'webhook')", name="kind"),
    )
    _add_calls()
    op.create_table(
        "hook_attempts",
        sa.Column("id", Id, primary_key=True),
        sa.Column("call_id", Id, sa.ForeignKey("hook_calls.id", ondelete="CASCADE"), nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("is_ok", sa.Boolean, nullable=False),
        sa.Column("code", sa.Integer),
        sa.Column("output", sa.Text, nullable=False),
        sa.Column("is_truncated", sa.Boolean, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
    )
    op.create_index("ix_hook_attempts_call_id", "hook_attempts", ["call_id"])
    op.create_table(
        "hook_posts",
        sa.Column("post_id", Id, sa.ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
        sa.Column("chain", Json, nullable=False),
    )


def _add_calls() -> None:
    op.create_table(
        "hook_calls",
        sa.Column("id", Id, primary_key=True),
        sa.Column("hook_id", Id, sa.ForeignKey("hooks.id", ondelete="CASCADE"), nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False, unique=True),
        sa.Column("facts", Json, nullable=False),
        sa.Column("chain", Json, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("due_at", UtcDateTime),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("problem", sa.Text),
    )
    op.create_index("ix_hook_calls_hook_id", "hook_calls", ["hook_id", "id"])
    is_waiting = sa.text("status = 'waiting'")
    columns = ["hook_id", "id"]
    op.create_index(
        "ix_hook_calls_waiting", "hook_calls", columns, sqlite_where=is_waiting, postgresql_where=is_waiting
    )
    op.create_index("ix_hook_calls_ended_at", "hook_calls", ["ended_at"])
