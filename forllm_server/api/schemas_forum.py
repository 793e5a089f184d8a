"""Schemas of subforums, topics and posts."""

from typing import Any

from marshmallow import Schema, ValidationError, fields

from forllm_server.api.contract import Input, PageQuery
from forllm_server.api.fields import Boolean, Id, Integer, Moment, one_of, text
from forllm_server.api.schemas_llm import AskIn, LlmRequestOut
from forllm_server.forum.model import Colour, TopicOrder, TrashKind

#: What the setting max_asked_at_once can be raised to; a longer list is not even read.
MOST_ASKED_AT_ONCE = 10_000


class _Asks(fields.List[Any]):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if isinstance(value, list) and len(value) > MOST_ASKED_AT_ONCE:
            raise ValidationError(
                f"That asks for {len(value):,} replies at once; the setting max_asked_at_once says how many are "
                f"allowed, {MOST_ASKED_AT_ONCE:,} at most."
            )
        return super()._deserialize(value, attr, data, **kwargs)


def _attachment_ids() -> fields.List[Any]:
    """Staged files that the new post takes."""
    description = "Files that `POST /attachments` kept, in their order."
    return fields.List(Id(), load_default=list, metadata={"description": description})


def _asks() -> fields.List[Any]:
    return _Asks(
        fields.Nested(AskIn),
        load_default=list,
        metadata={"description": "Ask these for an answer at once. `{}` asks whoever is the default."},
    )


class SubforumIn(Input):
    """A subforum."""

    name = text(longest=10_000, required=True)
    description = text(load_default="")


class SubforumChange(Input):
    """What to change; what is left out stays."""

    name = text(longest=10_000)
    description = text()
    position = Integer(least=0, metadata={"description": "Its place in its group, from 0."})
    group_id = Id(allow_none=True, metadata={"description": "Null: in no group."})
    colour = one_of(Colour, allow_none=True, metadata={"description": "A sign before its name; null: none."})


class SubforumOut(Schema):
    """A subforum."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True)
    position = fields.Integer(required=True)
    group_id = fields.Integer(required=True, allow_none=True)
    group_name = fields.String(required=True, metadata={"description": "Empty: in no group."})
    colour = fields.Enum(Colour, by_value=True, required=True, allow_none=True)
    topic_count = fields.Integer(required=True)
    last_post_at = Moment(required=True, allow_none=True)
    created_at = Moment(required=True)


class SubforumGroupIn(Input):
    """A heading over subforums."""

    name = text(longest=10_000, required=True)


class SubforumGroupChange(Input):
    """What to change; what is left out stays."""

    name = text(longest=10_000)
    position = Integer(least=0, metadata={"description": "Its place among the groups, from 0."})


class SubforumGroupOut(Schema):
    """A heading over subforums."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    position = fields.Integer(required=True)
    created_at = Moment(required=True)


class TagOut(Schema):
    """A word that topics are found by."""

    name = fields.String(required=True)
    topic_count = fields.Integer(required=True)


class TopicsQuery(PageQuery):
    """Which topics, in which order."""

    order = one_of(
        TopicOrder,
        load_default=TopicOrder.ACTIVE.value,
        metadata={"description": "finished: answered since the last window opened. awaiting: something is asked."},
    )
    tag = text(longest=200, metadata={"description": "Those with this tag, the newest first; the order is ignored."})


class TopicIn(Input):
    """A topic with its first post."""

    title = text(longest=100_000, required=True)
    content = text(longest=10_000_000, required=True)
    tags = fields.List(text(longest=10_000), load_default=list, metadata={"description": "20 at most."})
    attachment_ids = _attachment_ids()
    ask = _asks()


class TopicChange(Input):
    """What to change; what is left out stays."""

    title = text(longest=100_000)
    subforum_id = Id(metadata={"description": "Move it there; it is not pinned then."})
    is_pinned = Boolean(metadata={"description": "It stands first in its subforum."})
    is_locked = Boolean(metadata={"description": "It takes no more posts by people and no more questions."})
    tags = fields.List(text(longest=10_000), metadata={"description": "Exactly these, 20 at most."})


class MergeIn(Input):
    """Where the posts of a topic are to hang."""

    into_post_id = Id(required=True, metadata={"description": "A post of another topic."})


class SplitIn(Input):
    """The topic that a branch becomes."""

    title = text(longest=100_000, required=True)


