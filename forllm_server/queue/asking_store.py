"""What asking must know of a post and of the queue, in one statement: it runs for every question."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select, text

from forllm_server.db.types import Id
from forllm_server.queue.tables import llm_requests

#: Characters of so many posts above a question are counted; the rest would not fit into a prompt anyway.
COUNTED_POSTS = 200

_c = llm_requests.c


@dataclass(frozen=True)
class PostAsked:
    """A post to be asked about, as far as the queue cares.

    ``characters``: of it and of those above it. ``span``: at least as many as are queued, by any owner; from ids alone,
    for counting them would cost more the more there are. ``has_rates``: something can be foretold of some model.
    """

    post_id: int
    topic_id: int
    subforum_id: int
    is_deleted: bool
    characters: int
    span: int
    has_rates: bool
    is_locked: bool = False


_FIND = text(
    "WITH RECURSIVE walk(parent_id, characters, steps) AS ("
    "SELECT parent_id, length(content), 1 FROM posts WHERE id = :post_id "
    "UNION ALL SELECT posts.parent_id, length(posts.content), walk.steps + 1 "
    f"FROM walk JOIN posts ON posts.id = walk.parent_id WHERE walk.steps < {COUNTED_POSTS}) "
    "SELECT posts.id, posts.topic_id, topics.subforum_id, posts.deleted_at IS NOT NULL, "
    "(SELECT sum(characters) FROM walk), "
    "coalesce((SELECT max(id) FROM llm_requests) - (SELECT min(id) FROM llm_requests WHERE status = 'queued') + 1, 0), "
    "EXISTS (SELECT 1 FROM model_rates), topics.is_locked "
    "FROM posts JOIN topics ON topics.id = posts.topic_id JOIN subforums ON subforums.id = topics.subforum_id "
    "WHERE posts.id = :post_id AND topics.deleted_at IS NULL AND subforums.deleted_at IS NULL"
)


def find_post_asked(connection: Connection, post_id: int) -> PostAsked | None:
    """None when there is no such post, or its topic or subforum lies in the trash."""
    row = connection.execute(_FIND, {"post_id": post_id}).first()
    if row is None:
        return None
    return PostAsked(row[0], row[1], row[2], bool(row[3]), int(row[4] or 0), int(row[5]), bool(row[6]), bool(row[7]))


_COUNT_WAITING = select(func.count()).where(
    _c.status.in_(("queued", "waiting", "held")), _c.owner_id == bindparam("owner_id", type_=Id)
)


def count_waiting(connection: Connection, owner_id: int) -> int:
    """How many requests of this person are not answered yet and do not run."""
    number: int = connection.execute(_COUNT_WAITING, {"owner_id": owner_id}).scalar_one()
    return number
