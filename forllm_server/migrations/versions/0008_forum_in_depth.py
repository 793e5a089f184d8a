"""Groups and colours of subforums; topics pinned, locked, merged and split; tags; the orders of topic lists."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Id, UtcDateTime

revision = "0008"
down_revision = "0007"

_IS_THERE = "deleted_at IS NULL"
_IS_ANSWERED = "deleted_at IS NULL AND last_answer_at IS NOT NULL"
_IS_UNANSWERED = "deleted_at IS NULL AND post_count <= 1"
_IS_LIVE = "finished_at IS NULL AND topic_id IS NOT NULL"


def upgrade() -> None:
    add_columns()
    create_tables()
    fill_columns()
    create_indexes_of_lists()


def add_columns() -> None:
    for subforum_column in (
        sa.Column("group_id", Id),
        sa.Column("colour", sa.Text),
        sa.Column("topic_count", sa.Integer, nullable=False, server_default="0"),
    ):
        op.add_column("subforums", subforum_column)
    for topic_column in (
        sa.Column("is_pinned", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("is_locked", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("last_answer_at", UtcDateTime),
        sa.Column("split_from_post_id", Id),
        sa.Column("moved_to_post_id", Id),
    ):
        op.add_column("topics", topic_column)


def create_tables() -> None:
    op.create_table(
        "subforum_groups",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("name_key", sa.String, nullable=False),
        sa.Column("position", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("name_key"),
    )
    op.create_table(
        "tags",
        sa.Column("id", Id, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("name_key", sa.String, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("name_key"),
    )
    op.create_table(
        "topic_tags",
        sa.Column("topic_id", Id, sa.ForeignKey("topics.id"), primary_key=True),
        sa.Column("tag_id", Id, sa.ForeignKey("tags.id"), primary_key=True),
    )
    op.create_index("ix_topic_tags_tag_id", "topic_tags", ["tag_id", "topic_id"])


def fill_columns() -> None:
    op.execute(
        "UPDATE subforums SET topic_count = (SELECT count(*) FROM topics"
        " WHERE topics.subforum_id = subforums.id AND topics.deleted_at IS NULL)"
    )
    op.execute(
        "UPDATE topics SET last_answer_at = (SELECT max(posts.created_at) FROM posts"
        " WHERE posts.topic_id = topics.id AND posts.author_kind = 'persona' AND posts.deleted_at IS NULL)"
        " WHERE post_count > 1"
    )


def create_indexes_of_lists() -> None:
    create_index("ix_topics_new", "topics", ["subforum_id", "created_at", "id"], _IS_THERE)
    create_index("ix_topics_newest", "topics", ["created_at", "id"], _IS_THERE)
    create_index("ix_topics_answered", "topics", ["subforum_id", "last_answer_at", "id"], _IS_ANSWERED)
    create_index("ix_topics_answered_anywhere", "topics", ["last_answer_at", "id"], _IS_ANSWERED)
    create_index("ix_topics_unanswered", "topics", ["subforum_id", "last_post_at", "id"], _IS_UNANSWERED)
    create_index("ix_topics_unanswered_anywhere", "topics", ["last_post_at", "id"], _IS_UNANSWERED)
    op.create_index(
        "ix_topics_pinned",
        "topics",
        ["subforum_id", "last_post_at", "id"],
        sqlite_where=sa.text("deleted_at IS NULL AND is_pinned = 1"),
        postgresql_where=sa.text("deleted_at IS NULL AND is_pinned"),
    )
    for column in ("split_from_post_id", "moved_to_post_id"):
        create_index(f"ix_topics_{column}", "topics", [column], f"{column} IS NOT NULL")
    create_index("ix_llm_requests_awaited", "llm_requests", ["topic_id", "id"], _IS_LIVE)


def create_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
