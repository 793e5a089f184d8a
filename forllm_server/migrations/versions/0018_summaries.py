"""Summaries of threads, topics and replies."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, Json, UtcDateTime

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "summaries",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("topic_id", Id, sa.ForeignKey("topics.id"), nullable=False),
        sa.Column("scope", sa.String, nullable=False),
        sa.Column("anchor_post_id", Id, sa.ForeignKey("posts.id"), nullable=False),
        sa.Column("current_number", sa.Integer, nullable=False, server_default="0"),
        sa.Column("llm_request_id", Id),
        sa.Column("progress", Json),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("removed_at", UtcDateTime),
        sa.CheckConstraint("scope IN ('way', 'topic', 'replies')", name="scope"),
    )
    op.create_index("ix_summaries_topic_id", "summaries", ["topic_id", "id"])
    op.create_table(
        "summary_versions",
        sa.Column("id", Id, primary_key=True),
        sa.Column("summary_id", Id, sa.ForeignKey("summaries.id", ondelete="CASCADE"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("anchor_post_id", Id, sa.ForeignKey("posts.id"), nullable=False),
        sa.Column("llm_request_id", Id),
        sa.Column("persona_version_id", Id, sa.ForeignKey("persona_versions.id")),
        sa.Column("persona_name", sa.String, nullable=False, server_default=""),
        sa.Column("model_name", sa.String, nullable=False, server_default=""),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("author IN ('model', 'person')", name="author"),
        sa.UniqueConstraint("summary_id", "number"),
    )
    op.create_table(
        "summary_posts",
        sa.Column("version_id", Id, sa.ForeignKey("summary_versions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("post_id", Id, sa.ForeignKey("posts.id"), nullable=False),
        sa.Column("post_version", sa.Integer, nullable=False),
        sa.Column("parent_id", Id),
        sa.Column("is_covered", sa.Boolean, nullable=False),
    )
