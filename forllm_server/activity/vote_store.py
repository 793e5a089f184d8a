"""Rows of ``post_votes``: one vote a reader on a post."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, bindparam, case, delete, func, select

from forllm_server.activity.model import Votes
from forllm_server.activity.tables import post_votes
from forllm_server.db.among import among
from forllm_server.db.types import Id
from forllm_server.db.upsert import insert_or_update

_c = post_votes.c
# Built once: it is asked with every page of a topic.
_VOTES = (
    select(
        _c.post_id,
        func.sum(case((_c.value > 0, 1), else_=0)),
        func.sum(case((_c.value < 0, 1), else_=0)),
        func.sum(case((_c.user_id == bindparam("reader", type_=Id), _c.value), else_=0)),
    )
    .where(among(_c.post_id, "posts"))
    .group_by(_c.post_id)
)


def list_votes(connection: Connection, user_id: int, post_ids: Collection[int]) -> dict[int, Votes]:
    """The votes on these posts by id; posts without any are left out."""
    rows = connection.execute(_VOTES, {"reader": user_id, "posts": list(post_ids)})
    return {post_id: Votes(int(up), int(down), int(own)) for post_id, up, down, own in rows}


def replace_vote(connection: Connection, user_id: int, post_id: int, value: int, now: datetime) -> None:
    """Vote for (1) or against (-1) a post, in place of the vote before."""
    keys = {"post_id": post_id, "user_id": user_id}
    insert_or_update(connection, post_votes, keys, {"value": value, "voted_at": now})


def delete_vote(connection: Connection, user_id: int, post_id: int) -> None:
    connection.execute(delete(post_votes).where(_c.user_id == user_id, _c.post_id == post_id))
