"""Fair turns, and one order for all processes: what a backend served last, and the indexes that the order goes by."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id

revision = "0009"
down_revision = "0008"

_PEER: list[str | sa.TextClause] = ["backend_id", "lane", "priority", sa.text("coalesce(model_id, 0)")]


def upgrade() -> None:
    add_last_served()
    create_indexes_of_the_order()
    op.add_column("backends", sa.Column("follows_slots", sa.Boolean, nullable=False, server_default=sa.false()))


def add_last_served() -> None:
    for name in ("last_model_id", "last_persona_version_id", "last_topic_id", "last_owner_id"):
        op.add_column("backend_states", sa.Column(name, Id))
    for name in ("passed_over", "in_turn"):
        op.add_column("backend_states", sa.Column(name, sa.Integer, nullable=False, server_default="0"))


def create_indexes_of_the_order() -> None:
    condition = sa.text("status = 'queued' AND pinned IS NULL")
    persona = sa.text("coalesce(persona_version_id, 0)")
    indexes: tuple[tuple[str, list[str | sa.TextClause]], ...] = (
        ("ix_llm_requests_thread", [*_PEER, "topic_id", persona, "id"]),
        ("ix_llm_requests_turn", [*_PEER, "owner_id", persona, "id"]),
    )
    for name, columns in indexes:
        op.create_index(name, "llm_requests", columns, sqlite_where=condition, postgresql_where=condition)
