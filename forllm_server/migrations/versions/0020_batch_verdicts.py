"""A judge of a batch's answers, and what it said of each."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, Json

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.add_column("batches", sa.Column("judge", Json))
    op.create_table(
        "batch_verdicts",
        sa.Column("batch_id", Id, sa.ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("ask", sa.Integer, primary_key=True),
        sa.Column("llm_request_id", Id, nullable=False),
        sa.Column("word", sa.Text, nullable=False, server_default=""),
        sa.Column("said", sa.Text, nullable=False, server_default=""),
        sa.CheckConstraint("word IN ('', 'pass', 'fail', 'unreadable')", name="word"),
    )
    op.create_index("ix_batch_verdicts_llm_request_id", "batch_verdicts", ["llm_request_id"])
