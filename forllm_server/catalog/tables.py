"""The tables of the catalog: backends that were added, and the models each one was last seen to have."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

from forllm_server.db.types import Id, Json, UtcDateTime, metadata

backends = Table(
    "backends",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    # Empty for the embedded backend, which picks its own loopback port.
    Column("base_url", Text, nullable=False, server_default=""),
    Column("api_key_sealed", LargeBinary),
    Column("concurrency", Integer, nullable=False, server_default="1"),
    # NULL: the forum's setting silence_seconds.
    Column("silence_seconds", Integer),
    Column("is_enabled", Boolean, nullable=False, server_default=true()),
    Column("options", Json, nullable=False, server_default=text("'{}'")),
    # The last probe's result (catalog/model.py ProbeResult); NULL: never probed.
    Column("probe", Json),
    Column("probed_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    # As many replies at once as the server says that it has slots; ``concurrency`` is what counts until it says so.
    Column("follows_slots", Boolean, nullable=False, server_default=false()),
    CheckConstraint("kind IN ('ollama', 'llama_cpp', 'openai_compatible', 'embedded')", name="kind"),
    CheckConstraint("concurrency BETWEEN 1 AND 64", name="concurrency"),
    Index(
        "uq_backends_name_key",
        "name_key",
        unique=True,
        sqlite_where=text("deleted_at IS NULL"),
        postgresql_where=text("deleted_at IS NULL"),
    ),
)

models = Table(
    "models",
    metadata,
    Column("id", Id, primary_key=True),
    Column("backend_id", Id, ForeignKey("backends.id"), nullable=False),
    # As the server calls it; sent back to it with every LLM request.
    Column("name", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("context_tokens", Integer),
    Column("context_source", Text, nullable=False),
    Column("size_bytes", BigInteger),
    Column("digest", Text),
    Column("details", Json, nullable=False, server_default=text("'{}'")),
    Column("is_available", Boolean, nullable=False, server_default=false()),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    # Learned from the counts that servers report; NULL: nothing learned yet.
    Column("characters_per_token", Float),
    CheckConstraint("context_source IN ('known', 'told', 'guessed')", name="context_source"),
    UniqueConstraint("backend_id", "name"),
)
