"""Tables of the votes. Who stood against whom is kept with each: counting 100,000 of them reads no post."""

from typing import Any

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, String, Table, Text, UniqueConstraint

from forllm_server.db.types import Id, UtcDateTime, metadata


def _pair() -> tuple[Column[Any], ...]:
    """The two replies, the older one first, and who wrote them."""
    return (
        Column("low_post_id", Id, ForeignKey("posts.id"), nullable=False),
        Column("high_post_id", Id, ForeignKey("posts.id"), nullable=False),
        Column("low_version_id", Id, ForeignKey("persona_versions.id"), nullable=False),
        Column("low_model_name", String, nullable=False),
        Column("high_version_id", Id, ForeignKey("persona_versions.id"), nullable=False),
        Column("high_model_name", String, nullable=False),
        Column("choice", String, nullable=False),
    )


comparisons = Table(
    "comparisons",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("users.id"), nullable=False),
    *_pair(),
    Column("voted_at", UtcDateTime, nullable=False),
    CheckConstraint("low_post_id < high_post_id", name="order"),
    CheckConstraint("choice IN ('low', 'high', 'tie', 'bad', 'skip')", name="choice"),
    UniqueConstraint("user_id", "low_post_id", "high_post_id"),
    Index("ix_comparisons_voted_at", "user_id", "voted_at", "id"),
    Index(
        "ix_comparisons_tally",
        *("user_id", "low_version_id", "low_model_name", "high_version_id", "high_model_name", "choice"),
    ),
)

#: A number that grows with every change of a person's votes: what was computed from them holds until it does.
vote_versions = Table(
    "vote_versions",
    metadata,
    Column("user_id", Id, ForeignKey("users.id"), primary_key=True),
    Column("version", Id, nullable=False),
)

# A judge is asked twice about a pair, once in either order. An empty choice: not answered yet.
judgements = Table(
    "judgements",
    metadata,
    Column("id", Id, primary_key=True),
    Column("llm_request_id", Id, ForeignKey("llm_requests.id"), nullable=False),
    Column("judge_version_id", Id, ForeignKey("persona_versions.id"), nullable=False),
    Column("judge_model_name", String, nullable=False),
    *_pair(),
    Column("is_low_first", Boolean, nullable=False),
    # Why an answer counts as no vote.
    Column("reason", Text, nullable=False, server_default=""),
    Column("judged_at", UtcDateTime),
    CheckConstraint("low_post_id < high_post_id", name="order"),
    CheckConstraint("choice IN ('', 'low', 'high', 'tie', 'none')", name="choice"),
    UniqueConstraint("judge_version_id", "low_post_id", "high_post_id", "is_low_first"),
)
