"""The first schema: forum, personas, catalog, queue, schedule, settings and accounts.

Constraints without a name here get theirs from the naming convention in ``forllm_server/db/types.py``.
"""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, Json, UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_imported_records()
    create_queue_versions()
    create_settings()
    create_users()
    create_backends()
    create_idempotency_keys()
    create_personas()
    create_subforums()
    create_backend_states()
    create_models()
    create_persona_assignments()
    create_schedule_exceptions()
    create_schedule_windows()
    create_topics()
    create_persona_versions()
    create_posts()
    create_llm_requests()
    create_post_revisions()
    create_llm_chunks()
    create_llm_prompts()


def create_index(
    name: str, table: str, columns: list[str | sa.TextClause], *, where: str | None = None, unique: bool = False
) -> None:
    condition = sa.text(where) if where else None
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def create_imported_records() -> None:
    op.create_table(
        "imported_records",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("original_id", Id, primary_key=True),
        sa.Column("local_id", Id, nullable=False),
        sa.Column("imported_at", UtcDateTime, nullable=False),
    )


def create_queue_versions() -> None:
    op.create_table(
        "queue_versions",
        sa.Column("scope", Id, primary_key=True, autoincrement=False),
        sa.Column("version", Id, nullable=False),
    )


def create_settings() -> None:
    op.create_table(
        "settings",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", Json, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )


def create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", Id, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_key", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("name_key"),
    )


