"""Schemas of recurring topics."""

from typing import Any

from marshmallow import Schema, fields, post_load, validate

from forllm_server.api.contract import Input
from forllm_server.api.fields import Boolean, Id, Integer, Moment, one_of, text
from forllm_server.api.schemas_llm import AskIn
from forllm_server.schedule.recurrence import Missed, TopicAsk
from forllm_server.schedule.recurring import MAX_ASKS
from forllm_server.schedule.windows import DAYS

_FILLED = "{date}, {weekday}, {time} and {number} are filled in; other braces stay."


class RecurringTopicChange(Input):
    """What to change; what is left out stays."""

    subforum_id = Id()
    title = text(longest=100_000, metadata={"description": _FILLED})
    content = text(longest=10_000_000, metadata={"description": _FILLED})
    ask = fields.List(
        fields.Nested(AskIn),
        validate=validate.Length(max=MAX_ASKS),
        metadata={"description": "Whom to ask about each topic. `{}` asks whoever is the default on that day."},
    )
    days = fields.List(one_of(DAYS), validate=validate.Length(min=1))
    minute = Integer(least=0, most=1439, metadata={"description": "Minutes after midnight."})
    timezone = text(longest=100, allow_none=True, metadata={"description": "IANA name; null: the forum's."})
    missed = one_of(Missed, metadata={"description": "What becomes of occurrences when FORLLM was not running."})
    is_enabled = Boolean()

    @post_load
    def in_our_words(self, values: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """The questions as the rules take them."""
        if "ask" in values:
            values["asks"] = [TopicAsk(ask.get("persona_id"), ask.get("model_id")) for ask in values.pop("ask")]
        return values


class RecurringTopicIn(RecurringTopicChange):
    """A topic that is opened from a template at a time of the week."""

    subforum_id = Id(required=True)
    title = text(longest=100_000, required=True, metadata={"description": _FILLED})
    content = text(longest=10_000_000, required=True, metadata={"description": _FILLED})
    days = fields.List(one_of(DAYS), required=True, validate=validate.Length(min=1))
    minute = Integer(least=0, most=1439, required=True, metadata={"description": "Minutes after midnight."})


class TopicAskOut(Schema):
    """Whom a recurring topic asks; null leaves it to the choosing."""

    persona_id = fields.Integer(required=True, allow_none=True)
    model_id = fields.Integer(required=True, allow_none=True)


class RecurringTopicOut(Schema):
    """A stored recurring topic."""

    id = fields.Integer(required=True)
    subforum_id = fields.Integer(required=True)
    title = fields.String(required=True)
    content = fields.String(required=True)
    ask = fields.List(fields.Nested(TopicAskOut), required=True, attribute="asks")
    days = fields.List(fields.String(), required=True, attribute="day_list")
    minute = fields.Integer(required=True)
    timezone = fields.String(required=True, allow_none=True)
    missed = fields.Enum(Missed, by_value=True, required=True)
    is_enabled = fields.Boolean(required=True)
    created_at = Moment(required=True)
    last_occurrence_at = Moment(required=True, allow_none=True)
    next_at = Moment(required=True, allow_none=True)
    last_problem = fields.String(
        required=True, allow_none=True, metadata={"description": "What went wrong the last time, for people."}
    )
    opened_count = fields.Integer(required=True)
    last_topic_id = fields.Integer(required=True, allow_none=True)


class RunOut(Schema):
    """The topic that was opened, the LLM requests about it, and what could not be asked."""

    topic_id = fields.Integer(required=True)
    llm_request_ids = fields.List(fields.Integer(), required=True)
    problems = fields.List(fields.String(), required=True)
