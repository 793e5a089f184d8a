"""Schemas of debates, councils and automatic replies."""

from marshmallow import Schema, fields, validate

from forllm_server.api.contract import Input, PageQuery
from forllm_server.api.fields import Boolean, Id, Integer, Moment, QueryId, one_of, text
from forllm_server.discussions.making import (
    LEAST_DEEP,
    LEAST_HOURS,
    LEAST_MINUTES,
    LEAST_REPLIES,
    LEAST_TOKENS,
    LEAST_TURNS,
    MOST_AUTOMATIC_PERSONAS,
    MOST_DEEP,
    MOST_HOURS,
    MOST_MINUTES,
    MOST_REPLIES,
    MOST_TOKENS,
    MOST_TURNS,
    USUAL_DEEP,
    USUAL_REPLIES,
    USUAL_TURNS,
)
from forllm_server.discussions.model import AutomaticEnding, Ending, Kind, StepKind


class SeatIn(Input):
    """Somebody who takes part."""

    persona_id = Id(required=True)
    model_id = Id(
        load_default=None,
        allow_none=True,
        metadata={"description": "null: the persona's own model, else the forum's."},
    )
    role = text(longest=1_000, load_default="", metadata={"description": "Of a debate: `for`, `against` …"})


class DiscussionIn(Input):
    """A debate of two to four, or a council of three to eight."""

    kind = one_of(Kind, required=True)
    seats = fields.List(fields.Nested(SeatIn), required=True, validate=validate.Length(min=1, max=20))
    closer = fields.Nested(
        SeatIn,
        load_default=None,
        allow_none=True,
        metadata={"description": "Who sums the debate up (null: nobody), or chairs the council."},
    )
    motion = text(longest=10_000, load_default="", metadata={"description": "Empty: what the post says."})
    max_turns = Integer(
        least=LEAST_TURNS, most=MOST_TURNS, load_default=USUAL_TURNS, metadata={"description": "Of a debate."}
    )
    max_tokens = Integer(
        least=LEAST_TOKENS,
        most=MOST_TOKENS,
        load_default=None,
        allow_none=True,
        metadata={"description": "Of a debate, all turns together; null: no cap."},
    )
    max_minutes = Integer(
        least=LEAST_MINUTES,
        most=MOST_MINUTES,
        load_default=None,
        allow_none=True,
        metadata={"description": "Of a debate: minutes that its models work, looked at between turns; null: no cap."},
    )
    is_run_now = Boolean(load_default=False)


class DiscussionsQuery(PageQuery):
    """Which debates and councils."""

    topic_id = QueryId(metadata={"description": "Of this topic only."})


class SeatOut(Schema):
    """Somebody who takes part, with the version that the persona had when it began."""

    persona_id = fields.Integer(required=True)
    persona_version_id = fields.Integer(required=True)
    name = fields.String(required=True)
    number = fields.Integer(required=True, metadata={"description": "Of the version."})
    model_id = fields.Integer(required=True, allow_none=True)
    role = fields.String(required=True)


class StepOut(Schema):
    """One LLM request of it. `seat` is a place in `seats`, from 0; -1 is the closer."""

    number = fields.Integer(required=True)
    kind = fields.Enum(StepKind, by_value=True, required=True)
    seat = fields.Integer(required=True)
    attempt = fields.Integer(required=True)
    llm_request_id = fields.Integer(required=True)
    status = fields.String(required=True, allow_none=True)
    post_id = fields.Integer(required=True, allow_none=True)
    output_tokens = fields.Integer(required=True)
    shown = fields.List(
        fields.Integer(),
        required=True,
        metadata={"description": "Of a ranking: the places of the opinions as they were shown, A first."},
    )
    ranked = fields.List(
        fields.Integer(),
        required=True,
        allow_none=True,
        metadata={"description": "The places, the best first; null: none that could be read."},
    )
    reason = fields.String(required=True, metadata={"description": "Why what was said is no ranking."})


class PlacedOut(Schema):
    """What became of an opinion."""

    seat = fields.Integer(required=True)
    place = fields.Integer(required=True)
    points = fields.Float(
        required=True, allow_none=True, metadata={"description": "Borda points, 0 to 100; null: nobody ranked it."}
    )


class DiscussionOut(Schema):
    """A debate or a council."""

    id = fields.Integer(required=True)
    kind = fields.Enum(Kind, by_value=True, required=True)
    post_id = fields.Integer(required=True)
    topic_id = fields.Integer(required=True, allow_none=True)
    group_id = fields.String(required=True)
    seats = fields.List(fields.Nested(SeatOut), required=True)
    closer = fields.Nested(SeatOut, required=True, allow_none=True)
    motion = fields.String(required=True)
    max_turns = fields.Integer(required=True, allow_none=True, attribute="limits.turns")
    max_tokens = fields.Integer(required=True, allow_none=True, attribute="limits.tokens")
    max_minutes = fields.Integer(required=True, allow_none=True, attribute="limits.minutes")
    is_run_now = fields.Boolean(required=True)
    created_at = Moment(required=True)
    ending = fields.Enum(
        Ending,
        by_value=True,
        required=True,
        allow_none=True,
        metadata={"description": "Why nothing more is asked; with `ended_at` null it is being summed up."},
    )
    ended_at = Moment(required=True, allow_none=True)


class DiscussionWholeOut(DiscussionOut):
    """A debate or a council with its steps."""

    steps = fields.List(fields.Nested(StepOut), required=True)
    ranking = fields.List(fields.Nested(PlacedOut), required=True, metadata={"description": "The best first."})
    progress = fields.List(fields.String(), required=True, metadata={"description": "In words."})
    state = fields.String(required=True, metadata={"description": "In words."})
    remaining = fields.String(required=True, metadata={"description": "What is still to come, in words, or empty."})


class PlanOut(Schema):
    """What beginning it would add to the queue."""

    llm_requests = fields.Integer(
        required=True, metadata={"description": "At most; rankings that are asked for again aside."}
    )
    words = fields.String(required=True)


class AutomaticRepliesIn(Input):
    """Who answers by itself in a topic, and how much of it."""

    persona_ids = fields.List(Id(), required=True, validate=validate.Length(min=1, max=MOST_AUTOMATIC_PERSONAS))
    is_each_other = Boolean(load_default=False)
    most_deep = Integer(least=LEAST_DEEP, most=MOST_DEEP, load_default=USUAL_DEEP)
    most_replies = Integer(least=LEAST_REPLIES, most=MOST_REPLIES, load_default=USUAL_REPLIES)
    hours = Integer(
        least=LEAST_HOURS,
        most=MOST_HOURS,
        load_default=None,
        allow_none=True,
        metadata={"description": "null: without an end."},
    )


class AutomaticRepliesOut(Schema):
    """The automatic replies of a topic."""

    topic_id = fields.Integer(required=True)
    persona_ids = fields.List(fields.Integer(), required=True)
    is_each_other = fields.Boolean(required=True)
    most_deep = fields.Integer(required=True)
    most_replies = fields.Integer(required=True)
    until_at = Moment(required=True, allow_none=True)
    asked_count = fields.Integer(required=True)
    is_on = fields.Boolean(required=True)
    ending = fields.Enum(AutomaticEnding, by_value=True, required=True, allow_none=True)
    created_at = Moment(required=True)
    ended_at = Moment(required=True, allow_none=True)
