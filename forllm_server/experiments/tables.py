"""The tables of experiments: a row each, and a row for each pair of an old answer and its new one.

A pair keeps its new answer itself: it is no post, so that no topic is cluttered with it, until a person puts it there.
How far a pair is comes from its LLM request and is never copied.
"""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, Table, Text, false, text

from forllm_server.db.types import Id, Json, UtcDateTime, metadata

experiments = Table(
    "experiments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    # Null: each old answer's own.
    Column("persona_version_id", Id, ForeignKey("persona_versions.id")),
    Column("persona_words", Text, nullable=False),
    # No foreign key: a model that is forgotten leaves its experiments behind. Null: each old answer's own.
    Column("model_id", Id),
    Column("model_words", Text, nullable=False),
    Column("is_run_now", Boolean, nullable=False, server_default=false()),
    Column("state", Text, nullable=False),
    Column("pair_count", Integer, nullable=False),
    Column("asked_count", Integer, nullable=False, server_default="0"),
    # Why how many of the chosen answers are not asked for again.
    Column("left_out", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Index(
        "ix_experiments_unfinished",
        "id",
        sqlite_where=text("finished_at IS NULL"),
        postgresql_where=text("finished_at IS NULL"),
    ),
    # A deleted experiment's number is never given to another one.
    sqlite_autoincrement=True,
)

experiment_pairs = Table(
    "experiment_pairs",
    metadata,
    Column("experiment_id", Id, ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    # No foreign keys to posts and requests: an experiment outlives what is erased for good.
    Column("old_post_id", Id, nullable=False),
    Column("question_id", Id, nullable=False),
    Column("topic_id", Id, nullable=False),
    Column("old_version_id", Id, ForeignKey("persona_versions.id"), nullable=False),
    Column("old_model_name", Text, nullable=False),
    Column("old_tokens", Integer),
    Column("old_seconds", Float),
    Column("old_characters", Integer, nullable=False),
    Column("question_characters", Integer, nullable=False),
    Column("persona_id", Id, nullable=False),
    Column("new_version_id", Id, ForeignKey("persona_versions.id"), nullable=False),
    Column("new_model_id", Id, nullable=False),
    Column("new_model_name", Text, nullable=False),
    Column("llm_request_id", Id),
    # Why it could not even be put into the queue.
    Column("problem", Text),
    Column("new_text", Text),
    Column("new_thinking", Text),
    Column("new_finish_reason", Text),
    Column("new_tokens", Integer),
    Column("new_seconds", Float),
    Column("new_characters", Integer),
    Column("answered_at", UtcDateTime),
    # The new answer in its thread, where a person put it: from then on votes are the room of votes' own.
    Column("post_id", Id),
    Column("choice", Text),
    Column("voted_at", UtcDateTime),
    Index("ix_experiment_pairs_llm_request_id", "llm_request_id"),
    Index(
        "ix_experiment_pairs_votes",
        "old_version_id",
        "old_model_name",
        "new_version_id",
        "new_model_name",
        "choice",
        sqlite_where=text("choice IS NOT NULL"),
        postgresql_where=text("choice IS NOT NULL"),
    ),
)
