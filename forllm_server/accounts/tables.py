"""Who there is, and which repeated API calls have been answered already."""

from sqlalchemy import Column, ForeignKey, Integer, Table, Text

from forllm_server.db.types import Id, Json, UtcDateTime, metadata

users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    # casefolded, NFKC-normalised and trimmed: "Ada" and "ada " are one name
    Column("name_key", Text, nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner_id", Id, ForeignKey("users.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("route", Text, nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("body", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
