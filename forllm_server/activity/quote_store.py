"""Rows of ``post_quotes``: which posts quote which. Derived from the texts, so that back-links cost no search."""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from forllm_server.activity.tables import post_quotes
from forllm_server.db.among import among
from forllm_server.db.types import metadata
from forllm_server.db.upsert import insert_missing

_c = post_quotes.c


def list_quotes_of(connection: Connection, post_ids: Collection[int]) -> dict[int, frozenset[int]]:
    """What is noted about these posts: by id, the posts that each quotes. Those that quote none are left out."""
    found: dict[int, set[int]] = {}
    for row in connection.execute(select(_c.post_id, _c.quoted_post_id).where(_c.post_id.in_(post_ids))):
        found.setdefault(row.post_id, set()).add(row.quoted_post_id)
    return {post_id: frozenset(quoted) for post_id, quoted in found.items()}


def list_quoting(connection: Connection, post_ids: Collection[int]) -> dict[int, tuple[int, ...]]:
    """By id of a post, the posts that quote it and are there, in the order in which they were written."""
    found: dict[int, tuple[int, ...]] = {}
    for row in connection.execute(_quoting(), {"ids": [*post_ids]}):
        found[row.quoted_post_id] = (*found.get(row.quoted_post_id, ()), row.post_id)
    return found


@cache
def _quoting() -> Select[Any]:
    # Built once: it is asked with every page of every topic.
    posts, topics = metadata.tables["posts"], metadata.tables["topics"]
    return (
        select(_c.quoted_post_id, _c.post_id)
        .join(posts, posts.c.id == _c.post_id)
        .join(topics, topics.c.id == posts.c.topic_id)
        .where(among(_c.quoted_post_id, "ids"))
        .where(posts.c.deleted_at.is_(None), topics.c.deleted_at.is_(None))
        .order_by(_c.post_id)
    )


def list_there(connection: Connection, post_ids: Collection[int]) -> frozenset[int]:
    """Those ids that are of posts."""
    posts = metadata.tables["posts"]
    return frozenset(connection.execute(select(posts.c.id).where(posts.c.id.in_(post_ids))).scalars())


def replace_quotes(connection: Connection, quotes: Mapping[int, Collection[int]]) -> None:
    """Note what these posts quote, in place of what was noted before."""
    connection.execute(delete(post_quotes).where(_c.post_id.in_(quotes)))
    rows = [
        {"post_id": post_id, "quoted_post_id": quoted_id}
        for post_id, quoted in quotes.items()
        for quoted_id in sorted(quoted)
    ]
    insert_missing(connection, post_quotes, rows)
