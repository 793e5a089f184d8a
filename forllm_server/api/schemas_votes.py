"""Schemas of votes and ratings."""

from marshmallow import Schema, fields

from forllm_server.api.contract import Input
from forllm_server.api.fields import Id, Moment, QueryId, one_of
from forllm_server.votes.model import Side


class VoteOnPairIn(Input):
    """A vote between two replies to one post, by different personas or models."""

    left_post_id = Id(required=True)
    right_post_id = Id(required=True)
    choice = one_of(Side, required=True, metadata={"description": "`skip` is no vote: they are not offered again."})


class VoteOnPairChange(Input):
    """Another choice; the sides are those that the vote is listed with."""

    choice = one_of(Side, required=True)


class VoteOnPairOut(Schema):
    """A vote between two replies."""

    id = fields.Integer(required=True)
    left_post_id = fields.Integer(required=True)
    right_post_id = fields.Integer(required=True)
    choice = fields.String(required=True)
    topic_id = fields.Integer(required=True)
    voted_at = Moment(required=True)


class BlindReplyOut(Schema):
    """A reply without its author."""

    post_id = fields.Integer(required=True)
    content = fields.String(required=True, metadata={"description": "Markdown."})


class PairOut(Schema):
    """Two replies that wait for a vote, with what they answer."""

    topic_title = fields.String(required=True)
    question = fields.String(required=True, metadata={"description": "Markdown."})
    left = fields.Nested(BlindReplyOut, required=True)
    right = fields.Nested(BlindReplyOut, required=True)
    waiting = fields.Integer(required=True, metadata={"description": "How many pairs wait, 100 at most."})


class LeaderboardQuery(Input):
    """Whose rating."""

    subforum_id = QueryId(metadata={"description": "Only votes on replies there."})
    by = one_of(("me", "judge"), load_default="me", metadata={"description": "Whose votes: one's own or the judge's."})


class RatedOut(Schema):
    """A version of a persona on a model. `low` and `high` bound the 95 % interval of its points."""

    persona_id = fields.Integer(required=True, attribute="name.persona_id")
    persona = fields.String(required=True, attribute="name.persona_name")
    version = fields.Integer(required=True, attribute="name.number")
    persona_version_id = fields.Integer(required=True, attribute="entrant.version_id")
    model = fields.String(required=True, attribute="entrant.model_name")
    points = fields.Float(required=True)
    low = fields.Float(required=True)
    high = fields.Float(required=True)
    place = fields.Integer(required=True, metadata={"description": "1 + how many are surely better."})
    comparisons = fields.Integer(required=True)
    wins = fields.Integer(required=True)
    losses = fields.Integer(required=True)
    ties = fields.Integer(required=True)
    both_bad = fields.Integer(required=True, attribute="bad")
    is_enough = fields.Boolean(required=True, metadata={"description": "false: too few comparisons to tell."})


class LeaderboardOut(Schema):
    """All who were compared, the best first; those with too few comparisons last."""

    comparisons = fields.Integer(required=True)
    standings = fields.List(fields.Nested(RatedOut), required=True)
