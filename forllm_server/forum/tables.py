"""Tables of the forum: subforums, topics, posts and the earlier texts of posts."""

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
_IS_ANSWER = text("author_kind = 'persona' AND deleted_at IS NULL AND NOT is_partial")

subforums = Table(
    "subforums",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", ForeignKey("users.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("name_key", String, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    # A name is free again once its subforum lies in the trash.
    Index("uq_subforums_name_key", "name_key", unique=True, sqlite_where=_IS_THERE, postgresql_where=_IS_THERE),
)

topics = Table(
    "topics",
    metadata,
    Column("id", Id, primary_key=True),
    Column("subforum_id", ForeignKey("subforums.id"), nullable=False),
    Column("owner_id", ForeignKey("users.id"), nullable=False),
    Column("kind", String, nullable=False, server_default="discussion"),
    Column("title", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_post_at", UtcDateTime, nullable=False),
    Column("post_count", Integer, nullable=False, server_default="0"),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("deleted_at", UtcDateTime),
    Index("ix_topics_list", "subforum_id", "last_post_at", "id", sqlite_where=_IS_THERE, postgresql_where=_IS_THERE),
    Index("ix_topics_recent", "last_post_at", "id", sqlite_where=_IS_THERE, postgresql_where=_IS_THERE),
    # The whole of it, for purging a subforum: the partial ones cannot answer for deleted topics.
    Index("ix_topics_subforum_id", "subforum_id"),
)

posts = Table(
    "posts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("topic_id", ForeignKey("topics.id"), nullable=False),
    Column("parent_id", ForeignKey("posts.id")),
    Column("owner_id", ForeignKey("users.id"), nullable=False),
    Column("author_kind", String, nullable=False, server_default="person"),
    Column("content", Text, nullable=False),
    Column("content_html", Text),
    Column("render_version", Integer, nullable=False, server_default="0"),
    Column("path", LargeBinary, nullable=False),
    Column("depth", Integer, nullable=False, server_default="0"),
    # Numbers the siblings, so it never shrinks: a deleted reply keeps its number.
    Column("child_count", Integer, nullable=False, server_default="0"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("edited_at", UtcDateTime),
    Column("deleted_at", UtcDateTime),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("revision_count", Integer, nullable=False, server_default="0"),
    # No foreign key: llm_requests points at posts already, and a ring of keys cannot be created on SQLite.
    Column("llm_request_id", Id, unique=True),
    Column("persona_version_id", ForeignKey("persona_versions.id")),
    Column("persona_name", String),
    Column("model_name", String),
    Column("parameters", Json),
    Column("thinking", Text),
    Column("finish_reason", String),
    Column("usage", Json),
    Column("is_partial", Boolean, nullable=False, server_default=false()),
    Column("question_version", Integer),
    UniqueConstraint("topic_id", "path"),
    Index("ix_posts_parent_id", "parent_id"),
    # Replies to one post that can be compared, without reading what they say.
    Index(
        "ix_posts_answers",
        "parent_id",
        "id",
        "persona_version_id",
        "model_name",
        "topic_id",
        sqlite_where=_IS_ANSWER,
        postgresql_where=_IS_ANSWER,
    ),
    Index(
        "ix_posts_trash",
        "deleted_at",
        sqlite_where=text("deleted_at IS NOT NULL"),
        postgresql_where=text("deleted_at IS NOT NULL"),
    ),
)

post_revisions = Table(
    "post_revisions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("post_id", ForeignKey("posts.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", Text, nullable=False),
    # Who replaced this text, not who wrote it first: that is the post's author.
    Column("editor_id", ForeignKey("users.id"), nullable=False),
    Column("written_at", UtcDateTime, nullable=False),
    Column("replaced_at", UtcDateTime, nullable=False),
    UniqueConstraint("post_id", "number"),
)

drafts = Table(
    "drafts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", ForeignKey("users.id"), nullable=False),
    # Where it would be sent: a subforum for a new topic, else a post. No foreign key: a draft outlives its place.
    Column("kind", String, nullable=False),
    Column("target_id", Id, nullable=False),
    # The open form that saved it last; another form never writes over it unseen.
    Column("writer", String, nullable=False, server_default=""),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("format", Integer, nullable=False, server_default="1"),
    Column("title", Text, nullable=False, server_default=""),
    Column("content", Text, nullable=False, server_default=""),
    Column("fields", Json, nullable=False),
    Column("post_version", Integer),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("discarded_at", UtcDateTime),
    Index("ix_drafts_place", "owner_id", "kind", "target_id", "updated_at"),
    Index("ix_drafts_list", "owner_id", "updated_at", "id"),
    # Drafts are really deleted, and an open form still names them: an id must never come to mean another one.
    sqlite_autoincrement=True,
)
