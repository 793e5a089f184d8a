"""Schemas of mornings, channels and deliveries."""

from marshmallow import Schema, fields

from forllm_server.api.contract import Input
from forllm_server.api.fields import Boolean, Moment, one_of, text
from forllm_server.notify.model import ChannelKind, DeliveryStatus, Occasion

_OPTIONS = (
    "webhook: url. ntfy: base_url, topic. email: host, port, security (tls, starttls, none), username, sender, "
    "recipients. All: may_be_local, forum_url."
)


class GistOut(Schema):
    """What a topic's new replies say, as a model put it."""

    line = fields.String(required=True)
    disagreement = fields.String(required=True, metadata={"description": "Empty: none, or one voice only."})
    model_name = fields.String(required=True)
    persona_version_id = fields.Integer(required=True, allow_none=True)
    replies = fields.Integer(required=True, metadata={"description": "How many it was made from."})
    written_at = Moment(required=True, allow_none=True)


class MorningReplyOut(Schema):
    """A reply that a night brought."""

    post_id = fields.Integer(required=True)
    question_id = fields.Integer(required=True)
    persona_name = fields.String(required=True)
    model_name = fields.String(required=True)
    is_partial = fields.Boolean(required=True)
    is_first = fields.Boolean(required=True, metadata={"description": "Its question had no reply before."})
    created_at = Moment(required=True)


class MorningTopicOut(Schema):
    """The night's replies in one topic."""

    topic_id = fields.Integer(required=True)
    title = fields.String(required=True)
    subforum_id = fields.Integer(required=True)
    replies = fields.List(fields.Nested(MorningReplyOut), required=True)
    gist = fields.Nested(GistOut, required=True, allow_none=True)


class EnergyOut(Schema):
    """What a night used; measured, or wholly or in part estimated."""

    watt_hours = fields.Float(required=True)
    is_measured = fields.Boolean(required=True)
    known_of = fields.Integer(required=True, metadata={"description": "Of so many replies it is known."})
    costs = fields.Dict(keys=fields.String(), values=fields.Float(), required=True)


class FiguresOut(Schema):
    """A night in numbers; null where no server told."""

    answered = fields.Integer(required=True)
    failed = fields.Integer(required=True)
    cancelled = fields.Integer(required=True)
    prompt_tokens = fields.Integer(required=True)
    completion_tokens = fields.Integer(required=True)
    tokens_per_second = fields.Float(required=True, allow_none=True)
    cached_share = fields.Float(required=True, allow_none=True)
    worked_seconds = fields.Float(required=True)
    model_loads = fields.Integer(required=True, attribute="loads")
    model_swaps = fields.Integer(required=True, attribute="swaps")
    energy = fields.Nested(EnergyOut, required=True, allow_none=True)


class NightPauseOut(Schema):
    """A pause that held in a night. Scope 0 is the whole queue, else a backend's id."""

    scope = fields.Integer(required=True)
    began_at = Moment(required=True)
    ended_at = Moment(required=True, allow_none=True)
    reason = fields.String(required=True)
    is_by_machine = fields.Boolean(required=True)


class MorningOut(Schema):
    """The report of a night, named after its morning."""

    day = fields.Date(required=True)
    begins_at = Moment(required=True, allow_none=True)
    ends_at = Moment(required=True, allow_none=True)
    counts_from = Moment(required=True)
    counts_until = Moment(required=True)
    is_latest = fields.Boolean(required=True)
    is_under_way = fields.Boolean(required=True)
    waiting = fields.Integer(required=True, metadata={"description": "LLM requests that are live now."})
    figures = fields.Nested(FiguresOut, required=True)
    topics = fields.List(
        fields.Nested(MorningTopicOut), required=True, metadata={"description": "The most important first."}
    )
    failed_llm_request_ids = fields.List(fields.Integer(), required=True)
    pauses = fields.List(fields.Nested(NightPauseOut), required=True)


class ChannelChange(Input):
    """What to change; what is left out stays. With `options` all of them are replaced."""

    name = text(longest=1_000)
    options = fields.Dict(keys=fields.String(), metadata={"description": _OPTIONS})
    secret = text(
        longest=1_000, allow_none=True, metadata={"description": "Kept sealed and never shown. Null removes it."}
    )
    tells_nights = Boolean()
    tells_stalls = Boolean()
    is_enabled = Boolean()
    subject = text(longest=10_000, metadata={"description": "A template; empty: FORLLM's own words."})
    body = text(longest=50_000, metadata={"description": "A template; docs/notifications.md lists the names."})


class ChannelIn(ChannelChange):
    """A new channel."""

    kind = one_of(ChannelKind, required=True)
    name = text(longest=1_000, required=True)
    options = fields.Dict(keys=fields.String(), required=True, metadata={"description": _OPTIONS})


class ChannelOut(Schema):
    """A channel. Its secret is never told."""

    id = fields.Integer(required=True)
    kind = fields.Enum(ChannelKind, by_value=True, required=True)
    name = fields.String(required=True)
    options = fields.Dict(keys=fields.String(), required=True)
    has_secret = fields.Boolean(required=True)
    tells_nights = fields.Boolean(required=True)
    tells_stalls = fields.Boolean(required=True)
    is_enabled = fields.Boolean(required=True)
    subject = fields.String(required=True)
    body = fields.String(required=True)
    created_at = Moment(required=True)


class DeliveryOut(Schema):
    """A message on its way to a channel, or there."""

    id = fields.Integer(required=True)
    channel_id = fields.Integer(required=True)
    occasion = fields.Enum(Occasion, by_value=True, required=True)
    subject = fields.String(required=True)
    body = fields.String(required=True)
    status = fields.Enum(DeliveryStatus, by_value=True, required=True)
    attempts = fields.Integer(required=True)
    created_at = Moment(required=True)
    due_at = Moment(required=True, allow_none=True, metadata={"description": "When it is tried next."})
    ended_at = Moment(required=True, allow_none=True)
    problem = fields.String(required=True, allow_none=True)
