"""Settings that were changed. What is not here has its default from ``fields.py``."""

from sqlalchemy import Column, Table, Text

from forllm_server.db.types import Json, UtcDateTime, metadata

settings = Table(
    "settings",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Json, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)
