"""Schemas of who answers and what was asked: personas, their versions, LLM requests."""

from typing import Any

from marshmallow import Schema, fields, validate

from forllm_server.api.contract import Input, PageQuery
from forllm_server.api.fields import Boolean, Id, Integer, Moment, QueryId, text
from forllm_server.errors import Invalid
from forllm_server.jobs.standing import IN_LINE, MOMENTARY_CAUSES
from forllm_server.personas.model import ChoiceReason
from forllm_server.queue.model import Cause, Happening, Lane, Status


class AskIn(Input):
    """Who shall answer. What is left out is chosen: the subforum's default, the forum's, the built-in persona."""

    persona_id = Id(allow_none=True)
    model_id = Id(allow_none=True)


class LlmRequestIn(AskIn):
    """A question about a post."""

    run_now = Boolean(metadata={"description": "Go first, and wait for no window."})
    priority = Integer(least=-1000, most=1000, metadata={"description": "More goes first."})
    another = Boolean(metadata={"description": "Ask again on purpose what is being or has been answered."})
    persona_version_id = Id(
        allow_none=True,
        metadata={"description": "This version of the persona, as `another` answer; null: the current one."},
    )
    parameters = fields.Dict(
        keys=fields.String(),
        values=fields.Raw(allow_none=True),
        metadata={
            "description": "For this reply alone, over the persona's own, as `another` answer: `temperature`, "
            "`max_tokens`, `seed` …"
        },
    )


class FanOutIn(Input):
    """One question to several personas on several models: each of them on each of these, so many times."""

    persona_ids = fields.List(
        Id(allow_none=True),
        validate=validate.Length(min=1, max=100),
        metadata={"description": "Null is whoever answers by the rules."},
    )
    model_ids = fields.List(
        Id(allow_none=True),
        validate=validate.Length(min=1, max=100),
        metadata={"description": "Null is the persona's own."},
    )
    repeats = Integer(least=1, most=20, metadata={"description": "How often each is asked."})
    run_now = Boolean(metadata={"description": "Go first, and wait for no window."})
    priority = Integer(least=-1000, most=1000, metadata={"description": "More goes first."})


class LlmRequestChange(Input):
    """What to change of what has not begun."""

    priority = Integer(least=-1000, most=1000, required=True, metadata={"description": "More goes first."})


class RequeueIn(Input):
    """Which model shall answer."""

    model_id = Id(required=True)


