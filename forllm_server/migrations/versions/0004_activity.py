"""What a reader did: seen, bookmarks, notes, watching, votes, quotes."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _create_readings()
    _create_keepsakes()
    # What was there before anybody could see what is new counts as seen.
    op.execute(
        "INSERT INTO subforum_readings (user_id, subforum_id, until_post_id, until_at)"
        " SELECT u.id, s.id, (SELECT max(p.id) FROM posts p),"
        " (SELECT max(t.last_post_at) FROM topics t WHERE t.subforum_id = s.id)"
        " FROM users u CROSS JOIN subforums s WHERE EXISTS (SELECT 1 FROM topics t WHERE t.subforum_id = s.id)"
        " AND EXISTS (SELECT 1 FROM posts)"
    )


def _create_readings() -> None:
    op.create_table(
        "subforum_readings",
        sa.Column("user_id", Id, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("subforum_id", Id, sa.ForeignKey("subforums.id"), primary_key=True),
        sa.Column("until_post_id", Id, nullable=False, server_default="0"),
        sa.Column("until_at", UtcDateTime),
        sa.Column("marked_at", UtcDateTime),
        sa.Column("before_post_id", Id),
        sa.Column("before_at", UtcDateTime),
    )
    op.create_table(
        "topic_readings",
        sa.Column("user_id", Id, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("topic_id", Id, sa.ForeignKey("topics.id"), primary_key=True),
        sa.Column("until_post_id", Id, nullable=False, server_default="0"),
        sa.Column("seen_count", sa.Integer, nullable=False, server_default="0"),
        sa.Column("seen_at", UtcDateTime),
        sa.Column("attention", sa.Text),
        sa.Column("view", sa.Text),
        sa.CheckConstraint("attention IN ('watching', 'muted')", name="attention"),
        sa.CheckConstraint("view IN ('tree', 'flat')", name="view"),
    )
    op.create_table(
        "seen_posts",
        sa.Column("user_id", Id, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("topic_id", Id, sa.ForeignKey("topics.id"), primary_key=True),
        sa.Column("post_id", Id, sa.ForeignKey("posts.id"), primary_key=True),
    )


def _create_keepsakes() -> None:
    op.create_table(
        "bookmarks",
        sa.Column("id", Id, primary_key=True),
        sa.Column("user_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("post_id", Id, sa.ForeignKey("posts.id"), nullable=False),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("removed_at", UtcDateTime),
        sa.UniqueConstraint("user_id", "post_id"),
    )
    op.create_table(
        "topic_notes",
        sa.Column("user_id", Id, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("topic_id", Id, sa.ForeignKey("topics.id"), primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "post_votes",
        sa.Column("post_id", Id, sa.ForeignKey("posts.id"), primary_key=True),
        sa.Column("user_id", Id, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("value", sa.Integer, nullable=False),
        sa.Column("voted_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("value IN (-1, 1)", name="value"),
    )
    op.create_table(
        "post_quotes",
        sa.Column("post_id", Id, sa.ForeignKey("posts.id"), primary_key=True),
        sa.Column("quoted_post_id", Id, sa.ForeignKey("posts.id"), primary_key=True),
    )
    op.create_index("ix_post_quotes_quoted_post_id", "post_quotes", ["quoted_post_id"])
