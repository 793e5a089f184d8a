"""Schemas of what a forum is set up with: schedule, backends, models, settings."""

from typing import Any

from marshmallow import Schema, fields

from forllm_server.api.contract import Input
from forllm_server.api.fields import Boolean, Id, Integer, Moment, Number, QueryId, one_of, text
from forllm_server.catalog.model import BackendKind, ContextSource
from forllm_server.schedule.windows import DAYS, Closing, ExceptionKind
from forllm_server.settings.fields import FIELDS, Field, Kind

#: The embedded backend is always there and cannot be added.
ADDABLE_KINDS = [kind for kind in BackendKind if kind is not BackendKind.EMBEDDED]


class WindowIn(Input):
    """A window. Times are minutes after midnight; the part after midnight belongs to the day of the start."""

    days = fields.List(one_of(DAYS), required=True)
    start_minute = Integer(least=0, most=1439, required=True)
    end_minute = Integer(least=0, most=1440, required=True)
    timezone = text(longest=100, allow_none=True)
    closing = one_of(Closing)
    backend_id = Id(allow_none=True)
    is_enabled = Boolean()


class WindowOut(Schema):
    """A stored window."""

    id = fields.Integer(required=True)
    backend_id = fields.Integer(required=True, allow_none=True)
    days = fields.List(fields.String(), required=True, attribute="day_list")
    start_minute = fields.Integer(required=True)
    end_minute = fields.Integer(required=True)
    timezone = fields.String(required=True, allow_none=True)
    closing = fields.String(required=True)
    is_enabled = fields.Boolean(required=True)
    created_at = Moment(required=True)


class ExceptionIn(Input):
    """A date that differs from its week. Both times, or none for the whole date."""

    date = fields.Date(required=True)
    kind = one_of(ExceptionKind, required=True)
    start_minute = Integer(least=0, most=1439, allow_none=True)
    end_minute = Integer(least=0, most=1440, allow_none=True)
    backend_id = Id(allow_none=True)
    note = text(longest=10_000)


class ExceptionOut(Schema):
    """A stored exception."""

    id = fields.Integer(required=True)
    backend_id = fields.Integer(required=True, allow_none=True)
    date = fields.Date(required=True)
    kind = fields.Enum(ExceptionKind, by_value=True, required=True)
    start_minute = fields.Integer(required=True, allow_none=True)
    end_minute = fields.Integer(required=True, allow_none=True)
    note = fields.String(required=True)
    created_at = Moment(required=True)


class ExtensionIn(Input):
    """ "Tonight also until 09:00": open from now until the clock shows that time next."""

    until = text(longest=20, required=True, metadata={"description": "Hours and minutes, like 09:00."})
    backend_id = Id(allow_none=True)


class GateOut(Schema):
    """Whether models may work now."""

    is_open = fields.Boolean(required=True)
    is_always_open = fields.Boolean(required=True, metadata={"description": "No window is set."})
    open_until = Moment(required=True, allow_none=True)
    next_opening = Moment(required=True, allow_none=True)
    words = fields.String(required=True, metadata={"description": "The same for people."})
    active = fields.Boolean(required=True, metadata={"description": "`is_open`, as the original FORLLM called it."})
    next_start = Moment(
        required=True, allow_none=True, metadata={"description": "`next_opening`, as the original FORLLM called it."}
    )


class BackendGateOut(GateOut):
    """Whether a backend may work."""

    backend_id = fields.Integer(required=True)


class ScheduleStatusOut(GateOut):
    """Whether models may work now; for all, and for each backend."""

    now = Moment(required=True)
    timezone = fields.String(required=True)
    backends = fields.List(fields.Nested(BackendGateOut), required=True)


class BackendIn(Input):
    """A backend to add."""

    name = text(longest=1_000, required=True)
    kind = one_of(ADDABLE_KINDS, required=True)
    base_url = text(longest=10_000, required=True)
    api_key = text(longest=20_000, allow_none=True, load_only=True)
    concurrency = Integer(allow_none=True, metadata={"description": "Replies at once; null: as the server offers."})
    silence_seconds = Integer(allow_none=True)
    options = fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True))


