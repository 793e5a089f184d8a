"""Experiments: earlier answers asked for again and compared."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, Json, UtcDateTime

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    create_experiments()
    create_pairs()


def create_experiments() -> None:
    op.create_table(
        "experiments",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("persona_version_id", Id, sa.ForeignKey("persona_versions.id")),
        sa.Column("persona_words", sa.Text, nullable=False),
        sa.Column("model_id", Id),
        sa.Column("model_words", sa.Text, nullable=False),
        sa.Column("is_run_now", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("pair_count", sa.Integer, nullable=False),
        sa.Column("asked_count", sa.Integer, nullable=False, server_default="0"),
        sa.Column("left_out", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sqlite_autoincrement=True,
    )
    is_unfinished = sa.text("finished_at IS NULL")
    op.create_index(
        "ix_experiments_unfinished", "experiments", ["id"], sqlite_where=is_unfinished, postgresql_where=is_unfinished
    )


def create_pairs() -> None:
    op.create_table(
        "experiment_pairs",
        sa.Column("experiment_id", Id, sa.ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("old_post_id", Id, nullable=False),
        sa.Column("question_id", Id, nullable=False),
        sa.Column("topic_id", Id, nullable=False),
        sa.Column("old_version_id", Id, sa.ForeignKey("persona_versions.id"), nullable=False),
        sa.Column("old_model_name", sa.Text, nullable=False),
        sa.Column("old_tokens", sa.Integer),
        sa.Column("old_seconds", sa.Float),
        sa.Column("old_characters", sa.Integer, nullable=False),
        sa.Column("question_characters", sa.Integer, nullable=False),
        sa.Column("persona_id", Id, nullable=False),
        sa.Column("new_version_id", Id, sa.ForeignKey("persona_versions.id"), nullable=False),
        sa.Column("new_model_id", Id, nullable=False),
        sa.Column("new_model_name", sa.Text, nullable=False),
        sa.Column("llm_request_id", Id),
        sa.Column("problem", sa.Text),
        sa.Column("new_text", sa.Text),
        sa.Column("new_thinking", sa.Text),
        sa.Column("new_finish_reason", sa.Text),
        sa.Column("new_tokens", sa.Integer),
        sa.Column("new_seconds", sa.Float),
        sa.Column("new_characters", sa.Integer),
        sa.Column("answered_at", UtcDateTime),
        sa.Column("post_id", Id),
        sa.Column("choice", sa.Text),
        sa.Column("voted_at", UtcDateTime),
    )
    op.create_index("ix_experiment_pairs_llm_request_id", "experiment_pairs", ["llm_request_id"])
    is_voted = sa.text("choice IS NOT NULL")
    op.create_index(
        "ix_experiment_pairs_votes",
        "experiment_pairs",
        ["old_version_id", "old_model_name", "new_version_id", "new_model_name", "choice"],
        sqlite_where=is_voted,
        postgresql_where=is_voted,
    )
