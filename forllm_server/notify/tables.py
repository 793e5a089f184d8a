"""Tables of telling: where to, what was sent, and who may read the feeds."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from forllm_server.db.types import Id, Json, UtcDateTime, metadata

channels = Table(
    "channels",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    # The kind's own: see notify/options.py.
    Column("options", Json, nullable=False),
    # A key, a token or a password; never shown again.
    Column("secret_sealed", LargeBinary),
    Column("tells_nights", Boolean, nullable=False),
    Column("tells_stalls", Boolean, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    # Templates; empty: FORLLM's own words.
    Column("subject", Text, nullable=False, server_default=""),
    Column("body", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint("kind IN ('webhook', 'ntfy', 'email')", name="kind"),
)

_IS_WAITING = text("status = 'waiting'")
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("channel_id", Id, ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
    Column("occasion", Text, nullable=False),
    # What it is about, e.g. a night: a channel is told of it once.
    Column("key", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("facts", Json, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", UtcDateTime, nullable=False),
    # When it is tried next; while somebody tries, when another one may.
    Column("due_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("problem", Text),
    UniqueConstraint("channel_id", "key"),
    Index("ix_deliveries_due", "due_at", sqlite_where=_IS_WAITING, postgresql_where=_IS_WAITING),
)

feed_tokens = Table(
    "feed_tokens",
    metadata,
    Column("owner_id", Id, ForeignKey("users.id"), primary_key=True),
    # What the token of an address is looked up by, so that the rows alone open nothing.
    Column("digest", LargeBinary, nullable=False, unique=True),
    # For showing the address to its owner again.
    Column("token_sealed", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
