"""What is sent and received about personas besides their versions: tags, files and trials."""

from marshmallow import Schema, fields

from forllm_server.api.contract import Input
from forllm_server.api.fields import Boolean, Id, Integer, Moment, text


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


class PromptMessageOut(Schema):
    """One message as a model would be sent it."""

    role = fields.String(required=True)
    content = fields.String(required=True)


class PreviewOut(Schema):
    """The exact prompt of an unsaved version; without one, `problem` says why."""

    problem = fields.String(required=True, metadata={"description": "Empty where there is a prompt."})
    model = fields.String(required=True, metadata={"description": "Which model would answer, and why."})
    messages = fields.List(fields.Nested(PromptMessageOut), required=True)
    prompt_tokens = fields.Integer(required=True, allow_none=True)
    context_tokens = fields.Integer(required=True, allow_none=True)
    is_exact = fields.Boolean(
        required=True, allow_none=True, metadata={"description": "Whether the tokens were counted by the model's own."}
    )


class TrialOut(Schema):
    """Where a trial stands; `text` is null until it has been answered."""

    llm_request_id = fields.Integer(required=True)
    status = fields.String(required=True)
    finish_reason = fields.String(required=True, allow_none=True)
    text = fields.String(required=True, allow_none=True)
    thinking = fields.String(required=True, allow_none=True)


class PersonaDraftsIn(Input):
    """What a model is to write."""

    description = text(longest=1_000_000, load_default="")
    subforum_id = Id(allow_none=True, load_default=None, metadata={"description": "Experts for this subforum."})
    name = text(longest=10_000, load_default="", metadata={"description": "Empty: the model finds one."})
    count = Integer(load_default=1, metadata={"description": "1 to 10, which differ."})
    model_id = Id(allow_none=True, load_default=None)
    run_now = Boolean(load_default=False)


class RegenerationIn(Input):
    """How a draft is to be written once more."""

    remark = text(longest=1_000_000, load_default="", metadata={"description": "What should be different."})
    model_id = Id(allow_none=True, load_default=None)
    run_now = Boolean(load_default=False)


class AcceptanceIn(Input):
    """What becomes of a draft; `null` leaves its own."""

    name = text(longest=10_000, allow_none=True, load_default=None)
    instructions = text(allow_none=True, load_default=None)
    is_assigned = Boolean(
        load_default=False, metadata={"description": "Make it available in the subforum that it was written for."}
    )


class PersonaDraftOut(Schema):
    """A persona that a model writes. Its texts are the model's, and are empty until `written_at`."""

    id = fields.Integer(required=True)
    status = fields.String(
        required=True,
        metadata={
            "description": "`written`, `accepted`, `dropped`, `replaced`, or the state of its LLM request while it "
            "is not written: `queued`, `waiting`, `held`, `running`, `failed`, `cancelled`, `succeeded`."
        },
    )
    group_id = fields.String(required=True)
    number = fields.Integer(required=True)
    total = fields.Integer(required=True)
    description_asked = fields.String(required=True)
    name_asked = fields.String(required=True)
    subforum_id = fields.Integer(required=True, allow_none=True)
    remark = fields.String(required=True)
    previous_id = fields.Integer(required=True, allow_none=True)
    llm_request_ids = fields.List(fields.Integer(), required=True)
    problem = fields.String(required=True, allow_none=True, metadata={"description": "Why it was not written."})
    answer = fields.String(
        required=True, metadata={"description": "Word for word what the model wrote, also where that is no persona."}
    )
    name = fields.String(required=True)
    description = fields.String(required=True)
    instructions = fields.String(required=True)
    model_name = fields.String(required=True)
    persona_id = fields.Integer(required=True, allow_none=True)
    created_at = Moment(required=True)
    written_at = Moment(required=True, allow_none=True)


class PersonaDraftsOut(Schema):
    """The drafts that were asked for together."""

    group_id = fields.String(required=True)
    items = fields.List(fields.Nested(PersonaDraftOut), required=True)
