"""Groups and colours of subforums; pins, locks, tags and votes."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    pass