def create_backends() -> None:
    op.create_table(
        "backends",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_key", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("base_url", sa.Text, nullable=False, server_default=""),
        sa.Column("api_key_sealed", sa.LargeBinary),
        sa.Column("concurrency", sa.Integer, nullable=False, server_default="1"),
        sa.Column("silence_seconds", sa.Integer),
        sa.Column("is_enabled", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("options", Json, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("probe", Json),
        sa.Column("probed_at", UtcDateTime),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("deleted_at", UtcDateTime),
        sa.CheckConstraint("concurrency BETWEEN 1 AND 64", name="concurrency"),
        sa.CheckConstraint("kind IN ('ollama', 'llama_cpp', 'openai_compatible', 'embedded')", name="kind"),
    )
    create_index("uq_backends_name_key", "backends", ["name_key"], where="deleted_at IS NULL", unique=True)


def create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("route", sa.Text, nullable=False),
        sa.Column("status_code", sa.Integer, nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )


def create_personas() -> None:
    op.create_table(
        "personas",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("name_key", sa.String, nullable=False),
        sa.Column("current_version_id", Id),
        sa.Column("is_builtin", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("deleted_at", UtcDateTime),
    )
    create_index("uq_personas_name_key", "personas", ["name_key"], where="deleted_at IS NULL", unique=True)


def create_subforums() -> None:
    op.create_table(
        "subforums",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("name_key", sa.String, nullable=False),
        sa.Column("description", sa.Text, nullable=False, server_default=""),
        sa.Column("position", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("deleted_at", UtcDateTime),
    )
    create_index("uq_subforums_name_key", "subforums", ["name_key"], where="deleted_at IS NULL", unique=True)


def create_backend_states() -> None:
    op.create_table(
        "backend_states",
        sa.Column("backend_id", Id, sa.ForeignKey("backends.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("open_until", UtcDateTime),
        sa.Column("last_error", sa.Text),
        sa.Column("changed_at", UtcDateTime, nullable=False),
    )


def create_models() -> None:
    op.create_table(
        "models",
        sa.Column("id", Id, primary_key=True),
        sa.Column("backend_id", Id, sa.ForeignKey("backends.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("context_tokens", sa.Integer),
        sa.Column("context_source", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("digest", sa.Text),
        sa.Column("details", Json, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("is_available", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("first_seen_at", UtcDateTime, nullable=False),
        sa.Column("last_seen_at", UtcDateTime, nullable=False),
        sa.Column("characters_per_token", sa.Float),
        sa.CheckConstraint("context_source IN ('known', 'told', 'guessed')", name="context_source"),
        sa.UniqueConstraint("backend_id", "name"),
    )


def create_persona_assignments() -> None:
    op.create_table(
        "persona_assignments",
        sa.Column("subforum_id", Id, sa.ForeignKey("subforums.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("persona_id", Id, sa.ForeignKey("personas.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("is_default", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    create_index("ix_persona_assignments_persona_id", "persona_assignments", ["persona_id"])
    create_index(
        "uq_persona_assignments_default", "persona_assignments", ["subforum_id"], where="is_default", unique=True
    )


def create_schedule_exceptions() -> None:
    op.create_table(
        "schedule_exceptions",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("backend_id", Id, sa.ForeignKey("backends.id")),
        sa.Column("date", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("start_minute", sa.Integer),
        sa.Column("end_minute", sa.Integer),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    create_index("ix_schedule_exceptions_date", "schedule_exceptions", ["date"])


def create_schedule_windows() -> None:
    op.create_table(
        "schedule_windows",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("backend_id", Id, sa.ForeignKey("backends.id")),
        sa.Column("days", Json, nullable=False),
        sa.Column("start_minute", sa.Integer, nullable=False),
        sa.Column("end_minute", sa.Integer, nullable=False),
        sa.Column("timezone", sa.Text),
        sa.Column("closing", sa.Text, nullable=False),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("end_minute BETWEEN 1 AND 1440", name="end_minute"),
        sa.CheckConstraint("start_minute BETWEEN 0 AND 1439", name="start_minute"),
    )


def create_topics() -> None:
    op.create_table(
        "topics",
        sa.Column("id", Id, primary_key=True),
        sa.Column("subforum_id", Id, sa.ForeignKey("subforums.id"), nullable=False),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("kind", sa.String, nullable=False, server_default="discussion"),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("last_post_at", UtcDateTime, nullable=False),
        sa.Column("post_count", sa.Integer, nullable=False, server_default="0"),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("deleted_at", UtcDateTime),
    )
    create_index("ix_topics_list", "topics", ["subforum_id", "last_post_at", "id"], where="deleted_at IS NULL")
    create_index("ix_topics_recent", "topics", ["last_post_at", "id"], where="deleted_at IS NULL")
    create_index("ix_topics_subforum_id", "topics", ["subforum_id"])


def create_persona_versions() -> None:
    op.create_table(
        "persona_versions",
        sa.Column("id", Id, primary_key=True),
        sa.Column("persona_id", Id, sa.ForeignKey("personas.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("instructions", sa.Text, nullable=False),
        sa.Column("model_id", Id, sa.ForeignKey("models.id")),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.UniqueConstraint("persona_id", "number"),
    )


def create_posts() -> None:
    op.create_table(
        "posts",
        sa.Column("id", Id, primary_key=True),
        sa.Column("topic_id", Id, sa.ForeignKey("topics.id"), nullable=False),
        sa.Column("parent_id", Id, sa.ForeignKey("posts.id")),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("author_kind", sa.String, nullable=False, server_default="person"),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("content_html", sa.Text),
        sa.Column("render_version", sa.Integer, nullable=False, server_default="0"),
        sa.Column("path", sa.LargeBinary, nullable=False),
        sa.Column("depth", sa.Integer, nullable=False, server_default="0"),
        sa.Column("child_count", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("edited_at", UtcDateTime),
        sa.Column("deleted_at", UtcDateTime),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("revision_count", sa.Integer, nullable=False, server_default="0"),
        sa.Column("llm_request_id", Id),
        sa.Column("persona_version_id", Id, sa.ForeignKey("persona_versions.id")),
        sa.Column("persona_name", sa.String),
        sa.Column("model_name", sa.String),
        sa.Column("parameters", Json),
        sa.Column("thinking", sa.Text),
        sa.Column("finish_reason", sa.String),
        sa.Column("usage", Json),
        sa.Column("is_partial", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("question_version", sa.Integer),
        sa.UniqueConstraint("llm_request_id"),
        sa.UniqueConstraint("topic_id", "path"),
    )
    create_index("ix_posts_parent_id", "posts", ["parent_id"])
    create_index("ix_posts_trash", "posts", ["deleted_at"], where="deleted_at IS NOT NULL")


def create_llm_requests() -> None:
    op.create_table(
        "llm_requests",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
        sa.Column("topic_id", Id, sa.ForeignKey("topics.id")),
        sa.Column("post_id", Id, sa.ForeignKey("posts.id")),
        sa.Column("persona_id", Id, sa.ForeignKey("personas.id")),
        sa.Column("persona_version_id", Id, sa.ForeignKey("persona_versions.id")),
        sa.Column("backend_id", Id, sa.ForeignKey("backends.id")),
        sa.Column("model_id", Id, sa.ForeignKey("models.id")),
        sa.Column("model_name", sa.Text),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("answer_number", sa.Integer, nullable=False, server_default="1"),
        sa.Column("input", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("due_at", UtcDateTime),
        sa.Column("queued_at", UtcDateTime),
        sa.Column("started_at", UtcDateTime),
        sa.Column("first_token_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("max_attempts", sa.Integer, nullable=False, server_default="3"),
        sa.Column("run", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_token", sa.Text),
        sa.Column("lease_until", UtcDateTime),
        sa.Column("worker", sa.Text),
        sa.Column("is_cancel_requested", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("cause", sa.Text),
        sa.Column("cause_detail", sa.Text),
        sa.Column("output_tokens", sa.Integer, nullable=False, server_default="0"),
        sa.Column("usage", Json),
        sa.Column("finish_reason", sa.Text),
        sa.Column("reply_post_id", Id),
    )
    create_index(
        "ix_llm_requests_claim",
        "llm_requests",
        ["backend_id", "lane", sa.text("priority DESC"), "id"],
        where="status = 'queued'",
    )
    create_index("ix_llm_requests_due", "llm_requests", ["due_at"], where="status = 'waiting'")
    create_index("ix_llm_requests_failed", "llm_requests", ["id"], where="status = 'failed'")
    create_index("ix_llm_requests_held", "llm_requests", ["id"], where="status = 'held'")
    create_index("ix_llm_requests_post", "llm_requests", ["post_id", "id"])
    create_index("ix_llm_requests_running", "llm_requests", ["backend_id", "lease_until"], where="status = 'running'")
    create_index("ix_llm_requests_status", "llm_requests", ["status", "id"])
    create_index("ix_llm_requests_topic", "llm_requests", ["topic_id", "id"])
    create_index("ix_llm_requests_topic_unanswered", "llm_requests", ["topic_id", "id"], where="status != 'succeeded'")
    create_index(
        "uq_llm_requests_live",
        "llm_requests",
        ["kind", "post_id", sa.text("coalesce(persona_id, 0)"), sa.text("coalesce(model_id, 0)"), "answer_number"],
        where="status IN ('queued', 'waiting', 'held', 'running') AND post_id IS NOT NULL",
        unique=True,
    )


def create_post_revisions() -> None:
    op.create_table(
        "post_revisions",
        sa.Column("id", Id, primary_key=True),
        sa.Column("post_id", Id, sa.ForeignKey("posts.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("editor_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("written_at", UtcDateTime, nullable=False),
        sa.Column("replaced_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("post_id", "number"),
    )


def create_llm_chunks() -> None:
    op.create_table(
        "llm_chunks",
        sa.Column("llm_request_id", Id, sa.ForeignKey("llm_requests.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("run", sa.Integer, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("thinking", sa.Text, nullable=False, server_default=""),
    )


def create_llm_prompts() -> None:
    op.create_table(
        "llm_prompts",
        sa.Column("llm_request_id", Id, sa.ForeignKey("llm_requests.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("layout", sa.Text, nullable=False),
        sa.Column("messages", Json, nullable=False),
        sa.Column("breakdown", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
