"""An index of when posts were written, for searches from a day on or up to one."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_index("ix_posts_created_at", "posts", ["created_at", "id"])
