"""Schemas of the queue as a whole: pauses, moves, changes of many, workers."""

from typing import Any

from marshmallow import Schema, fields, validate

from forllm_server.api.contract import Input
from forllm_server.api.fields import Id, Moment, QueryId, one_of, text
from forllm_server.api.schemas_llm import LlmRequestOut
from forllm_server.queue.bulk import Action

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
        metadata={"type": ["integer", "null"], "description": "Null: the whole queue."},
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
