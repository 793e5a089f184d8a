"""Requests that wait for the reply they answer, and requests that were asked together."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id

revision = "0012"
down_revision = "0011"

_LIVE = "status IN ('queued', 'waiting', 'held', 'running') AND post_id IS NOT NULL"


def upgrade() -> None:
    op.add_column("llm_requests", sa.Column("parent_llm_request_id", Id))
    op.add_column("llm_requests", sa.Column("group_id", sa.Text))
    for name, column in (("parent", "parent_llm_request_id"), ("group", "group_id")):
        condition = sa.text(f"{column} IS NOT NULL")
        columns = [column, "id"]
        op.create_index(
            f"ix_llm_requests_{name}", "llm_requests", columns, sqlite_where=condition, postgresql_where=condition
        )
    name_live_ones_with_their_chain()


def name_live_ones_with_their_chain() -> None:
    """A link of a chain is no double of the same question asked by itself."""
    op.drop_index("uq_llm_requests_live", "llm_requests")
    columns: list[str | sa.TextClause] = [
        "kind",
        "post_id",
        sa.text("coalesce(persona_id, 0)"),
        sa.text("coalesce(model_id, 0)"),
        "answer_number",
        sa.text("coalesce(parent_llm_request_id, 0)"),
    ]
    op.create_index(
        "uq_llm_requests_live",
        "llm_requests",
        columns,
        unique=True,
        sqlite_where=sa.text(_LIVE),
        postgresql_where=sa.text(_LIVE),
    )
