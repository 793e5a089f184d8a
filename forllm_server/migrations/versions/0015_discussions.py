"""Discussions: debates and councils of personas, and automatic replies in a topic."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, Json, UtcDateTime

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    create_discussions()
    create_automatic_replies()


def create_discussions() -> None:
    op.create_table(
        "discussions",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("post_id", Id, nullable=False),
        sa.Column("group_id", sa.Text, nullable=False),
        sa.Column("seats", Json, nullable=False),
        sa.Column("closer", Json, nullable=False),
        sa.Column("motion", sa.Text, nullable=False, server_default=""),
        *(sa.Column(name, sa.Integer) for name in ("most_turns", "most_tokens", "most_minutes")),
        sa.Column("is_run_now", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("seed", Id, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("ending", sa.Text),
        sa.Column("ending_detail", sa.Text, nullable=False, server_default=""),
        sa.Column("ended_at", UtcDateTime),
    )
    is_open = sa.text("ended_at IS NULL")
    op.create_index("uq_discussions_group_id", "discussions", ["group_id"], unique=True)
    op.create_index("ix_discussions_post_id", "discussions", ["post_id"])
    op.create_index("ix_discussions_open", "discussions", ["id"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "discussion_steps",
        sa.Column("discussion_id", Id, sa.ForeignKey("discussions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("seat", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
        sa.Column("llm_request_id", Id, nullable=False),
        sa.Column("shown", Json, nullable=False),
        sa.Column("ranked", Json, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("uq_discussion_steps_llm_request_id", "discussion_steps", ["llm_request_id"], unique=True)


def create_automatic_replies() -> None:
    op.create_table(
        "automatic_replies",
        sa.Column("topic_id", Id, primary_key=True, autoincrement=False),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("persona_ids", Json, nullable=False),
        sa.Column("is_each_other", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("most_deep", sa.Integer, nullable=False),
        sa.Column("most_replies", sa.Integer, nullable=False),
        sa.Column("until_at", UtcDateTime),
        sa.Column("asked_count", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("ending", sa.Text),
        sa.Column("ended_at", UtcDateTime),
    )
