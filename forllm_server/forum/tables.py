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
from forllm_server.queue.tables import llm_requests

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
    # Null: in no group. No foreign key: SQLite cannot add one to a table that is there.
    Column("group_id", Id),
    # One of model.Colour; null: none.
    Column("colour", Text),
    # Topics that are not in the trash: counting them would cost more the more there are.
    Column("topic_count", Integer, nullable=False, server_default="0"),
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
    Column("is_pinned", Boolean, nullable=False, server_default=false()),
    Column("is_locked", Boolean, nullable=False, server_default=false()),
    # When a persona wrote here last; null: never, or it was deleted.
    Column("last_answer_at", UtcDateTime),
    # The post below which this topic's first post stood before it was split off. No foreign keys: see subforums.
    Column("split_from_post_id", Id),
    # What was the first post of a topic that was merged into another: where its address leads now.
    Column("moved_to_post_id", Id),
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
    # Models are not shown it, except when it is the one they are asked about.
    Column("is_excluded", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("topic_id", "path"),
    Index("ix_posts_parent_id", "parent_id"),
    # For searches from a day on or up to one.
    Index("ix_posts_created_at", "created_at", "id"),
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
    # The files that the post had with this text, as attachment_model.KeptFile; null: nobody noted them.
    Column("attachments", Json),
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

subforum_groups = Table(
    "subforum_groups",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", ForeignKey("users.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("name_key", String, nullable=False, unique=True),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("created_at", UtcDateTime, nullable=False),
)

tags = Table(
    "tags",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String, nullable=False),
    Column("name_key", String, nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    # Topics with it that can be seen: counting them would cost more the more there are.
    Column("topic_count", Integer, nullable=False, server_default="0"),
    Index("ix_tags_topic_count", "topic_count", "id"),
)

topic_tags = Table(
    "topic_tags",
    metadata,
    Column("topic_id", ForeignKey("topics.id"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id"), primary_key=True),
    Index("ix_topic_tags_tag_id", "tag_id", "topic_id"),
)

# What files hold, once for all who attached the same: named by a digest of it.
attachment_contents = Table(
    "attachment_contents",
    metadata,
    Column("digest", String, primary_key=True),
    Column("size_bytes", Id, nullable=False),
)

attachment_pieces = Table(
    "attachment_pieces",
    metadata,
    Column("digest", ForeignKey("attachment_contents.digest", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

attachments = Table(
    "attachments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", ForeignKey("users.id"), nullable=False),
    # Null: staged, its post is still being written.
    Column("post_id", ForeignKey("posts.id")),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("name", String, nullable=False),
    Column("media_type", String, nullable=False),
    Column("label", String, nullable=False),
    Column("digest", ForeignKey("attachment_contents.digest"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    Index("ix_attachments_post_id", "post_id", "position"),
    Index("ix_attachments_digest", "digest"),
    Index(
        "ix_attachments_staged",
        "created_at",
        sqlite_where=text("post_id IS NULL"),
        postgresql_where=text("post_id IS NULL"),
    ),
    # A post links to its files by their ids: an id must never come to mean another one.
    sqlite_autoincrement=True,
)

_t = topics.c
_IS_UNANSWERED = text("deleted_at IS NULL AND post_count <= 1")
_IS_ANSWERED = text("deleted_at IS NULL AND last_answer_at IS NOT NULL")
# Each order of a topic list twice: in one subforum, and in all.
Index("ix_topics_new", _t.subforum_id, _t.created_at, _t.id, sqlite_where=_IS_THERE, postgresql_where=_IS_THERE)
Index("ix_topics_newest", _t.created_at, _t.id, sqlite_where=_IS_THERE, postgresql_where=_IS_THERE)
Index(
    "ix_topics_answered",
    _t.subforum_id,
    _t.last_answer_at,
    _t.id,
    sqlite_where=_IS_ANSWERED,
    postgresql_where=_IS_ANSWERED,
)
Index("ix_topics_answered_anywhere", _t.last_answer_at, _t.id, sqlite_where=_IS_ANSWERED, postgresql_where=_IS_ANSWERED)
Index(
    "ix_topics_unanswered",
    _t.subforum_id,
    _t.last_post_at,
    _t.id,
    sqlite_where=_IS_UNANSWERED,
    postgresql_where=_IS_UNANSWERED,
)
Index(
    "ix_topics_unanswered_anywhere",
    _t.last_post_at,
    _t.id,
    sqlite_where=_IS_UNANSWERED,
    postgresql_where=_IS_UNANSWERED,
)
Index(
    "ix_topics_pinned",
    _t.subforum_id,
    _t.last_post_at,
    _t.id,
    sqlite_where=text("deleted_at IS NULL AND is_pinned = 1"),
    postgresql_where=text("deleted_at IS NULL AND is_pinned"),
)
# Few topics were ever merged or split: only they are in these.
Index(
    "ix_topics_split_from_post_id",
    _t.split_from_post_id,
    sqlite_where=text("split_from_post_id IS NOT NULL"),
    postgresql_where=text("split_from_post_id IS NOT NULL"),
)
Index(
    "ix_topics_moved_to_post_id",
    _t.moved_to_post_id,
    sqlite_where=text("moved_to_post_id IS NOT NULL"),
    postgresql_where=text("moved_to_post_id IS NOT NULL"),
)
# Which topics still await an answer, without looking at all that was ever asked: what is live has not finished.
_IS_LIVE = text("finished_at IS NULL AND topic_id IS NOT NULL")
Index(
    "ix_llm_requests_awaited",
    llm_requests.c.topic_id,
    llm_requests.c.id,
    sqlite_where=_IS_LIVE,
    postgresql_where=_IS_LIVE,
)
