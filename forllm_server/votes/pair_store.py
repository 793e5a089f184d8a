"""Which replies can be compared: pairs of answers to one post by different entrants. Reads ``posts``, writes nothing.

Everything is found in the index ``ix_posts_answers``; what a post says is not read.
"""

from typing import Any

from sqlalchemy import Connection, FromClause, Row, Select, and_, exists, func, or_, select, text

from forllm_server.db.types import metadata
from forllm_server.votes.model import Entrant, Pair
from forllm_server.votes.tables import comparisons, judgements

_c = comparisons.c
_j = judgements.c


def find_pair(connection: Connection, low_id: int, high_id: int) -> Pair | None:
    """These two replies as a pair; None when they cannot be compared."""
    low, high = _sides()
    row = connection.execute(_pairs(low, high).where(low.c.id == low_id, high.c.id == high_id)).one_or_none()
    return _pair(row) if row else None


def find_next_pair(connection: Connection, user_id: int) -> Pair | None:
    """A pair that the voter has not seen yet: of the newest question that has one."""
    low, high = _sides()
    query = _pairs(low, high).where(~_has_voted(user_id, low, high))
    row = connection.execute(query.order_by(low.c.parent_id.desc(), low.c.id, high.c.id).limit(1)).one_or_none()
    return _pair(row) if row else None


def count_waiting_pairs(connection: Connection, user_id: int, *, most: int) -> int:
    """How many pairs the voter has not seen yet; ``most`` when there are more."""
    low, high = _sides()
    waiting = _pairs(low, high).where(~_has_voted(user_id, low, high)).limit(most).subquery()
    return int(connection.execute(select(func.count()).select_from(waiting)).scalar_one())


def list_pairs_to_judge(connection: Connection, user_id: int, judge_version_id: int, *, limit: int) -> list[Pair]:
    """Pairs that this judge has not been asked about: first those with a vote, so that the two can be compared. A judge
    is not asked about a reply of its own persona."""
    low, high = _sides()
    versions = metadata.tables["persona_versions"]
    persona_id = select(versions.c.persona_id).where(versions.c.id == judge_version_id).scalar_subquery()
    own = select(versions.c.id).where(versions.c.persona_id == persona_id)
    is_judged = exists().where(
        _j.judge_version_id == judge_version_id, _j.low_post_id == low.c.id, _j.high_post_id == high.c.id
    )
    voted = _c.user_id == user_id, _c.low_post_id == low.c.id, _c.high_post_id == high.c.id, _c.choice != "skip"
    query = (
        _pairs(low, high)
        .where(~is_judged, low.c.persona_version_id.not_in(own), high.c.persona_version_id.not_in(own))
        .order_by(exists().where(*voted).desc(), low.c.parent_id.desc(), low.c.id, high.c.id)
    )
    return [_pair(row) for row in connection.execute(query.limit(limit))]


def read_newest_post_id(connection: Connection) -> int:
    """The id of the newest post; 0 without any. It tells that there may be new pairs."""
    posts = metadata.tables["posts"]
    newest = select(posts.c.id).order_by(posts.c.id.desc()).limit(1)
    return int(connection.execute(newest).scalar_one_or_none() or 0)


def _sides() -> tuple[FromClause, FromClause]:
    posts = metadata.tables["posts"]
    return posts.alias("low"), posts.alias("high")


def _pairs(low: FromClause, high: FromClause) -> Select[Any]:
    topics, subforums = metadata.tables["topics"], metadata.tables["subforums"]
    is_other = or_(
        low.c.persona_version_id != high.c.persona_version_id,
        low.c.model_name != high.c.model_name,
    )
    return (
        select(
            low.c.id.label("low_id"),
            high.c.id.label("high_id"),
            low.c.persona_version_id.label("low_version_id"),
            low.c.model_name.label("low_model_name"),
            high.c.persona_version_id.label("high_version_id"),
            high.c.model_name.label("high_model_name"),
            low.c.topic_id,
            low.c.parent_id,
        )
        .select_from(low)
        .join(high, and_(high.c.parent_id == low.c.parent_id, high.c.id > low.c.id))
        .join(topics, topics.c.id == low.c.topic_id)
        .join(subforums, subforums.c.id == topics.c.subforum_id)
        # Word for word the condition of the index, so that either database sees that it applies.
        .where(text("low.author_kind = 'persona' AND low.deleted_at IS NULL AND NOT low.is_partial"))
        .where(text("high.author_kind = 'persona' AND high.deleted_at IS NULL AND NOT high.is_partial"))
        .where(low.c.persona_version_id.is_not(None), high.c.persona_version_id.is_not(None))
        .where(low.c.model_name.is_not(None), high.c.model_name.is_not(None), low.c.parent_id.is_not(None), is_other)
        .where(topics.c.deleted_at.is_(None), subforums.c.deleted_at.is_(None))
    )


def _has_voted(user_id: int, low: FromClause, high: FromClause) -> Any:
    return exists().where(_c.user_id == user_id, _c.low_post_id == low.c.id, _c.high_post_id == high.c.id)


def _pair(row: Row[Any]) -> Pair:
    return Pair(
        low_id=row.low_id,
        high_id=row.high_id,
        low=Entrant(row.low_version_id, row.low_model_name),
        high=Entrant(row.high_version_id, row.high_model_name),
        topic_id=row.topic_id,
        question_id=row.parent_id,
    )
