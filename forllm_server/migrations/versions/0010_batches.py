"""Batches: tables of lines, asked of several personas and models."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, Json, UtcDateTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    create_batches()
    create_lines_and_cells()


def create_batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("subforum_id", Id, nullable=False),
        sa.Column("topic_id", Id),
        sa.Column("root_post_id", Id),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("template", sa.Text, nullable=False),
        sa.Column("columns", Json, nullable=False),
        sa.Column("asks", Json, nullable=False),
        sa.Column("checks", Json, nullable=False),
        sa.Column("is_run_now", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("line_count", sa.Integer, nullable=False),
        sa.Column("asked_count", sa.Integer, nullable=False, server_default="0"),
        sa.Column("settled_count", sa.Integer, nullable=False, server_default="0"),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_batches_fingerprint", "batches", ["fingerprint"])
    unfinished = sa.text("finished_at IS NULL")
    op.create_index("ix_batches_unfinished", "batches", ["id"], sqlite_where=unfinished, postgresql_where=unfinished)


def create_lines_and_cells() -> None:
    for name, columns in (
        ("batch_lines", (sa.Column("texts", Json, nullable=False), sa.Column("post_id", Id))),
        (
            "batch_cells",
            (
                sa.Column("ask", sa.Integer, primary_key=True),
                sa.Column("llm_request_id", Id, nullable=False),
                sa.Column("failed_checks", sa.Text),
            ),
        ),
    ):
        op.create_table(
            name,
            sa.Column("batch_id", Id, sa.ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
            sa.Column("number", sa.Integer, primary_key=True),
            *columns,
        )
    op.create_index("ix_batch_cells_llm_request_id", "batch_cells", ["llm_request_id"])