class Statuses(fields.String):
    """Statuses, separated by commas."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        known = {status.value: status for status in Status}
        words = str(value).split(",")
        if not all(word in known for word in words):
            raise Invalid("A status is one of " + ", ".join(known) + ".", field=attr)
        return tuple(known[word] for word in words)


class LlmRequestQuery(PageQuery):
    """Which LLM requests."""

    status = Statuses(metadata={"pattern": f"^({'|'.join(Status)})(,({'|'.join(Status)}))*$"})
    topic_id = QueryId()
    post_id = QueryId()


class LlmRequestOut(Schema):
    """An LLM request."""

    id = fields.Integer(required=True, attribute="llm_request.id")
    kind = fields.String(required=True, attribute="llm_request.kind")
    status = fields.Enum(Status, by_value=True, required=True, attribute="llm_request.status")
    cause = fields.Method(
        "dump_cause",
        required=True,
        allow_none=True,
        metadata={
            "description": "Why it waits, or how it ended. Null while it waits for nothing but its turn.",
            "type": "string",
            "enum": [*Cause, *MOMENTARY_CAUSES, None],
        },
    )
    cause_detail = fields.Method(
        "dump_cause_detail", required=True, allow_none=True, metadata={"type": "string", "description": "In words."}
    )
    error = fields.Method("dump_error", required=True, allow_none=True, metadata={"type": "string"})
    position = fields.Integer(required=True, allow_none=True, metadata={"description": "1 is next; of its backend."})
    lane = fields.Enum(Lane, by_value=True, required=True, attribute="llm_request.lane")
    priority = fields.Integer(required=True, attribute="llm_request.priority")
    topic_id = fields.Integer(required=True, allow_none=True, attribute="llm_request.topic_id")
    post_id = fields.Integer(required=True, allow_none=True, attribute="llm_request.post_id")
    persona_id = fields.Integer(required=True, allow_none=True, attribute="llm_request.persona_id")
    persona_version_id = fields.Integer(required=True, allow_none=True, attribute="llm_request.persona_version_id")
    backend_id = fields.Integer(required=True, allow_none=True, attribute="llm_request.backend_id")
    model_id = fields.Integer(required=True, allow_none=True, attribute="llm_request.model_id")
    model = fields.String(required=True, allow_none=True, attribute="llm_request.model_name")
    parameters = fields.Dict(required=True, attribute="llm_request.parameters")
    answer_number = fields.Integer(required=True, attribute="llm_request.answer_number")
    parent_llm_request_id = fields.Integer(
        required=True,
        allow_none=True,
        attribute="llm_request.parent_llm_request_id",
        metadata={"description": "In a chain: the one whose reply it answers."},
    )
    group_id = fields.String(
        required=True,
        allow_none=True,
        attribute="llm_request.group_id",
        metadata={"description": "Names those that were asked together."},
    )
    attempts = fields.Integer(required=True, attribute="llm_request.attempts")
    max_attempts = fields.Integer(required=True, attribute="llm_request.max_attempts")
    created_at = Moment(required=True, attribute="llm_request.created_at")
    due_at = Moment(required=True, allow_none=True, attribute="llm_request.due_at")
    started_at = Moment(required=True, allow_none=True, attribute="llm_request.started_at")
    first_token_at = Moment(required=True, allow_none=True, attribute="llm_request.first_token_at")
    finished_at = Moment(required=True, allow_none=True, attribute="llm_request.finished_at")
    output_tokens = fields.Integer(required=True, attribute="llm_request.output_tokens")
    usage = fields.Dict(required=True, allow_none=True, attribute="llm_request.usage")
    finish_reason = fields.String(required=True, allow_none=True, attribute="llm_request.finish_reason")
    reply_post_id = fields.Integer(required=True, allow_none=True, attribute="llm_request.reply_post_id")

    def dump_cause(self, described: Any) -> str | None:
        """What keeps it now where that is known; else what the queue has stored."""
        cause = _keeping(described) or described["llm_request"].cause
        return None if cause is None else str(cause)

    def dump_cause_detail(self, described: Any) -> str | None:
        """The sentence for :meth:`dump_cause`."""
        detail = described["standing"].sentence if _keeping(described) else described["llm_request"].cause_detail
        return None if detail is None else str(detail)

    def dump_error(self, described: Any) -> str | None:
        """Of a failed one the sentence that says why."""
        llm_request = described["llm_request"]
        if llm_request.status is not Status.FAILED:
            return None
        return str(llm_request.cause_detail or llm_request.cause)


def _keeping(described: Any) -> str | None:
    """Why a queued one does not begin: of the moment (its window is closed, its backend is off), so never stored."""
    standing = described.get("standing")
    if standing is None or described["llm_request"].status is not Status.QUEUED or standing.cause == IN_LINE:
        return None
    return str(standing.cause)


class StandingOut(Schema):
    """Where an LLM request stands, in words for people."""

    label = fields.String(required=True)
    sentence = fields.String(required=True)
    next_at = Moment(required=True, allow_none=True)
    needs_person = fields.Boolean(required=True)


class DoneByOut(Schema):
    """When something is done: most likely between `low_at` and `high_at`."""

    low_at = Moment(required=True)
    middle_at = Moment(required=True)
    high_at = Moment(required=True)


class LlmRequestWholeOut(LlmRequestOut):
    """An LLM request with its prompt and what is written so far."""

    standing = fields.Nested(StandingOut, required=True)
    estimate = fields.Nested(
        DoneByOut, required=True, allow_none=True, metadata={"description": "What was foretold when it was asked."}
    )

    layout = fields.String(required=True, allow_none=True, attribute="prompt.layout", dump_default=None)
    prompt = fields.List(
        fields.Dict(),
        required=True,
        allow_none=True,
        attribute="prompt.messages",
        dump_default=None,
        metadata={"description": "The messages, exactly as they were sent."},
    )
    breakdown = fields.Dict(
        required=True,
        allow_none=True,
        attribute="prompt.breakdown",
        dump_default=None,
        metadata={"description": "Where the prompt's tokens went, what was left out, and what stood for it."},
    )
    partial_text = fields.String(required=True, allow_none=True, attribute="partial.text", dump_default=None)
    partial_thinking = fields.String(required=True, allow_none=True, attribute="partial.thinking", dump_default=None)


class AskedTogetherOut(Schema):
    """LLM requests that were asked together. `id` is null when all of them were asked before, or there is but one."""

    id = fields.String(required=True, allow_none=True)
    llm_requests = fields.List(fields.Nested(LlmRequestOut), required=True)


class LlmRequestEventOut(Schema):
    """Something that happened to an LLM request."""

    at = Moment(required=True)
    name = fields.Enum(Happening, by_value=True, required=True)
    run = fields.Integer(required=True)
    worker = fields.String(required=True, allow_none=True)
    detail = fields.String(required=True, allow_none=True)


class PersonaIn(Input):
    """What a persona is. Each change makes a new version."""

    name = text(longest=10_000, required=True)
    instructions = text(required=True)
    model_id = Id(allow_none=True)
    fallback_model_ids = fields.List(
        Id(), metadata={"description": "Models to ask when the one before is not there, in order."}
    )
    parameters = fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True))
    note = text(longest=10_000, metadata={"description": "What was changed and why."})


class PersonaChange(PersonaIn):
    """What a persona shall be from now on."""

    expected_version = Integer(
        least=1, metadata={"description": "The version that was edited; refused with 409 when it is another by now."}
    )


class VersionOut(Schema):
    """A persona as it was at one time."""

    id = fields.Integer(required=True)
    persona_id = fields.Integer(required=True)
    number = fields.Integer(required=True)
    name = fields.String(required=True)
    instructions = fields.String(required=True)
    model_id = fields.Integer(required=True, allow_none=True)
    fallback_model_ids = fields.List(fields.Integer(), required=True)
    parameters = fields.Dict(required=True)
    note = fields.String(required=True)
    created_at = Moment(required=True)
    created_by = fields.Integer(required=True, metadata={"description": "The id of who made it."})


class PersonaOut(Schema):
    """A persona with its current version."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    is_builtin = fields.Boolean(required=True)
    created_at = Moment(required=True)
    version_id = fields.Integer(required=True, attribute="version.id")
    version = fields.Integer(required=True, attribute="version.number")
    instructions = fields.String(required=True, attribute="version.instructions")
    model_id = fields.Integer(required=True, allow_none=True, attribute="version.model_id")
    fallback_model_ids = fields.List(fields.Integer(), required=True, attribute="version.fallback_model_ids")
    parameters = fields.Dict(required=True, attribute="version.parameters")
    note = fields.String(required=True, attribute="version.note")


