"""Tables of the summaries: each with its versions, and each version with the posts that it covers."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from forllm_server.db.types import Id, Json, UtcDateTime, metadata

summaries = Table(
    "summaries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("topic_id", Id, ForeignKey("topics.id"), nullable=False),
    Column("scope", String, nullable=False),
    # Of a way its last post, of replies the post that they answer, of a topic its first one.
    Column("anchor_post_id", Id, ForeignKey("posts.id"), nullable=False),
    # 0: none is written yet.
    Column("current_number", Integer, nullable=False, server_default="0"),
    # What writes it or wrote it last. No foreign key: the text stays when the request's row is cleared up.
    Column("llm_request_id", Id),
    # How far that has come, where it takes several steps.
    Column("progress", Json),
    Column("created_at", UtcDateTime, nullable=False),
    Column("removed_at", UtcDateTime),
    CheckConstraint("scope IN ('way', 'topic', 'replies')", name="scope"),
    Index("ix_summaries_topic_id", "topic_id", "id"),
)

summary_versions = Table(
    "summary_versions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("summary_id", Id, ForeignKey("summaries.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", Text, nullable=False),
    Column("author", String, nullable=False),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("anchor_post_id", Id, ForeignKey("posts.id"), nullable=False),
    Column("llm_request_id", Id),
    Column("persona_version_id", Id, ForeignKey("persona_versions.id")),
    Column("persona_name", String, nullable=False, server_default=""),
    Column("model_name", String, nullable=False, server_default=""),
    Column("note", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint("author IN ('model', 'person')", name="author"),
    UniqueConstraint("summary_id", "number"),
)

summary_posts = Table(
    "summary_posts",
    metadata,
    Column("version_id", Id, ForeignKey("summary_versions.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("post_id", Id, ForeignKey("posts.id"), nullable=False),
    # As they were when it was made: what changed since makes it stale.
    Column("post_version", Integer, nullable=False),
    Column("parent_id", Id),
    # False: deleted or kept from models at the time, and so passed over.
    Column("is_covered", Boolean, nullable=False),
)
