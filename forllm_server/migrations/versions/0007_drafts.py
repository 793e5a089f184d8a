"""Texts begun and not sent."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, Json, UtcDateTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "drafts",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("target_id", Id, nullable=False),
        sa.Column("writer", sa.String, nullable=False, server_default=""),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("format", sa.Integer, nullable=False, server_default="1"),
        sa.Column("title", sa.Text, nullable=False, server_default=""),
        sa.Column("content", sa.Text, nullable=False, server_default=""),
        sa.Column("fields", Json, nullable=False),
        sa.Column("post_version", sa.Integer),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("discarded_at", UtcDateTime),
        # An open form still names a draft that is gone: its id must never come to mean another one.
        sqlite_autoincrement=True,
    )
    op.create_index("ix_drafts_place", "drafts", ["owner_id", "kind", "target_id", "updated_at"])
    op.create_index("ix_drafts_list", "drafts", ["owner_id", "updated_at", "id"])
