"""Tables of what a reader did: what was seen, kept, noted, watched and judged."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from forllm_server.db.types import Id, UtcDateTime, metadata

# What a reader has with a subforum as a whole.
subforum_readings = Table(
    "subforum_readings",
    metadata,
    Column("user_id", Id, ForeignKey("users.id"), primary_key=True),
    Column("subforum_id", Id, ForeignKey("subforums.id"), primary_key=True),
    # Every post up to this one counts as seen: all was marked as read.
    Column("until_post_id", Id, nullable=False, server_default="0"),
    # No topic whose newest post is from until then holds anything unread; null: unknown. Only narrows the search.
    Column("until_at", UtcDateTime),
    # When all was marked as read last, and what stood in the two columns above before, so that it can be undone.
    Column("marked_at", UtcDateTime),
    Column("before_post_id", Id),
    Column("before_at", UtcDateTime),
)

# What a reader has with a topic.
topic_readings = Table(
    "topic_readings",
    metadata,
    Column("user_id", Id, ForeignKey("users.id"), primary_key=True),
    Column("topic_id", Id, ForeignKey("topics.id"), primary_key=True),
    # Every post up to this one was seen; later ones that were are in seen_posts.
    Column("until_post_id", Id, nullable=False, server_default="0"),
    # How many of its posts were seen when the reader was last there.
    Column("seen_count", Integer, nullable=False, server_default="0"),
    # The topic's newest activity as of when nothing in it was unread; null: something was.
    Column("seen_at", UtcDateTime),
    # watching, muted or null: neither
    Column("attention", Text),
    # tree, flat or null: as the setting says
    Column("view", Text),
    CheckConstraint("attention IN ('watching', 'muted')", name="attention"),
    CheckConstraint("view IN ('tree', 'flat')", name="view"),
)

seen_posts = Table(
    "seen_posts",
    metadata,
    Column("user_id", Id, ForeignKey("users.id"), primary_key=True),
    Column("topic_id", Id, ForeignKey("topics.id"), primary_key=True),
    Column("post_id", Id, ForeignKey("posts.id"), primary_key=True),
)

bookmarks = Table(
    "bookmarks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("users.id"), nullable=False),
    Column("post_id", Id, ForeignKey("posts.id"), nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    # Kept after it was removed, so that removing can be undone.
    Column("removed_at", UtcDateTime),
    UniqueConstraint("user_id", "post_id"),
)

topic_notes = Table(
    "topic_notes",
    metadata,
    Column("user_id", Id, ForeignKey("users.id"), primary_key=True),
    Column("topic_id", Id, ForeignKey("topics.id"), primary_key=True),
    Column("content", Text, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

post_votes = Table(
    "post_votes",
    metadata,
    Column("post_id", Id, ForeignKey("posts.id"), primary_key=True),
    Column("user_id", Id, ForeignKey("users.id"), primary_key=True),
    Column("value", Integer, nullable=False),
    Column("voted_at", UtcDateTime, nullable=False),
    CheckConstraint("value IN (-1, 1)", name="value"),
)

# Which posts quote which, as their texts say; noted when a page shows the quoting post.
post_quotes = Table(
    "post_quotes",
    metadata,
    Column("post_id", Id, ForeignKey("posts.id"), primary_key=True),
    Column("quoted_post_id", Id, ForeignKey("posts.id"), primary_key=True),
    Index("ix_post_quotes_quoted_post_id", "quoted_post_id"),
)
