"""Schemas of what a reader did."""

from marshmallow import Schema, fields, validate

from forllm_server.activity.model import Attention, View
from forllm_server.activity.seeing import MOST_AT_ONCE
from forllm_server.api.contract import Input
from forllm_server.api.fields import Id, Integer, Moment, one_of, text


class BookmarkIn(Input):
    """A post to keep."""

    post_id = Id(required=True)
    note = text(longest=100_000, load_default="")


class BookmarkChange(Input):
    """Another note; an empty one takes it away."""

    note = text(longest=100_000, required=True)


class BookmarkOut(Schema):
    """A bookmark, with what it is set on. Of a deleted post the content is empty."""

    id = fields.Integer(required=True)
    post_id = fields.Integer(required=True)
    topic_id = fields.Integer(required=True)
    topic_title = fields.String(required=True)
    subforum_name = fields.String(required=True)
    author = fields.String(required=True, attribute="author_name")
    content = fields.String(required=True, metadata={"description": "Markdown."})
    note = fields.String(required=True)
    created_at = Moment(required=True)


class NoteIn(Input):
    """One's own words about a topic."""

    content = text(longest=1_000_000, is_filled=True, required=True)


class NoteOut(Schema):
    """A note on a topic."""

    topic_id = fields.Integer(required=True)
    topic_title = fields.String(required=True)
    content = fields.String(required=True)
    changed_at = Moment(required=True)


class VoteIn(Input):
    """For (1) or against (-1)."""

    value = Integer(least=-1, most=1, required=True, metadata={"description": "1 or -1; 0 takes the vote back."})


class VotesOut(Schema):
    """The votes on a post."""

    up = fields.Integer(required=True)
    down = fields.Integer(required=True)
    own = fields.Integer(required=True, metadata={"description": "One's own vote: 1, -1 or 0."})


class ReadingChange(Input):
    """What to change; what is left out stays."""

    attention = one_of(Attention, allow_none=True, metadata={"description": "What is muted is never unread."})
    view = one_of(View, allow_none=True, metadata={"description": "null: as the setting says."})


class ReadingOut(Schema):
    """What the reader has with a topic."""

    has_unread = fields.Boolean(required=True)
    first_unread_post_id = fields.Integer(
        required=True, allow_none=True, metadata={"description": "In the order in which the topic is read."}
    )
    attention = fields.String(required=True, allow_none=True)
    view = fields.String(required=True, allow_none=True)


class SeenIn(Input):
    """What was seen."""

    post_ids = fields.List(
        Id(),
        validate=validate.Length(max=MOST_AT_ONCE),
        metadata={"description": "Left out: everything in the topic."},
    )


class UnreadTopicOut(Schema):
    """A topic with something unread."""

    id = fields.Integer(required=True)
    title = fields.String(required=True)
    subforum_id = fields.Integer(required=True)
    subforum_name = fields.String(required=True)
    post_count = fields.Integer(required=True)
    last_post_at = Moment(required=True)


class UnreadCountOut(Schema):
    """How many topics of a subforum have something unread."""

    subforum_id = fields.Integer(required=True)
    topics = fields.Integer(required=True)


class UnreadCountsOut(Schema):
    """How much is unread, by subforum; those with nothing unread are left out."""

    topics = fields.Integer(required=True, metadata={"description": "Over all subforums."})
    subforums = fields.List(fields.Nested(UnreadCountOut), required=True)


class MarkingIn(Input):
    """What to mark as read."""

    subforum_id = Id(allow_none=True, load_default=None, metadata={"description": "null: everything."})


class MarkingOut(Schema):
    """A marking. Delete it to take it back."""

    id = fields.Integer(required=True)
    marked_at = Moment(required=True)
