"""Tables of discussions and of automatic replies.

What became of a step is its LLM request's to tell, and is joined: there is nothing here that could differ from it.
"""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, false, text

from forllm_server.db.types import Id, Json, UtcDateTime, metadata

discussions = Table(
    "discussions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("kind", Text, nullable=False),
    # No foreign key: the trash erases posts for good. Its topic is that of the post, which may be moved.
    Column("post_id", Id, nullable=False),
    Column("group_id", Text, nullable=False),
    Column("seats", Json, nullable=False),
    # Who sums up a debate, or chairs a council: as a list of one or none.
    Column("closer", Json, nullable=False),
    Column("motion", Text, nullable=False, server_default=""),
    Column("most_turns", Integer),
    Column("most_tokens", Integer),
    Column("most_minutes", Integer),
    Column("is_run_now", Boolean, nullable=False, server_default=false()),
    Column("seed", Id, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ending", Text),
    Column("ending_detail", Text, nullable=False, server_default=""),
    Column("ended_at", UtcDateTime),
    Index("uq_discussions_group_id", "group_id", unique=True),
    Index("ix_discussions_post_id", "post_id"),
    Index(
        "ix_discussions_open",
        "id",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

discussion_steps = Table(
    "discussion_steps",
    metadata,
    Column("discussion_id", Id, ForeignKey("discussions.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    # The place of who is asked; -1: who closes it.
    Column("seat", Integer, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("llm_request_id", Id, nullable=False),
    Column("shown", Json, nullable=False),
    # The places, the best first; an empty list: there is no ranking.
    Column("ranked", Json, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Index("uq_discussion_steps_llm_request_id", "llm_request_id", unique=True),
)

automatic_replies = Table(
    "automatic_replies",
    metadata,
    # No foreign key: the trash erases topics for good.
    Column("topic_id", Id, primary_key=True, autoincrement=False),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("persona_ids", Json, nullable=False),
    Column("is_each_other", Boolean, nullable=False, server_default=false()),
    Column("most_deep", Integer, nullable=False),
    Column("most_replies", Integer, nullable=False),
    Column("until_at", UtcDateTime),
    Column("asked_count", Integer, nullable=False, server_default="0"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ending", Text),
    Column("ended_at", UtcDateTime),
)
