"""Drafts of personas that a model writes, from which a person makes personas; deleted personas that come back."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, UtcDateTime

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("personas", sa.Column("erased_at", UtcDateTime))
    op.create_table(
        "persona_drafts",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("group_id", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("brief", sa.Text, nullable=False),
        sa.Column("wished_name", sa.String, nullable=False, server_default=""),
        sa.Column("subforum_id", Id, sa.ForeignKey("subforums.id", ondelete="SET NULL")),
        sa.Column("subforum_name", sa.String, nullable=False, server_default=""),
        sa.Column("subforum_text", sa.Text, nullable=False, server_default=""),
        sa.Column("previous_id", Id, sa.ForeignKey("persona_drafts.id", ondelete="SET NULL")),
        sa.Column("remark", sa.Text, nullable=False, server_default=""),
        sa.Column("expansion_llm_request_id", Id, sa.ForeignKey("llm_requests.id")),
        sa.Column("expansion", sa.Text, nullable=False, server_default=""),
        sa.Column("llm_request_id", Id, sa.ForeignKey("llm_requests.id")),
        sa.Column("answer", sa.Text, nullable=False, server_default=""),
        sa.Column("name", sa.String, nullable=False, server_default=""),
        sa.Column("description", sa.Text, nullable=False, server_default=""),
        sa.Column("instructions", sa.Text, nullable=False, server_default=""),
        sa.Column("model_name", sa.String, nullable=False, server_default=""),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("written_at", UtcDateTime),
        sa.Column("replaced_at", UtcDateTime),
        sa.Column("dropped_at", UtcDateTime),
        sa.Column("accepted_at", UtcDateTime),
        sa.Column("persona_version_id", Id, sa.ForeignKey("persona_versions.id")),
    )
    condition = sa.text("accepted_at IS NULL AND dropped_at IS NULL AND replaced_at IS NULL")
    op.create_index(
        "ix_persona_drafts_open", "persona_drafts", ["id"], sqlite_where=condition, postgresql_where=condition
    )
    op.create_index("ix_persona_drafts_group_id", "persona_drafts", ["group_id"])
    op.create_index("ix_persona_drafts_persona_version_id", "persona_drafts", ["persona_version_id"])
