"""Subforums and threads to be read."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from forllm_server.accounts.local import LOCAL_USER_ID as YOU
from forllm_server.activity import seen_store
from forllm_server.db import Database
from forllm_server.forum import editing, post_store, subforums, topics

EVENING = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)


def later(minutes: float) -> datetime:
    return EVENING + timedelta(minutes=minutes)


def add_subforum(connection: Connection, name: str = "Garden") -> int:
    return subforums.add_subforum(connection, owner_id=YOU, name=name, description="", now=EVENING).id


def open_topic(connection: Connection, subforum_id: int, minute: float = 0, title: str = "Roses") -> tuple[int, int]:
    """A topic's id and its first post's."""
    topic, post = topics.open_topic(
        connection, owner_id=YOU, subforum_id=subforum_id, title=title, content="When?", now=later(minute)
    )
    return topic.id, post.id


def reply(connection: Connection, parent_id: int, minute: float, content: str = "In spring.") -> int:
    return editing.add_reply(connection, owner_id=YOU, parent_id=parent_id, content=content, now=later(minute)).id


def unread_posts(connection: Connection, topic_id: int) -> list[int]:
    """The ids of the posts that look unread, in thread order."""
    reading = seen_store.get_topic_reading(connection, YOU, topic_id)
    found = [post.id for post in post_store.list_page(connection, topic_id, limit=10_000)]
    seen = seen_store.list_seen_ids(connection, YOU, topic_id, found)
    return [post_id for post_id in found if reading.is_unread(post_id, seen)]


def dots(database: Database) -> set[int]:
    with database.read() as connection:
        return set(seen_store.list_unread_subforum_ids(connection, YOU))
