"""Which files a post had with each of its earlier texts."""

import sqlalchemy as sa
from alembic import op

from forllm_server.db.types import Json

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("post_revisions", sa.Column("attachments", Json))
