"""Files attached to posts; how many topics have each tag."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, UtcDateTime

revision = "0019"
down_revision = "0018"

#: Topics with a tag, as long as neither they nor their subforum lie in the trash.
_COUNTED = """
    UPDATE tags SET topic_count = (
        SELECT count(*) FROM topic_tags
        JOIN topics ON topics.id = topic_tags.topic_id
        JOIN subforums ON subforums.id = topics.subforum_id
        WHERE topic_tags.tag_id = tags.id AND topics.deleted_at IS NULL AND subforums.deleted_at IS NULL)
"""


def upgrade() -> None:
    create_attachments()
    op.add_column("tags", sa.Column("topic_count", sa.Integer, nullable=False, server_default="0"))
    op.execute(_COUNTED)
    op.create_index("ix_tags_topic_count", "tags", ["topic_count", "id"])


def create_attachments() -> None:
    op.create_table(
        "attachment_contents",
        sa.Column("digest", sa.String, primary_key=True),
        sa.Column("size_bytes", Id, nullable=False),
    )
    op.create_table(
        "attachment_pieces",
        sa.Column(
            "digest", sa.String, sa.ForeignKey("attachment_contents.digest", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "attachments",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("post_id", Id, sa.ForeignKey("posts.id")),
        sa.Column("position", sa.Integer, nullable=False, server_default="0"),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("media_type", sa.String, nullable=False),
        sa.Column("label", sa.String, nullable=False),
        sa.Column("digest", sa.String, sa.ForeignKey("attachment_contents.digest"), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("deleted_at", UtcDateTime),
        sqlite_autoincrement=True,
    )
    is_staged = sa.text("post_id IS NULL")
    op.create_index("ix_attachments_post_id", "attachments", ["post_id", "position"])
    op.create_index("ix_attachments_digest", "attachments", ["digest"])
    op.create_index(
        "ix_attachments_staged", "attachments", ["created_at"], sqlite_where=is_staged, postgresql_where=is_staged
    )
