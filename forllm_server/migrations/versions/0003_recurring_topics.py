"""Recurring topics: what is opened from a template at a time of the week."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, Json, UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "recurring_topics",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("subforum_id", Id, sa.ForeignKey("subforums.id"), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("asks", Json, nullable=False),
        sa.Column("days", Json, nullable=False),
        sa.Column("minute", sa.Integer, nullable=False),
        sa.Column("timezone", sa.Text),
        sa.Column("missed", sa.Text, nullable=False),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("last_occurrence_at", UtcDateTime),
        sa.Column("next_at", UtcDateTime),
        sa.Column("last_problem", sa.Text),
        sa.Column("opened_count", sa.Integer, nullable=False),
        sa.Column("last_topic_id", Id, sa.ForeignKey("topics.id")),
        sa.CheckConstraint("minute BETWEEN 0 AND 1439", name="minute"),
    )
