"""What was brought in from elsewhere, so that a second import adds only what is new."""

from sqlalchemy import Column, PrimaryKeyConstraint, Table, Text

from forllm_server.db.types import Id, UtcDateTime, metadata

imported_records = Table(
    "imported_records",
    metadata,
    # A stable fingerprint of the database it came from (exchange/original.py).
    Column("source", Text, nullable=False),
    # The noun here: subforum, topic, post, persona, persona_version, llm_request, schedule_window …
    Column("kind", Text, nullable=False),
    Column("original_id", Id, nullable=False),
    # No foreign key: one column points into many tables.
    Column("local_id", Id, nullable=False),
    Column("imported_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("source", "kind", "original_id"),
)
