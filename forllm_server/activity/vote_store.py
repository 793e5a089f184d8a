"""Rows of ``post_votes``: one vote a reader on a post."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, case, delete, func, select

from forllm_server.activity.model import Votes
from forllm_server.activity.tables import post_votes
from forllm_server.activity.upsert import insert_or_update

_c = post_votes.c


def list_votes(connection: Connection, user_id: int, post_ids: Collection[int]) -> dict[int, Votes]:
    """The votes on these posts by id; posts without any are left out."""
    query = (
        select(
            _c.post_id,
            func.sum(case((_c.value > 0, 1), else_=0)),
            func.sum(case((_c.value < 0, 1), else_=0)),
            func.sum(case((_c.user_id == user_id, _c.value), else_=0)),
        )
        .where(_c.post_id.in_(post_ids))
        .group_by(_c.post_id)
    )
    return {post_id: Votes(int(up), int(down), int(own)) for post_id, up, down, own in connection.execute(query)}


def replace_vote(connection: Connection, user_id: int, post_id: int, value: int, now: datetime) -> None:
    """Vote for (1) or against (-1) a post, in place of the vote before."""
    keys = {"post_id": post_id, "user_id": user_id}
    insert_or_update(connection, post_votes, keys, {"value": value, "voted_at": now})


def delete_vote(connection: Connection, user_id: int, post_id: int) -> None:
    connection.execute(delete(post_votes).where(_c.user_id == user_id, _c.post_id == post_id))
