"""The replies to one post, and those of them that are answers of personas."""

from sqlalchemy import Connection, func, select

from forllm_server.forum.model import AuthorKind, Post
from forllm_server.forum.post_store import list_posts
from forllm_server.forum.tables import posts

_IS_ANSWER = (posts.c.author_kind == AuthorKind.PERSONA.value, posts.c.deleted_at.is_(None))


def list_replies(connection: Connection, post_id: int, *, limit: int) -> list[Post]:
    """The newest ``limit`` replies to a post that are not deleted, by anybody, in the order of their writing."""
    query = select(posts.c.id).where(posts.c.parent_id == post_id, posts.c.deleted_at.is_(None))
    ids = list(connection.execute(query.order_by(posts.c.id.desc()).limit(limit)).scalars())
    return sorted(list_posts(connection, ids), key=lambda post: post.id)


def list_answers(connection: Connection, post_id: int, *, limit: int) -> list[Post]:
    """The newest ``limit`` of them, in the order in which they came."""
    query = select(posts.c.id).where(posts.c.parent_id == post_id, *_IS_ANSWER).order_by(posts.c.id.desc())
    ids = list(connection.execute(query.limit(limit)).scalars())
    return sorted(list_posts(connection, ids), key=lambda post: post.id)


def count_answers(connection: Connection, post_id: int) -> int:
    """How many there are."""
    query = select(func.count()).where(posts.c.parent_id == post_id, *_IS_ANSWER)
    number: int = connection.execute(query).scalar_one()
    return number
