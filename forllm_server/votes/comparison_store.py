"""Rows of ``comparisons``: one vote a person on each pair of replies."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, literal, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from forllm_server.db.types import metadata
from forllm_server.errors import Conflict, NotFound
from forllm_server.votes.model import Choice, Comparison, Entrant, Pair
from forllm_server.votes.tables import comparisons, vote_versions

_c = comparisons.c


def get_comparison(connection: Connection, user_id: int, comparison_id: int) -> Comparison:
    """One's own vote; raises NotFound."""
    row = connection.execute(_select(user_id).where(_c.id == comparison_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such vote. It may have been changed or taken back.")
    return _comparison(row)


def find_comparison(connection: Connection, user_id: int, low_id: int, high_id: int) -> Comparison | None:
    """One's own vote on a pair, if there is one."""
    own = _select(user_id).where(_c.low_post_id == low_id, _c.high_post_id == high_id)
    row = connection.execute(own).one_or_none()
    return _comparison(row) if row else None


def list_comparisons(
    connection: Connection, user_id: int, *, limit: int, after: tuple[datetime, int] | None = None
) -> list[Comparison]:
    """One's own votes, the newest first, beginning after the moment and id of ``after``."""
    query = _select(user_id).order_by(_c.voted_at.desc(), _c.id.desc()).limit(limit)
    if after is not None:
        place = tuple_(literal(after[0], _c.voted_at.type), literal(after[1]))
        query = query.where(tuple_(_c.voted_at, _c.id) < place)
    return [_comparison(row) for row in connection.execute(query)]


def count_votes(connection: Connection, user_id: int) -> int:
    """How often a person voted."""
    query = select(func.count()).where(_c.user_id == user_id, _c.choice != Choice.SKIP.value)
    return int(connection.execute(query).scalar_one())


def count_skipped(connection: Connection, user_id: int) -> int:
    """How many pairs were skipped."""
    query = select(func.count()).where(_c.user_id == user_id, _c.choice == Choice.SKIP.value)
    return int(connection.execute(query).scalar_one())


def insert_comparison(connection: Connection, user_id: int, pair: Pair, choice: Choice, now: datetime) -> int:
    """Add a vote; its id. Raises Conflict when this person has voted on this pair."""
    values = {
        "user_id": user_id,
        "low_post_id": pair.low_id,
        "high_post_id": pair.high_id,
        "low_version_id": pair.low.version_id,
        "low_model_name": pair.low.model_name,
        "high_version_id": pair.high.version_id,
        "high_model_name": pair.high.model_name,
        "choice": choice.value,
        "voted_at": now,
    }
    try:
        with connection.begin_nested():
            comparison_id = int(connection.execute(insert(comparisons).values(values).returning(_c.id)).scalar_one())
    except IntegrityError as error:
        raise Conflict("You have voted on these two already. Change that vote instead.") from error
    bump_version(connection, user_id)
    return comparison_id


def update_choice(connection: Connection, user_id: int, comparison_id: int, choice: Choice, now: datetime) -> None:
    """Give a vote another choice."""
    connection.execute(comparisons.update().where(_c.id == comparison_id).values(choice=choice.value, voted_at=now))
    bump_version(connection, user_id)


def delete_comparison(connection: Connection, user_id: int, comparison_id: int) -> bool:
    """Take a vote back; whether there was one."""
    statement = delete(comparisons).where(_c.user_id == user_id, _c.id == comparison_id)
    bump_version(connection, user_id)
    return connection.execute(statement).rowcount > 0


def delete_skipped(connection: Connection, user_id: int) -> int:
    """Forget what was skipped, so that it is asked again; how many."""
    bump_version(connection, user_id)
    skipped = delete(comparisons).where(_c.user_id == user_id, _c.choice == Choice.SKIP.value)
    return connection.execute(skipped).rowcount


def bump_version(connection: Connection, user_id: int) -> None:
    """A person's votes have changed."""
    own = update(vote_versions).where(vote_versions.c.user_id == user_id)
    if not connection.execute(own.values(version=vote_versions.c.version + 1)).rowcount:
        connection.execute(insert(vote_versions).values(user_id=user_id, version=1))


def _select(user_id: int) -> Select[Any]:
    posts = metadata.tables["posts"]
    return (
        select(comparisons, posts.c.topic_id, posts.c.parent_id)
        .join(posts, posts.c.id == _c.low_post_id)
        .where(_c.user_id == user_id)
    )


def _comparison(row: Row[Any]) -> Comparison:
    pair = Pair(
        low_id=row.low_post_id,
        high_id=row.high_post_id,
        low=Entrant(row.low_version_id, row.low_model_name),
        high=Entrant(row.high_version_id, row.high_model_name),
        topic_id=row.topic_id,
        question_id=row.parent_id,
    )
    return Comparison(row.id, pair, Choice(row.choice), row.voted_at)