class BackendChangeIn(Input):
    """What to change; what is left out stays."""

    name = text(longest=1_000)
    base_url = text(longest=10_000)
    api_key = text(longest=20_000, allow_none=True, load_only=True)
    concurrency = Integer(allow_none=True, metadata={"description": "Replies at once; null: as the server offers."})
    silence_seconds = Integer(allow_none=True)
    is_enabled = Boolean()
    options = fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True))


class BackendRemovalQuery(Input):
    """What becomes of the LLM requests that wait for the backend."""

    move_to_model_id = QueryId(metadata={"description": "The model, of another backend, that shall answer them."})
    cancel = one_of(("true", "false"), metadata={"description": "Whether they are to be cancelled."})


class BackendOut(Schema):
    """A backend."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    base_url = fields.String(required=True)
    has_api_key = fields.Boolean(required=True)
    concurrency = fields.Integer(required=True)
    follows_slots = fields.Boolean(required=True, metadata={"description": "As many at once as the server has slots."})
    replies_at_once = fields.Integer(required=True, metadata={"description": "What comes of both."})
    silence_seconds = fields.Integer(required=True, allow_none=True)
    is_enabled = fields.Boolean(required=True)
    is_reachable = fields.Boolean(required=True, allow_none=True)
    options = fields.Dict(required=True)
    probe = fields.Dict(required=True, allow_none=True, metadata={"description": "What the last probe found."})
    probed_at = Moment(required=True, allow_none=True)
    created_at = Moment(required=True)


class ModelOut(Schema):
    """A model of a backend."""

    id = fields.Integer(required=True, attribute="model.id")
    backend_id = fields.Integer(required=True, attribute="model.backend_id")
    backend_name = fields.String(required=True)
    backend_kind = fields.String(required=True)
    name = fields.String(required=True, attribute="model.name")
    label = fields.String(required=True, attribute="model.label")
    context_tokens = fields.Integer(required=True, allow_none=True, attribute="model.context_tokens")
    context_source = one_of(ContextSource, required=True, attribute="model.context_source")
    size_bytes = fields.Integer(required=True, allow_none=True, attribute="model.size_bytes")
    is_available = fields.Boolean(required=True, attribute="model.is_available")
    may_be_asked = fields.Boolean(required=True)
    last_seen_at = Moment(required=True, attribute="model.last_seen_at")


class ModelChange(Input):
    """What a person says about a model."""

    context_tokens = Integer(
        least=1, required=True, allow_none=True, metadata={"description": "Null: the next probe decides again."}
    )


class SuggestionOut(Schema):
    """A model server that answers on this machine and is not a backend yet."""

    kind = fields.Enum(BackendKind, by_value=True, required=True)
    base_url = fields.String(required=True)
    name = fields.String(required=True)
    version = fields.String(required=True, allow_none=True)


def _setting_field(field: Field) -> fields.Field[Any]:
    description: dict[str, Any] = {"metadata": {"description": field.help}, "allow_none": field.is_optional}
    if field.kind is Kind.BOOLEAN:
        return Boolean(**description)
    if field.kind is Kind.CHOICE:
        return one_of(field.choices, **description)
    if field.kind is Kind.TIMEZONE:
        return text(longest=100, **description)
    if field.kind is Kind.TEXT:
        return text(longest=field.longest, **description)
    if field.kind is Kind.NUMBER:
        return Number(least=field.minimum, most=field.maximum, **description)
    if field.kind is Kind.INTEGER:
        return Integer(least=int(field.minimum or 0), most=int(field.maximum or 2**31 - 1), **description)
    return Id(**description)


_SETTINGS = {field.name: _setting_field(field) for field in FIELDS}

SettingsChange = Input.from_dict(dict(_SETTINGS), name="SettingsChange")
SettingsOut = Schema.from_dict(dict(_SETTINGS), name="SettingsOut")
