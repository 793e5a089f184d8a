"""Tables of the personas: who can answer, every version of them, tags, pictures, and where they are available."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

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
    # What an imported character card holds besides, for its export.
    Column("card", Json),
    # Since then a deleted one cannot be restored; its versions stay, for posts name them.
    Column("erased_at", UtcDateTime),
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
    # The models to ask when the one before is not there, in order; null: none.
    Column("fallback_model_ids", Json),
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

persona_tags = Table(
    "persona_tags",
    metadata,
    Column("persona_id", ForeignKey("personas.id", ondelete="CASCADE"), primary_key=True),
    Column("tag", String, primary_key=True),
    Index("ix_persona_tags_tag", "tag"),
)

persona_pictures = Table(
    "persona_pictures",
    metadata,
    Column("persona_id", ForeignKey("personas.id", ondelete="CASCADE"), primary_key=True),
    Column("media_type", String, nullable=False),
    Column("content", LargeBinary, nullable=False),
    # Names this very picture in its address, which may then be kept for good.
    Column("digest", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

# What a draft of a persona answered when it was tried: shown on its page, never a post.
persona_trials = Table(
    "persona_trials",
    metadata,
    Column("llm_request_id", ForeignKey("llm_requests.id", ondelete="CASCADE"), primary_key=True),
    Column("text", Text, nullable=False),
    Column("thinking", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
)

_IS_OPEN = text("accepted_at IS NULL AND dropped_at IS NULL AND replaced_at IS NULL")

# What a model wrote, or is to write, from which a person makes a persona; and, once it is one, where that came from.
persona_drafts = Table(
    "persona_drafts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", ForeignKey("users.id"), nullable=False),
    # Names those that were asked for together; each is one number of so many in total.
    Column("group_id", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    # What the person wrote; of a subforum its name and description as they were then.
    Column("brief", Text, nullable=False),
    Column("wished_name", String, nullable=False, server_default=""),
    Column("subforum_id", ForeignKey("subforums.id", ondelete="SET NULL")),
    Column("subforum_name", String, nullable=False, server_default=""),
    Column("subforum_text", Text, nullable=False, server_default=""),
    # The draft that this one is written instead of, and what the person said about that one.
    Column("previous_id", ForeignKey("persona_drafts.id", ondelete="SET NULL")),
    Column("remark", Text, nullable=False, server_default=""),
    Column("expansion_llm_request_id", ForeignKey("llm_requests.id")),
    Column("expansion", Text, nullable=False, server_default=""),
    # The step that is to be done, or was done last.
    Column("llm_request_id", ForeignKey("llm_requests.id")),
    # Word for word what the model wrote, and what was read from it.
    Column("answer", Text, nullable=False, server_default=""),
    Column("name", String, nullable=False, server_default=""),
    Column("description", Text, nullable=False, server_default=""),
    Column("instructions", Text, nullable=False, server_default=""),
    Column("model_name", String, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    Column("written_at", UtcDateTime),
    Column("replaced_at", UtcDateTime),
    Column("dropped_at", UtcDateTime),
    Column("accepted_at", UtcDateTime),
    Column("persona_version_id", ForeignKey("persona_versions.id")),
    Index("ix_persona_drafts_open", "id", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
    Index("ix_persona_drafts_group_id", "group_id"),
    Index("ix_persona_drafts_persona_version_id", "persona_version_id"),
)
