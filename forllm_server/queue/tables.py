"""The tables of the queue. Live states have partial indexes, so that history costs a claim nothing."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, Table, Text, false, func, text

from forllm_server.db.types import Id, Json, UtcDateTime, metadata

llm_requests = Table(
    "llm_requests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("topic_id", Id, ForeignKey("topics.id"), nullable=True),
    Column("post_id", Id, ForeignKey("posts.id"), nullable=True),
    Column("persona_id", Id, ForeignKey("personas.id"), nullable=True),
    Column("persona_version_id", Id, ForeignKey("persona_versions.id"), nullable=True),
    Column("backend_id", Id, ForeignKey("backends.id"), nullable=True),
    Column("model_id", Id, ForeignKey("models.id"), nullable=True),
    Column("model_name", Text, nullable=True),
    Column("parameters", Json, nullable=False),
    Column("answer_number", Integer, nullable=False, server_default="1"),
    Column("input", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=True),
    Column("queued_at", UtcDateTime, nullable=True),
    Column("started_at", UtcDateTime, nullable=True),
    Column("first_token_at", UtcDateTime, nullable=True),
    Column("finished_at", UtcDateTime, nullable=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False, server_default="3"),
    Column("run", Integer, nullable=False, server_default="0"),
    Column("lease_token", Text, nullable=True),
    Column("lease_until", UtcDateTime, nullable=True),
    Column("worker", Text, nullable=True),
    Column("is_cancel_requested", Boolean, nullable=False, server_default=false()),
    Column("cause", Text, nullable=True),
    Column("cause_detail", Text, nullable=True),
    Column("output_tokens", Integer, nullable=False, server_default="0"),
    Column("usage", Json, nullable=True),
    Column("finish_reason", Text, nullable=True),
    Column("reply_post_id", Id, nullable=True),
    # A person's own order within a lane: smaller goes first, and all of them before those without one.
    Column("pinned", Float, nullable=True),
)
_c = llm_requests.c

#: The order of the line, as its index has it; what shares its rank is put in order by dispatch.py.
ORDER_IN_LINE = (_c.lane, _c.pinned.is_(None), _c.pinned, _c.priority.desc(), _c.id)

# The claim's order within a backend: live lane first, then a person's own order, then priority, then age.
Index(
    "ix_llm_requests_claim",
    _c.backend_id,
    _c.lane,
    text("(pinned IS NULL)"),
    _c.pinned,
    _c.priority.desc(),
    _c.id,
    sqlite_where=text("status = 'queued'"),
    postgresql_where=text("status = 'queued'"),
)
# What a claim chooses among, when lane and priority leave it the choice (picks_store.py): what goes on with the thread
# that the server holds, and the requests of the owner whose turn it is.
Index(
    "ix_llm_requests_thread",
    _c.backend_id,
    _c.lane,
    _c.priority,
    text("coalesce(model_id, 0)"),
    _c.topic_id,
    text("coalesce(persona_version_id, 0)"),
    _c.id,
    sqlite_where=text("status = 'queued' AND pinned IS NULL"),
    postgresql_where=text("status = 'queued' AND pinned IS NULL"),
)
Index(
    "ix_llm_requests_turn",
    _c.backend_id,
    _c.lane,
    _c.priority,
    text("coalesce(model_id, 0)"),
    _c.owner_id,
    text("coalesce(persona_version_id, 0)"),
    _c.id,
    sqlite_where=text("status = 'queued' AND pinned IS NULL"),
    postgresql_where=text("status = 'queued' AND pinned IS NULL"),
)
Index(
    "ix_llm_requests_due",
    _c.due_at,
    sqlite_where=text("status = 'waiting'"),
    postgresql_where=text("status = 'waiting'"),
)
Index(
    "ix_llm_requests_running",
    _c.backend_id,
    _c.lease_until,
    sqlite_where=text("status = 'running'"),
    postgresql_where=text("status = 'running'"),
)
Index(
    "ix_llm_requests_held",
    _c.id,
    sqlite_where=text("status = 'held'"),
    postgresql_where=text("status = 'held'"),
)
Index(
    "ix_llm_requests_failed",
    _c.id,
    sqlite_where=text("status = 'failed'"),
    postgresql_where=text("status = 'failed'"),
)
# A double click is a no-op: one live request for a post, persona and model, unless "another answer" is asked for.
Index(
    "uq_llm_requests_live",
    _c.kind,
    _c.post_id,
    func.coalesce(_c.persona_id, 0),
    func.coalesce(_c.model_id, 0),
    _c.answer_number,
    unique=True,
    sqlite_where=text("status IN ('queued', 'waiting', 'held', 'running') AND post_id IS NOT NULL"),
    postgresql_where=text("status IN ('queued', 'waiting', 'held', 'running') AND post_id IS NOT NULL"),
)
# How a persona has done lately.
Index(
    "ix_llm_requests_persona_results",
    _c.persona_id,
    _c.finished_at,
    sqlite_where=text("finished_at IS NOT NULL"),
    postgresql_where=text("finished_at IS NOT NULL"),
)
# What a topic shows at its place in the thread: everything that did not become a reply.
Index(
    "ix_llm_requests_topic_unanswered",
    _c.topic_id,
    _c.id,
    sqlite_where=text("status != 'succeeded'"),
    postgresql_where=text("status != 'succeeded'"),
)
Index("ix_llm_requests_topic", _c.topic_id, _c.id)
Index("ix_llm_requests_post", _c.post_id, _c.id)
Index("ix_llm_requests_status", _c.status, _c.id)
# What a persona on a model usually writes: its last answers.
Index(
    "ix_llm_requests_answered",
    _c.model_id,
    _c.persona_id,
    _c.id,
    sqlite_where=text("status = 'succeeded'"),
    postgresql_where=text("status = 'succeeded'"),
)

llm_chunks = Table(
    "llm_chunks",
    metadata,
    Column("llm_request_id", Id, ForeignKey("llm_requests.id", ondelete="CASCADE"), primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("thinking", Text, nullable=False, server_default=""),
)

llm_prompts = Table(
    "llm_prompts",
    metadata,
    Column("llm_request_id", Id, ForeignKey("llm_requests.id", ondelete="CASCADE"), primary_key=True),
    Column("layout", Text, nullable=False),
    Column("messages", Json, nullable=False),
    Column("breakdown", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

backend_states = Table(
    "backend_states",
    metadata,
    Column("backend_id", Id, ForeignKey("backends.id", ondelete="CASCADE"), primary_key=True),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("open_until", UtcDateTime, nullable=True),
    Column("last_error", Text, nullable=True),
    Column("changed_at", UtcDateTime, nullable=False),
    # What it served last, and how the turns stand (dispatch.py LastServed); no owner: it has served nothing yet.
    Column("last_model_id", Id, nullable=True),
    Column("last_persona_version_id", Id, nullable=True),
    Column("last_topic_id", Id, nullable=True),
    Column("last_owner_id", Id, nullable=True),
    Column("passed_over", Integer, nullable=False, server_default="0"),
    Column("in_turn", Integer, nullable=False, server_default="0"),
)

#: A number that grows with every change of the queue: ``scope`` is a topic's id, or 0 for the whole queue.
queue_versions = Table(
    "queue_versions",
    metadata,
    Column("scope", Id, primary_key=True, autoincrement=False),
    Column("version", Id, nullable=False),
)

#: How fast a model answers here, learned from what its server reports; in seconds and tokens a second.
model_rates = Table(
    "model_rates",
    metadata,
    Column("model_id", Id, ForeignKey("models.id", ondelete="CASCADE"), primary_key=True),
    Column("prompt_tokens_per_second", Float, nullable=True),
    Column("generation_tokens_per_second", Float, nullable=True),
    Column("load_seconds", Float, nullable=True),
    Column("samples", Integer, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

#: What was foretold when a request was asked, kept to be compared with what came.
llm_estimates = Table(
    "llm_estimates",
    metadata,
    Column("llm_request_id", Id, ForeignKey("llm_requests.id", ondelete="CASCADE"), primary_key=True),
    Column("made_at", UtcDateTime, nullable=False),
    Column("low_at", UtcDateTime, nullable=False),
    Column("middle_at", UtcDateTime, nullable=False),
    Column("high_at", UtcDateTime, nullable=False),
)

#: What happened to each request, append-only.
llm_request_events = Table(
    "llm_request_events",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("llm_request_id", Id, ForeignKey("llm_requests.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("run", Integer, nullable=False, server_default="0"),
    Column("worker", Text, nullable=True),
    Column("detail", Text, nullable=True),
)
Index("ix_llm_request_events_llm_request_id", llm_request_events.c.llm_request_id, llm_request_events.c.id)

workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("heartbeat_at", UtcDateTime, nullable=False),
    Column("threads", Integer, nullable=False),
    # The backends it takes work of; null: of all.
    Column("backend_ids", Json, nullable=True),
    Column("stopped_at", UtcDateTime, nullable=True),
)

#: ``scope`` is a backend's id, or 0 for the whole queue; without ``until`` it lasts until it is ended.
queue_pauses = Table(
    "queue_pauses",
    metadata,
    Column("scope", Id, primary_key=True, autoincrement=False),
    Column("until", UtcDateTime, nullable=True),
    Column("reason", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    Column("is_by_machine", Boolean, nullable=False, server_default=false()),
)
