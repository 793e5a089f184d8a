"""Votes between two replies, and what a judge made of them."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, UtcDateTime

revision = "0013"
down_revision = "0012"

#: What can be compared: found without reading the posts themselves.
_ANSWERS = "author_kind = 'persona' AND deleted_at IS NULL AND NOT is_partial"


def upgrade() -> None:
    op.create_table(
        "comparisons",
        sa.Column("id", Id, primary_key=True),
        sa.Column("user_id", Id, sa.ForeignKey("users.id"), nullable=False),
        *_pair(),
        sa.Column("voted_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("low_post_id < high_post_id", name="order"),
        sa.CheckConstraint("choice IN ('low', 'high', 'tie', 'bad', 'skip')", name="choice"),
        sa.UniqueConstraint("user_id", "low_post_id", "high_post_id"),
    )
    op.create_index("ix_comparisons_voted_at", "comparisons", ["user_id", "voted_at", "id"])
    entrants = ["low_version_id", "low_model_name", "high_version_id", "high_model_name"]
    op.create_index("ix_comparisons_tally", "comparisons", ["user_id", *entrants, "choice"])
    op.create_table(
        "judgements",
        sa.Column("id", Id, primary_key=True),
        sa.Column("llm_request_id", Id, sa.ForeignKey("llm_requests.id"), nullable=False),
        sa.Column("judge_version_id", Id, sa.ForeignKey("persona_versions.id"), nullable=False),
        sa.Column("judge_model_name", sa.String, nullable=False),
        *_pair(),
        sa.Column("is_low_first", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("judged_at", UtcDateTime),
        sa.CheckConstraint("low_post_id < high_post_id", name="order"),
        sa.CheckConstraint("choice IN ('', 'low', 'high', 'tie', 'none')", name="choice"),
        sa.UniqueConstraint("judge_version_id", "low_post_id", "high_post_id", "is_low_first"),
    )
    op.create_table(
        "vote_versions",
        sa.Column("user_id", Id, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("version", Id, nullable=False),
    )
    answers = ["parent_id", "id", "persona_version_id", "model_name", "topic_id"]
    is_answer = sa.text(_ANSWERS)
    op.create_index("ix_posts_answers", "posts", answers, sqlite_where=is_answer, postgresql_where=is_answer)


def _pair() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("low_post_id", Id, sa.ForeignKey("posts.id"), nullable=False),
        sa.Column("high_post_id", Id, sa.ForeignKey("posts.id"), nullable=False),
        sa.Column("low_version_id", Id, sa.ForeignKey("persona_versions.id"), nullable=False),
        sa.Column("low_model_name", sa.String, nullable=False),
        sa.Column("high_version_id", Id, sa.ForeignKey("persona_versions.id"), nullable=False),
        sa.Column("high_model_name", sa.String, nullable=False),
        sa.Column("choice", sa.String, nullable=False),
    )
