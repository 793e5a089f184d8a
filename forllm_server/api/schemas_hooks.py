"""Schemas of hooks and their calls."""

from marshmallow import Schema, fields

from forllm_server.api.contract import Input
from forllm_server.api.fields import Boolean, Integer, Moment, one_of, text
from forllm_server.hooks.model import CallStatus, HookKind


class HookChange(Input):
    """What to change; what is left out stays."""

    name = text(longest=1_000)
    events = fields.List(text(longest=100), metadata={"description": "Names of events; docs/hooks.md lists them."})
    command = text(longest=10_000, metadata={"description": "Of a command: a program and its words, without a shell."})
    url = text(longest=2_100, metadata={"description": "Of a webhook: where JSON is posted to."})
    may_be_local = Boolean(metadata={"description": "Of a webhook: it may be in a network of one's own, on any port."})
    secret = text(
        longest=1_000,
        allow_none=True,
        metadata={"description": "Of a webhook: what it is signed with. Kept sealed and never shown. Null removes it."},
    )
    timeout_seconds = Integer(least=1, most=3_600)
    most_attempts = Integer(least=1, most=10)
    most_repeats = Integer(
        least=0, most=5, metadata={"description": "How often it is called for what its own calls bring about."}
    )
    is_enabled = Boolean()


class HookIn(HookChange):
    """A new hook."""

    kind = one_of(HookKind, required=True)
    name = text(longest=1_000, required=True)
    events = fields.List(
        text(longest=100), required=True, metadata={"description": "Names of events; docs/hooks.md lists them."}
    )


class HookOut(Schema):
    """A hook. Its secret is never told."""

    id = fields.Integer(required=True)
    kind = fields.Enum(HookKind, by_value=True, required=True)
    name = fields.String(required=True)
    events = fields.List(fields.String(), required=True)
    command = fields.String(required=True)
    url = fields.String(required=True)
    may_be_local = fields.Boolean(required=True)
    has_secret = fields.Boolean(required=True)
    timeout_seconds = fields.Integer(required=True)
    most_attempts = fields.Integer(required=True)
    most_repeats = fields.Integer(required=True)
    is_enabled = fields.Boolean(required=True)
    created_at = Moment(required=True)


class HookCallOut(Schema):
    """A call of a hook: to be made, or made."""

    id = fields.Integer(required=True)
    hook_id = fields.Integer(required=True)
    event = fields.String(required=True)
    event_id = fields.String(required=True, metadata={"description": "The same at every attempt."})
    facts = fields.Dict(keys=fields.String(), required=True)
    chain = fields.List(
        fields.Integer(), required=True, metadata={"description": "The hooks whose calls led to it, its own last."}
    )
    status = fields.Enum(CallStatus, by_value=True, required=True)
    attempts = fields.Integer(required=True)
    created_at = Moment(required=True)
    due_at = Moment(required=True, allow_none=True, metadata={"description": "When it is tried next."})
    ended_at = Moment(required=True, allow_none=True)
    problem = fields.String(required=True, allow_none=True)


class HookAttemptOut(Schema):
    """How calling went once."""

    started_at = Moment(required=True)
    seconds = fields.Float(required=True)
    is_ok = fields.Boolean(required=True)
    code = fields.Integer(
        required=True, allow_none=True, metadata={"description": "A command's exit code, or the status of HTTP."}
    )
    output = fields.String(
        required=True, metadata={"description": "The end of what a command wrote, or how an answer begins."}
    )
    is_truncated = fields.Boolean(required=True)
    problem = fields.String(required=True)


class HookCallInFullOut(HookCallOut):
    """A call with every attempt."""

    log = fields.List(fields.Nested(HookAttemptOut), required=True)
