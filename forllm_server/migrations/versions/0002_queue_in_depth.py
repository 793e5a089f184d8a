"""The queue in depth: a person's own order, learned speeds, estimates, events, workers and pauses."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, Json, UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    add_pinned()
    create_model_rates()
    create_llm_estimates()
    create_llm_request_events()
    create_workers()
    create_queue_pauses()


def create_index(name: str, table: str, columns: list[str | sa.TextClause], *, where: str | None = None) -> None:
    condition = sa.text(where) if where else None
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def add_pinned() -> None:
    # A column at the end needs no copy of the table, however long its history is.
    op.add_column("llm_requests", sa.Column("pinned", sa.Float))
    op.drop_index("ix_llm_requests_claim", "llm_requests")
    create_index(
        "ix_llm_requests_claim",
        "llm_requests",
        ["backend_id", "lane", sa.text("(pinned IS NULL)"), "pinned", sa.text("priority DESC"), "id"],
        where="status = 'queued'",
    )
    create_index(
        "ix_llm_requests_answered", "llm_requests", ["model_id", "persona_id", "id"], where="status = 'succeeded'"
    )


def create_model_rates() -> None:
    op.create_table(
        "model_rates",
        sa.Column("model_id", Id, sa.ForeignKey("models.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("prompt_tokens_per_second", sa.Float),
        sa.Column("generation_tokens_per_second", sa.Float),
        sa.Column("load_seconds", sa.Float),
        sa.Column("samples", sa.Integer, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )


def create_llm_estimates() -> None:
    op.create_table(
        "llm_estimates",
        sa.Column("llm_request_id", Id, sa.ForeignKey("llm_requests.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("low_at", UtcDateTime, nullable=False),
        sa.Column("middle_at", UtcDateTime, nullable=False),
        sa.Column("high_at", UtcDateTime, nullable=False),
    )


def create_llm_request_events() -> None:
    op.create_table(
        "llm_request_events",
        sa.Column("id", Id, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("llm_request_id", Id, sa.ForeignKey("llm_requests.id", ondelete="CASCADE"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("run", sa.Integer, nullable=False, server_default="0"),
        sa.Column("worker", sa.Text),
        sa.Column("detail", sa.Text),
    )
    create_index("ix_llm_request_events_llm_request_id", "llm_request_events", ["llm_request_id", "id"])


def create_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("heartbeat_at", UtcDateTime, nullable=False),
        sa.Column("threads", sa.Integer, nullable=False),
        sa.Column("backend_ids", Json),
        sa.Column("stopped_at", UtcDateTime),
    )


def create_queue_pauses() -> None:
    op.create_table(
        "queue_pauses",
        sa.Column("scope", Id, primary_key=True, autoincrement=False),
        sa.Column("until", UtcDateTime),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("is_by_machine", sa.Boolean, nullable=False, server_default=sa.false()),
    )
