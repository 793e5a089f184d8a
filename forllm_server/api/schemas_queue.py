"""Schemas of the queue as a whole: pauses, moves, changes of many, workers."""

from typing import Any

from marshmallow import Schema, fields, validate

from forllm_server.api.contract import Input, PageQuery
from forllm_server.api.fields import Id, Moment, QueryId, one_of, text
from forllm_server.api.schemas_llm import DoneByOut, LlmRequestOut, StandingOut, Statuses
from forllm_server.queue.bulk import Action
from forllm_server.queue.model import Status

#: How many LLM requests one call may move or change.
MOST_AT_ONCE = 1_000


def _ids() -> fields.List[Any]:
    return fields.List(Id(), required=True, validate=validate.Length(min=1, max=MOST_AT_ONCE))


class PauseIn(Input):
    """A pause."""

    backend_id = Id(allow_none=True, metadata={"description": "Null: the whole queue."})
    until = Moment(allow_none=True, metadata={"description": "Null: until it is ended."})
    reason = text(longest=10_000)


class PauseQuery(Input):
    """Which pause."""

    backend_id = QueryId()


class PauseOut(Schema):
    """A pause that holds."""

    backend_id = fields.Function(
        lambda pause: pause.scope or None,
        required=True,
        allow_none=True,
        metadata={"type": "integer", "description": "Null: the whole queue."},
    )
    until = Moment(required=True, allow_none=True)
    reason = fields.String(required=True)
    created_at = Moment(required=True)
    is_by_machine = fields.Boolean(required=True, metadata={"description": "Begun because the machine was busy."})


class MoveIn(Input):
    """Where LLM requests shall stand."""

    ids = _ids()
    before_id = Id(load_default=None, allow_none=True, metadata={"description": "Null or left out: at the top."})


class ChangesIn(Input):
    """What to do to many LLM requests."""

    ids = _ids()
    action = one_of((*Action, "requeue"), required=True)
    model_id = Id(metadata={"description": "For a requeue: which model shall answer."})


class RefusalOut(Schema):
    """An LLM request that stayed as it was."""

    id = fields.Integer(required=True)
    reason = fields.String(required=True)


class ChangesOut(Schema):
    """What became of them."""

    changed = fields.List(fields.Nested(LlmRequestOut), required=True)
    refused = fields.List(fields.Nested(RefusalOut), required=True)


class WorkerOut(Schema):
    """A process that works on the queue."""

    id = fields.String(required=True, attribute="worker.id")
    host = fields.String(required=True, attribute="worker.host")
    pid = fields.Integer(required=True, attribute="worker.pid")
    threads = fields.Integer(required=True, attribute="worker.threads")
    backend_ids = fields.List(
        fields.Integer(),
        required=True,
        allow_none=True,
        attribute="worker.backend_ids",
        metadata={"description": "Those it takes work of; null: of all."},
    )
    is_alive = fields.Boolean(required=True)
    started_at = Moment(required=True, attribute="worker.started_at")
    heartbeat_at = Moment(required=True, attribute="worker.heartbeat_at")
    stopped_at = Moment(required=True, allow_none=True, attribute="worker.stopped_at")


class CountsOut(Schema):
    """How many LLM requests are in each state that is not history."""

    queued = fields.Integer(required=True)
    waiting = fields.Integer(required=True)
    held = fields.Integer(required=True)
    running = fields.Integer(required=True)
    failed = fields.Integer(required=True)


class GroupOut(Schema):
    """LLM requests that follow one another on a backend, in one opening, on one model."""

    backend_id = fields.Integer(required=True)
    model_id = fields.Integer(required=True, allow_none=True)
    opens_at = Moment(
        required=True, allow_none=True, metadata={"description": "The opening waited for; null: none, it is open."}
    )
    llm_request_ids = fields.List(fields.Integer(), required=True)


class ScoreOut(Schema):
    """How the estimates of the last answers turned out: so many were done within the range foretold."""

    hits = fields.Integer(required=True)
    counted = fields.Integer(required=True)


class QueueBackendOut(Schema):
    """A backend as the queue sees it."""

    backend_id = fields.Integer(required=True)
    name = fields.String(required=True)
    is_enabled = fields.Boolean(required=True)
    concurrency = fields.Integer(required=True)
    is_open = fields.Boolean(required=True, metadata={"description": "Whether a window allows it to work now."})
    is_paused = fields.Boolean(required=True, metadata={"description": "By a pause of its own or of the queue."})
    queued = fields.Integer(required=True)
    running = fields.Integer(required=True)
    failures = fields.Integer(required=True, metadata={"description": "Times in a row that it could not be reached."})
    next_try_at = Moment(required=True, allow_none=True)
    last_error = fields.String(required=True, allow_none=True)


class QueueOut(Schema):
    """The queue as a whole."""

    at = Moment(required=True)
    counts = fields.Nested(CountsOut, required=True)
    is_paused = fields.Boolean(required=True, metadata={"description": "As a whole; single backends: `pauses`."})
    pauses = fields.List(fields.Nested(PauseOut), required=True)
    done_by = fields.Nested(
        DoneByOut,
        required=True,
        allow_none=True,
        metadata={"description": "Of what can be foretold; `unknown_count` cannot until a reply of its model is done."},
    )
    unknown_count = fields.Integer(required=True)
    machine_seconds = fields.Float(required=True, metadata={"description": "The work in all, as far as it is known."})
    score = fields.Nested(ScoreOut, required=True)
    groups = fields.List(fields.Nested(GroupOut), required=True, metadata={"description": "In the order of work."})
    backends = fields.List(fields.Nested(QueueBackendOut), required=True)


class PlanQuery(PageQuery):
    """Which part of the plan."""


class HistoryQuery(PageQuery):
    """Which part of the history."""

    status = Statuses(metadata={"pattern": f"^({'|'.join(Status)})(,({'|'.join(Status)}))*$"})
    subforum_id = QueryId()
    topic_id = QueryId()
    post_id = QueryId()
    persona_id = QueryId()
    model_id = QueryId()
    text = fields.String(
        validate=[validate.Length(max=200), validate.ContainsNoneOf("\0")],
        metadata={"description": "Words in the question or the topic's title, as they stand there."},
    )


class ListedOut(LlmRequestOut):
    """An LLM request as a list shows it."""

    persona = fields.String(
        required=True, attribute="persona_name", metadata={"description": "Its name; empty where nobody is asked."}
    )
    question = fields.String(
        required=True, metadata={"description": "The first words of the post that is asked about."}
    )
    standing = fields.Nested(StandingOut, required=True)


class PlannedOut(ListedOut):
    """An LLM request in the order of work."""

    starts_at = Moment(required=True, allow_none=True)
    done_by = fields.Nested(DoneByOut, required=True, allow_none=True)
