"""The posts of a topic in the order in which they were written, as ids: pages of the flat view."""

from sqlalchemy import Connection, Select, select

from forllm_server.db.types import metadata


def list_ids_after(connection: Connection, topic_id: int, *, after_id: int = 0, limit: int) -> list[int]:
    """The ``limit`` posts written after the post ``after_id``, the oldest first."""
    posts = metadata.tables["posts"]
    place = posts.c.id + 0
    return list(connection.execute(_of(topic_id).where(place > after_id).order_by(place).limit(limit)).scalars())


def list_ids_before(connection: Connection, topic_id: int, *, before_id: int, limit: int) -> list[int]:
    """The ``limit`` posts written before the post ``before_id``, the oldest first."""
    posts = metadata.tables["posts"]
    place = posts.c.id + 0
    found = connection.execute(_of(topic_id).where(place < before_id).order_by(place.desc()).limit(limit)).scalars()
    return list(found)[::-1]


def _of(topic_id: int) -> Select[int]:
    # The sum keeps SQLite from walking along the ids of all topics: this topic's own index holds its ids already.
    posts = metadata.tables["posts"]
    return select(posts.c.id).where(posts.c.topic_id == topic_id)