class ReversionIn(Input):
    """Which version to go back to."""

    version = Integer(least=1, required=True, metadata={"description": "The number of a version."})


class AssignmentIn(Input):
    """How a persona is available in a subforum."""

    is_default = Boolean(metadata={"description": "Whether it answers when nobody else is asked; left out: as it is."})


class AssignmentOut(Schema):
    """A persona made available in a subforum."""

    subforum_id = fields.Integer(required=True)
    persona_id = fields.Integer(required=True)
    persona_name = fields.String(required=True)
    is_default = fields.Boolean(required=True)
    created_at = Moment(required=True)


class DefaultPersonaIn(Input):
    """Who answers in a subforum when nobody else is asked."""

    persona_id = Id(required=True, allow_none=True)


class DefaultPersonaOut(Schema):
    """The default of a subforum."""

    persona_id = fields.Integer(required=True, allow_none=True)
    persona_name = fields.String(required=True, allow_none=True)


class EffectivePersonaQuery(Input):
    """Who is asked."""

    persona_id = QueryId(metadata={"description": "As if this one were asked for."})


class EffectivePersonaOut(Schema):
    """Who answers, and why."""

    persona_id = fields.Integer(required=True, attribute="persona.id")
    persona_name = fields.String(required=True, attribute="version.name")
    version_id = fields.Integer(required=True, attribute="version.id")
    version = fields.Integer(required=True, attribute="version.number")
    model_id = fields.Integer(required=True, allow_none=True, attribute="version.model_id")
    reason = fields.Enum(ChoiceReason, by_value=True, required=True)


class PromptEstimateIn(Input):
    """A text being written."""

    title = text(longest=100_000, metadata={"description": "Of a new topic."})
    text = text(longest=10_000_000, required=True)
    parent_id = Id(allow_none=True, metadata={"description": "The post that it replies to."})
    subforum_id = Id(allow_none=True, metadata={"description": "Where a new topic would be opened."})
    persona_id = Id(allow_none=True)
    model_id = Id(allow_none=True)


class AdditionOut(Schema):
    """What asking would add to the queue."""

    machine_seconds = fields.Float(
        required=True, allow_none=True, metadata={"description": "Null until a reply of the model has finished."}
    )
    done_by = fields.Nested(DoneByOut, required=True, allow_none=True)
    words = fields.String(required=True, metadata={"description": "The same for people."})


class PromptEstimateOut(Schema):
    """The draft, counted."""

    text_tokens = fields.Integer(
        required=True, attribute="estimate.text_tokens", metadata={"description": "Of the draft alone."}
    )
    persona_name = fields.String(required=True, attribute="estimate.persona_name")
    model = fields.String(
        required=True,
        allow_none=True,
        attribute="estimate.model_name",
        metadata={"description": "Null as long as there is no model; then only the text is counted."},
    )
    context_tokens = fields.Integer(required=True, allow_none=True, attribute="estimate.context_tokens")
    breakdown = fields.Function(
        lambda found: found["estimate"].breakdown and found["estimate"].breakdown.as_dict(),
        required=True,
        allow_none=True,
        metadata={"type": "object", "description": "Where the whole prompt's tokens would go."},
    )
    problem = fields.String(
        required=True, allow_none=True, attribute="estimate.problem", metadata={"description": "Why it does not fit."}
    )
    addition = fields.Nested(
        AdditionOut, required=True, allow_none=True, metadata={"description": "Null as long as there is no model."}
    )
    notes = fields.List(
        fields.String(), required=True, metadata={"description": "A sentence for each call that would reach nobody."}
    )
