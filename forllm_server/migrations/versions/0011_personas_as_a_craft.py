"""Personas as a craft: tags, pictures, other models in order, trials of drafts; posts that models do not see."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, Json, UtcDateTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("posts", sa.Column("is_excluded", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("persona_versions", sa.Column("fallback_model_ids", Json))
    op.add_column("personas", sa.Column("card", Json))
    create_tags()
    create_pictures()
    create_trials()
    condition = sa.text("finished_at IS NOT NULL")
    op.create_index(
        "ix_llm_requests_persona_results",
        "llm_requests",
        ["persona_id", "finished_at"],
        sqlite_where=condition,
        postgresql_where=condition,
    )


def create_tags() -> None:
    op.create_table(
        "persona_tags",
        sa.Column("persona_id", Id, sa.ForeignKey("personas.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("tag", sa.String, primary_key=True),
    )
    op.create_index("ix_persona_tags_tag", "persona_tags", ["tag"])


def create_pictures() -> None:
    op.create_table(
        "persona_pictures",
        sa.Column("persona_id", Id, sa.ForeignKey("personas.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("media_type", sa.String, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )


def create_trials() -> None:
    op.create_table(
        "persona_trials",
        sa.Column("llm_request_id", Id, sa.ForeignKey("llm_requests.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("thinking", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
