"""What is sent and received about personas besides their versions: tags, files and trials."""

from marshmallow import Schema, fields

from forllm_server.api.contract import Input
from forllm_server.api.fields import Id, text


class TagsIn(Input):
    """The words that a persona is filed under."""

    tags = fields.List(text(longest=200), required=True)


class TagsOut(Schema):
    """The words as they are stored: small letters, each once."""

    tags = fields.List(fields.String(), required=True)


class PersonaFileIn(Input):
    """A persona in a file's JSON."""

    persona = fields.Dict(required=True, metadata={"description": "FORLLM's own form, or a character card V1-V3."})


class PersonaFileOut(Schema):
    """A persona with all its versions."""

    format = fields.String(required=True)
    format_version = fields.Integer(required=True)
    name = fields.String(required=True)
    tags = fields.List(fields.String(), required=True)
    card = fields.Dict(required=True, allow_none=True)
    versions = fields.List(fields.Dict(), required=True)


class CardOut(Schema):
    """A character card (V3)."""

    spec = fields.String(required=True)
    spec_version = fields.String(required=True)
    data = fields.Dict(required=True)


class TrialIn(Input):
    """A version that is not saved, and the post to try it on."""

    post_id = Id(required=True)
    persona_id = Id(allow_none=True, load_default=None)
    name = text(longest=10_000, required=True)
    instructions = text(required=True)
    model_id = Id(allow_none=True, load_default=None)
    fallback_model_ids = fields.List(Id(), load_default=list)
    parameters = fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True), load_default=dict)


class TrialOut(Schema):
    """Where a trial stands; `text` is null until it has been answered."""

    llm_request_id = fields.Integer(required=True)
    status = fields.String(required=True)
    finish_reason = fields.String(required=True, allow_none=True)
    text = fields.String(required=True, allow_none=True)
    thinking = fields.String(required=True, allow_none=True)
