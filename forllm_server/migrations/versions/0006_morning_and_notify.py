"""Reports of nights, and messages to elsewhere."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, Json, UtcDateTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    _add_nights()
    _add_indexes()
    _add_channels()
    _add_feeds()


def _add_nights() -> None:
    op.create_table(
        "nights",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("begins_at", UtcDateTime),
        sa.Column("ends_at", UtcDateTime),
        sa.Column("counts_from", UtcDateTime, nullable=False),
        sa.Column("counts_until", UtcDateTime, nullable=False),
        sa.Column("closed_at", UtcDateTime),
    )
    op.create_table(
        "gists",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("topic_id", Id, sa.ForeignKey("topics.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("llm_request_id", Id),
        sa.Column("replies", sa.Integer, nullable=False),
        sa.Column("line", sa.Text, nullable=False, server_default=""),
        sa.Column("disagreement", sa.Text, nullable=False, server_default=""),
        sa.Column("model_name", sa.Text, nullable=False, server_default=""),
        sa.Column("persona_version_id", Id, sa.ForeignKey("persona_versions.id")),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("written_at", UtcDateTime),
    )
    op.create_index("ix_gists_topic_id", "gists", ["topic_id"])
    op.create_table(
        "pause_records",
        sa.Column("scope", Id, primary_key=True, autoincrement=False),
        sa.Column("began_at", UtcDateTime, primary_key=True),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("is_by_machine", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index("ix_pause_records_began_at", "pause_records", ["began_at"])


def _add_indexes() -> None:
    has_ended = sa.text("finished_at IS NOT NULL")
    op.create_index(
        "ix_llm_requests_finished",
        "llm_requests",
        ["status", "finished_at"],
        sqlite_where=has_ended,
        postgresql_where=has_ended,
    )
    op.create_index("ix_posts_topic_newest", "posts", ["topic_id", "id"])
    is_by_persona = sa.text("persona_version_id IS NOT NULL")
    op.create_index(
        "ix_posts_persona_newest",
        "posts",
        ["persona_version_id", "id"],
        sqlite_where=is_by_persona,
        postgresql_where=is_by_persona,
    )


def _add_channels() -> None:
    op.create_table(
        "channels",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("options", Json, nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary),
        sa.Column("tells_nights", sa.Boolean, nullable=False),
        sa.Column("tells_stalls", sa.Boolean, nullable=False),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        sa.Column("subject", sa.Text, nullable=False, server_default=""),
        sa.Column("body", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("kind IN ('webhook', 'ntfy', 'email')", name="kind"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", Id, primary_key=True),
        sa.Column("channel_id", Id, sa.ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
        sa.Column("occasion", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("facts", Json, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("due_at", UtcDateTime),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("problem", sa.Text),
        sa.UniqueConstraint("channel_id", "key"),
    )
    is_waiting = sa.text("status = 'waiting'")
    op.create_index("ix_deliveries_due", "deliveries", ["due_at"], sqlite_where=is_waiting, postgresql_where=is_waiting)


def _add_feeds() -> None:
    op.create_table(
        "feed_tokens",
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("token_sealed", sa.LargeBinary, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
