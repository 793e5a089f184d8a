"""Tables of the personas: who can answer, every version of them, and where they are made available."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint, false, text

from forllm_server.db.types import Id, Json, UtcDateTime, metadata

_IS_THERE = text("deleted_at IS NULL")
_IS_DEFAULT = text("is_default")

personas = Table(
    "personas",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", ForeignKey("users.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("name_key", String, nullable=False),
    # No foreign key: versions point at their persona already, and a ring of keys cannot be created on SQLite.
    Column("current_version_id", Id),
    Column("is_builtin", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    Index("uq_personas_name_key", "name_key", unique=True, sqlite_where=_IS_THERE, postgresql_where=_IS_THERE),
)

persona_versions = Table(
    "persona_versions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("persona_id", ForeignKey("personas.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", String, nullable=False),
    Column("instructions", Text, nullable=False),
    Column("model_id", ForeignKey("models.id")),
    Column("parameters", Json, nullable=False, default=dict),
    Column("note", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", ForeignKey("users.id"), nullable=False),
    UniqueConstraint("persona_id", "number"),
)

persona_assignments = Table(
    "persona_assignments",
    metadata,
    Column("subforum_id", ForeignKey("subforums.id", ondelete="CASCADE"), primary_key=True),
    Column("persona_id", ForeignKey("personas.id", ondelete="CASCADE"), primary_key=True),
    Column("is_default", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcDateTime, nullable=False),
    Index(
        "uq_persona_assignments_default",
        "subforum_id",
        unique=True,
        sqlite_where=_IS_DEFAULT,
        postgresql_where=_IS_DEFAULT,
    ),
    Index("ix_persona_assignments_persona_id", "persona_id"),
)
