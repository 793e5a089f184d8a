"""Schemas of summaries."""

from marshmallow import Schema, fields, validate

from forllm_server.api.contract import Input
from forllm_server.api.fields import Boolean, Id, Integer, Moment, one_of, text
from forllm_server.summaries.model import SummaryScope


class TopicSummaryIn(Input):
    """A summary of all posts of a topic."""

    run_now = Boolean(load_default=False, metadata={"description": "Do not wait for a window."})


class PostSummaryIn(Input):
    """A summary of the way to a post, or of replies to it."""

    scope = one_of(
        (SummaryScope.WAY, SummaryScope.REPLIES),
        required=True,
        metadata={
            "description": "`way`: from the first post to this one; models get it in place of what does not fit. "
            "`replies`: replies to this post."
        },
    )
    post_ids = fields.List(
        Id(),
        load_default=list,
        validate=validate.Length(max=1_000),
        metadata={"description": "Of `replies`: which. Empty: all."},
    )
    run_now = Boolean(load_default=False, metadata={"description": "Do not wait for a window."})


class SummaryRenewalIn(Input):
    """Have it written anew from the posts as they are now."""

    run_now = Boolean(load_default=False, metadata={"description": "Do not wait for a window."})


class SummaryChange(Input):
    """Another text. It counts as true to the posts as they are now."""

    content = text(required=True)
    version = Integer(least=0, metadata={"description": "The version that was edited, 0: none; over a newer one 409."})


class ChangedPostOut(Schema):
    """A post to which something happened since it was summed up."""

    post_id = fields.Integer(required=True)
    change = fields.String(
        required=True, metadata={"description": "`edited`, `deleted`, `excluded`, `shown` or `moved`."}
    )


class SummaryVersionOut(Schema):
    """A version of a summary; it never changes."""

    number = fields.Integer(required=True)
    content = fields.String(required=True, metadata={"description": "Markdown."})
    author = fields.String(required=True, metadata={"description": "`model` or `person`."})
    persona_name = fields.String(required=True)
    persona_version_id = fields.Integer(required=True, allow_none=True)
    model = fields.String(required=True, attribute="model_name")
    llm_request_id = fields.Integer(required=True, allow_none=True)
    note = fields.String(required=True)
    created_at = Moment(required=True)


class SummaryOut(Schema):
    """A summary. `version` is null while its first one is being written."""

    id = fields.Integer(required=True, attribute="summary.id")
    topic_id = fields.Integer(required=True, attribute="summary.topic_id")
    scope = fields.String(
        required=True, attribute="summary.scope", metadata={"description": "`way`, `topic` or `replies`."}
    )
    anchor_post_id = fields.Integer(
        required=True,
        attribute="summary.anchor_post_id",
        metadata={"description": "Of a way its last post, of replies what they answer, of a topic its first post."},
    )
    version = fields.Nested(SummaryVersionOut, required=True, allow_none=True, attribute="summary.version")
    post_ids = fields.List(fields.Integer(), required=True, metadata={"description": "What the version covers."})
    is_stale = fields.Boolean(
        required=True, metadata={"description": "Something happened to those posts since: models are not given it."}
    )
    changes = fields.List(fields.Nested(ChangedPostOut), required=True)
    llm_request_id = fields.Integer(
        required=True,
        allow_none=True,
        attribute="summary.llm_request_id",
        metadata={"description": "What writes its next version, or wrote one last."},
    )
    status = fields.String(
        required=True, allow_none=True, metadata={"description": "Of that LLM request; null when it is gone."}
    )
    created_at = Moment(required=True, attribute="summary.created_at")
