"""Counts of votes, for the ratings. The counting is the database's.

Reads ``comparisons``, ``judgements`` and the pairs of experiments.
"""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    FromClause,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
)

from forllm_server.db.types import metadata
from forllm_server.votes.model import Choice, Entrant, EntrantName, Tally
from forllm_server.votes.tables import comparisons, judgements, vote_versions

_c, _j = comparisons.c, judgements.c
_VERSION = select(vote_versions.c.version).where(vote_versions.c.user_id == bindparam("reader"))
_VOTES = [Choice.LOW.value, Choice.HIGH.value, Choice.TIE.value, Choice.BAD.value]


class Stamp(NamedTuple):
    """Differs whenever a judge's votes do."""

    number: int
    newest_id: int
    changed_at: datetime | None


def read_version(connection: Connection, user_id: int) -> int:
    """A number that grows whenever a person's votes change; 0 before the first."""
    return int(connection.execute(_VERSION, {"reader": user_id}).scalar_one_or_none() or 0)


def read_judged_stamp(connection: Connection, judge_version_id: int) -> Stamp:
    """What tells whether a judge's votes have changed."""
    query = select(func.count(_j.judged_at), func.coalesce(func.max(_j.id), 0), func.max(_j.judged_at))
    return Stamp(*connection.execute(query.where(_j.judge_version_id == judge_version_id)).one())


def list_tallies(connection: Connection, user_id: int, *, subforum_id: int | None = None) -> list[Tally]:
    """How often which entrant stood against which in a person's votes; each pair of them in one or both orders."""
    votes = _select_votes(comparisons).where(_c.user_id == user_id, _c.choice.in_(_VOTES))
    found = _list(connection, _within(votes, comparisons, subforum_id).subquery())
    tried = _tried(user_id)
    return found + _list(connection, _within(_select_votes(tried), tried, subforum_id).subquery())


def list_judged_tallies(
    connection: Connection, judge_version_id: int, *, subforum_id: int | None = None
) -> list[Tally]:
    """The same in a judge's votes."""
    judged = _verdicts(judge_version_id)
    return _list(connection, _within(_select_votes(judged), judged, subforum_id).subquery())


def list_agreements(connection: Connection, user_id: int, judge_version_id: int) -> list[tuple[Choice, Choice, int]]:
    """(the person's choice, the judge's, how often), over all pairs on which both voted."""
    judged = _verdicts(judge_version_id)
    both = and_(_c.low_post_id == judged.c.low_post_id, _c.high_post_id == judged.c.high_post_id)
    query = (
        select(_c.choice, judged.c.choice, func.count())
        .join(judged, both)
        .where(_c.user_id == user_id, _c.choice.in_(_VOTES))
        .group_by(_c.choice, judged.c.choice)
    )
    return [(Choice(own), Choice(other), int(number)) for own, other, number in connection.execute(query)]


def list_entrant_names(connection: Connection, version_ids: Collection[int]) -> dict[int, EntrantName]:
    """How the personas of these versions are called, by the version's id."""
    versions = metadata.tables["persona_versions"].c
    query = select(versions.id, versions.persona_id, versions.name, versions.number).where(versions.id.in_(version_ids))
    return {row.id: EntrantName(row.persona_id, row.name, row.number) for row in connection.execute(query)}


def list_subforums_with_votes(connection: Connection, user_id: int) -> list[tuple[int, str]]:
    """(id, name) of the subforums in which a person voted."""
    posts, topics = metadata.tables["posts"], metadata.tables["topics"]
    subforums = metadata.tables["subforums"]
    voted = (
        select(topics.c.subforum_id)
        .join(posts, posts.c.topic_id == topics.c.id)
        .join(comparisons, _c.low_post_id == posts.c.id)
        .where(_c.user_id == user_id, _c.choice.in_(_VOTES))
    )
    tried = _tried(user_id)
    voted_in_experiments = (
        select(topics.c.subforum_id)
        .join(posts, posts.c.topic_id == topics.c.id)
        .join(tried, tried.c.low_post_id == posts.c.id)
    )
    is_there = subforums.c.deleted_at.is_(None)
    has_votes = or_(subforums.c.id.in_(voted), subforums.c.id.in_(voted_in_experiments))
    query = select(subforums.c.id, subforums.c.name).where(is_there, has_votes)
    return [(row.id, row.name) for row in connection.execute(query.order_by(subforums.c.position, subforums.c.id))]


def _verdicts(judge_version_id: int) -> Subquery:
    """A judge's votes. It is asked in either order: where its answers differ it prefers the place and neither reply,
    which is a tie; where one of them is no vote, there is none."""
    lowest, highest = func.min(_j.choice), func.max(_j.choice)
    verdict = case((lowest == highest, lowest), else_=literal(Choice.TIE.value))
    columns: list[Column[Any]] = [
        *(_j.low_post_id, _j.high_post_id, _j.low_version_id, _j.low_model_name),
        *(_j.high_version_id, _j.high_model_name),
    ]
    return (
        select(*columns, verdict.label("choice"))
        .where(_j.judge_version_id == judge_version_id, _j.choice.in_(_VOTES))
        .group_by(*columns)
        .having(func.count() == 2)
        .subquery("verdicts")
    )


def _tried(user_id: int) -> Subquery:
    """A person's votes in experiments, whose new answers are no posts: the old answer is the lower one."""
    experiments, pairs = metadata.tables["experiments"], metadata.tables["experiment_pairs"]
    choice = pairs.c.choice
    return (
        select(
            pairs.c.old_post_id.label("low_post_id"),
            pairs.c.old_version_id.label("low_version_id"),
            pairs.c.old_model_name.label("low_model_name"),
            pairs.c.new_version_id.label("high_version_id"),
            pairs.c.new_model_name.label("high_model_name"),
            case((choice == "old", "low"), (choice == "new", "high"), else_=choice).label("choice"),
        )
        .join(experiments, experiments.c.id == pairs.c.experiment_id)
        .where(experiments.c.owner_id == user_id, choice.is_not(None), choice.in_(["old", "new", "tie", "bad"]))
        .subquery("tried")
    )


def _select_votes(votes: FromClause) -> Select[Any]:
    c = votes.c
    return select(c.low_version_id, c.low_model_name, c.high_version_id, c.high_model_name, c.choice).select_from(votes)


def _within(query: Select[Any], votes: FromClause, subforum_id: int | None) -> Select[Any]:
    if subforum_id is None:
        return query
    posts, topics = metadata.tables["posts"], metadata.tables["topics"]
    query = query.join(posts, posts.c.id == votes.c.low_post_id).join(topics, topics.c.id == posts.c.topic_id)
    return query.where(topics.c.subforum_id == subforum_id)


def _list(connection: Connection, votes: Subquery) -> list[Tally]:
    c = votes.c
    entrants = (c.low_version_id, c.low_model_name, c.high_version_id, c.high_model_name)
    is_other = or_(c.low_version_id != c.high_version_id, c.low_model_name != c.high_model_name)
    # In the order of the index ix_comparisons_tally, so that nothing is sorted.
    query = select(*entrants, c.choice, func.count()).where(is_other).group_by(*entrants, c.choice)
    counts: dict[tuple[Entrant, Entrant], Counter[str]] = {}
    for low_version, low_model, high_version, high_model, choice, number in connection.execute(query):
        pair = (Entrant(low_version, low_model), Entrant(high_version, high_model))
        counts.setdefault(pair, Counter())[choice] += int(number)
    return [Tally(*pair, *(found[choice] for choice in _VOTES)) for pair, found in counts.items()]
