"""``/api/v1/recent``: what came last in the whole forum."""

from typing import Any

from marshmallow import Schema, fields

from forllm_server.api.contract import Noun
from forllm_server.api.fields import Moment
from forllm_server.api.schemas_forum import TopicOut
from forllm_server.api.tags import with_tags
from forllm_server.forum.model import AuthorKind
from forllm_server.morning.recent_store import read_recent
from forllm_server.web.current import current

blueprint = Noun("Recent activity", "The topics, replies and personas that came last.")


class RecentReplyOut(Schema):
    """A reply with where it stands."""

    post_id = fields.Integer(required=True)
    topic_id = fields.Integer(required=True)
    topic_title = fields.String(required=True)
    subforum_name = fields.String(required=True)
    author = fields.String(required=True, attribute="author_name")
    author_kind = fields.Enum(AuthorKind, by_value=True, required=True)
    model = fields.String(required=True, allow_none=True, attribute="model_name")
    beginning = fields.String(required=True, metadata={"description": "Of its text, up to 600 characters of Markdown."})
    created_at = Moment(required=True)


class RecentPersonaOut(Schema):
    """A persona that was made or changed."""

    persona_id = fields.Integer(required=True)
    name = fields.String(required=True)
    version = fields.Integer(required=True, attribute="number", metadata={"description": "1: it is new."})
    note = fields.String(required=True)
    changed_at = Moment(required=True)


class RecentOut(Schema):
    """Ten of each, the newest first."""

    topics = fields.List(fields.Nested(TopicOut), required=True)
    replies = fields.List(fields.Nested(RecentReplyOut), required=True)
    personas = fields.List(fields.Nested(RecentPersonaOut), required=True)


@blueprint.route("/recent", methods=["GET"])
@blueprint.response(200, RecentOut)
def show() -> dict[str, Any]:
    """List the ten newest topics, replies and changes of personas."""
    with current().database.read() as connection:
        recent = read_recent(connection)
        topics = with_tags(connection, list(recent.topics))
    return {"topics": topics, "replies": recent.replies, "personas": recent.personas}