class TopicOut(Schema):
    """A topic."""

    id = fields.Integer(required=True)
    subforum_id = fields.Integer(required=True)
    subforum_name = fields.String(required=True)
    title = fields.String(required=True)
    kind = fields.String(required=True)
    author = fields.String(required=True, attribute="author_name")
    created_at = Moment(required=True)
    last_post_at = Moment(required=True)
    post_count = fields.Integer(required=True)
    version = fields.Integer(required=True)
    is_pinned = fields.Boolean(required=True)
    is_locked = fields.Boolean(required=True)
    last_answer_at = Moment(
        required=True, allow_none=True, metadata={"description": "When a persona wrote here last; null: never."}
    )
    split_from_post_id = fields.Integer(
        required=True, allow_none=True, metadata={"description": "The post it was a reply to before it was split off."}
    )
    tags = fields.List(fields.String(), required=True)


class PostOut(Schema):
    """A post. Of a deleted one the text is withheld."""

    id = fields.Integer(required=True)
    topic_id = fields.Integer(required=True)
    parent_id = fields.Integer(required=True, allow_none=True)
    depth = fields.Integer(required=True)
    content = fields.String(required=True, metadata={"description": "Markdown."})
    content_html = fields.String(
        required=True, allow_none=True, metadata={"description": "Rendered; null for a deleted or brand-new post."}
    )
    author = fields.String(required=True, attribute="author_name")
    author_kind = fields.String(required=True)
    child_count = fields.Integer(required=True)
    created_at = Moment(required=True)
    edited_at = Moment(required=True, allow_none=True)
    is_deleted = fields.Boolean(required=True)
    version = fields.Integer(required=True)
    revision_count = fields.Integer(required=True)
    is_excluded = fields.Boolean(required=True, metadata={"description": "Kept from models: left out of prompts."})
    llm_request_id = fields.Integer(required=True, allow_none=True)
    persona_id = fields.Integer(required=True, allow_none=True)
    persona_name = fields.String(
        required=True, allow_none=True, metadata={"description": "As the persona was called when it wrote."}
    )
    persona_version_id = fields.Integer(required=True, allow_none=True)
    model = fields.String(required=True, allow_none=True, attribute="model_name")
    parameters = fields.Dict(required=True, allow_none=True)
    thinking = fields.String(required=True, allow_none=True)
    finish_reason = fields.String(required=True, allow_none=True)
    usage = fields.Dict(required=True, allow_none=True)
    is_partial = fields.Boolean(required=True)
    question_version = fields.Integer(required=True, allow_none=True)


def _notes() -> fields.List[str]:
    about = "What in the text calls somebody and reached nobody (`@nobody`), and why; mostly empty."
    return fields.List(fields.String(), required=True, metadata={"description": about})


class TopicCreatedOut(TopicOut):
    """A new topic, with its first post and what was asked about it."""

    first_post = fields.Nested(PostOut, required=True)
    llm_requests = fields.List(fields.Nested(LlmRequestOut), required=True)
    notes = _notes()


class PostAskedOut(PostOut):
    """A new or changed post, and what was asked about it by this."""

    llm_requests = fields.List(fields.Nested(LlmRequestOut), required=True)
    notes = _notes()


class ReplyIn(Input):
    """A reply."""

    content = text(longest=10_000_000, required=True)
    attachment_ids = _attachment_ids()
    ask = _asks()


class PostChange(Input):
    """A new text; the earlier one is kept."""

    content = text(longest=10_000_000, required=True)
    expected_version = Integer(
        least=1, metadata={"description": "The `version` that was edited; refused with 409 when it is another by now."}
    )


class ExclusionIn(Input):
    """Whether models are shown a post."""

    is_excluded = Boolean(required=True)


class KeptFileOut(Schema):
    """A file that a post had; it may be in the trash or erased by now."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    label = fields.String(required=True)
    digest = fields.String(required=True, metadata={"description": "SHA-256 of the content."})
    size_bytes = fields.Integer(required=True)


class RevisionOut(Schema):
    """An earlier text of a post, with its files then."""

    number = fields.Integer(required=True)
    content = fields.String(required=True)
    editor = fields.String(required=True, attribute="editor_name")
    written_at = Moment(required=True)
    replaced_at = Moment(required=True)
    attachments = fields.List(
        fields.Nested(KeptFileOut), required=True, allow_none=True, metadata={"description": "Null: nobody noted them."}
    )


class TrashItemOut(Schema):
    """Something in the trash."""

    kind = fields.Enum(TrashKind, by_value=True, required=True)
    id = fields.Integer(required=True)
    title = fields.String(required=True, metadata={"description": "Its name or title; of a post that of its topic."})
    excerpt = fields.String(required=True, metadata={"description": "How the post begins; of a file its topic."})
    deleted_at = Moment(required=True)


class ErasureOut(Schema):
    """How much was erased for good."""

    subforums = fields.Integer(required=True)
    topics = fields.Integer(required=True)
    posts = fields.Integer(required=True)
    personas = fields.Integer(required=True)
