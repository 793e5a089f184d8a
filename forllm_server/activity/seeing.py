"""Marking as seen, and taking it back.

Reading a page never writes: what was in sight is told by the page's script, or by a button where there is none. So a
prefetch, a crawler of one's own or a tab that was never looked at leave everything unread.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.activity import seen_store
from forllm_server.activity.model import Attention, TopicState, View

#: How many posts one message marks at most: more than any page shows.
MOST_AT_ONCE = 500


def see_posts(connection: Connection, user_id: int, topic_id: int, post_ids: Collection[int]) -> None:
    """Mark posts of a topic as seen. Ids that are not of this topic are left out. Raises NotFound."""
    topic = seen_store.get_topic_state(connection, topic_id)
    reading = seen_store.get_topic_reading(connection, user_id, topic_id)
    fresh = [post_id for post_id in post_ids if post_id > reading.until_post_id]
    if fresh:
        seen_store.insert_seen_posts(connection, user_id, topic_id, fresh)
    if fresh or reading.has_unread:
        _settle(connection, user_id, topic_id, topic, reading.until_post_id)


def see_topic(connection: Connection, user_id: int, topic_id: int) -> None:
    """Mark all that is in a topic now as seen. Raises NotFound."""
    topic = seen_store.get_topic_state(connection, topic_id)
    _settle(connection, user_id, topic_id, topic, seen_store.get_newest_post_id(connection, topic_id))


def see_all(connection: Connection, user_id: int, now: datetime, *, subforum_id: int | None = None) -> datetime:
    """Mark everything as seen, in one subforum or in all; the moment that :func:`unsee_all` takes. Raises NotFound."""
    subforum_ids = seen_store.list_subforum_ids(connection, subforum_id)
    newest = seen_store.get_newest_post_id(connection)
    seen_store.update_subforums_as_seen(connection, user_id, subforum_ids, until_post_id=newest, now=now)
    return now


def unsee_all(connection: Connection, user_id: int, marked_at: datetime) -> bool:
    """Take back what :func:`see_all` marked at that moment; whether there was anything to take back.

    Only the last marking of a subforum can be taken back. What was read since stays read.
    """
    return seen_store.update_back_to_before(connection, user_id, marked_at) > 0


def attend(connection: Connection, user_id: int, topic_id: int, attention: Attention | None) -> None:
    """Watch a topic, mute it, or neither. What stands in it when it is muted, and what comes until it is no longer,
    counts as seen. Raises NotFound."""
    before = seen_store.get_topic_reading(connection, user_id, topic_id).attention
    if Attention.MUTED in (before, attention):
        see_topic(connection, user_id, topic_id)
    else:
        seen_store.get_topic_state(connection, topic_id)
    seen_store.update_topic_reading(connection, user_id, topic_id, attention=attention.value if attention else None)


def choose_view(connection: Connection, user_id: int, topic_id: int, view: View | None) -> None:
    """Read a topic as a tree or flat from now on; None: as the setting says. Raises NotFound."""
    seen_store.get_topic_state(connection, topic_id)
    seen_store.update_topic_reading(connection, user_id, topic_id, view=view.value if view else None)


def _settle(connection: Connection, user_id: int, topic_id: int, topic: TopicState, until_post_id: int) -> None:
    """Bring what is known of a topic in line with its posts that were seen."""
    unseen, oldest, newest = seen_store.count_unseen(connection, user_id, topic_id, until_post_id)
    if oldest is None:
        seen_store.delete_seen_posts(connection, user_id, topic_id)
        seen_store.update_topic_reading(
            connection, user_id, topic_id, until_post_id=newest, seen_count=topic.post_count, seen_at=topic.last_post_at
        )
        _advance(connection, user_id, topic.subforum_id)
        return
    seen_store.delete_seen_posts(connection, user_id, topic_id, before=oldest)
    seen_store.update_topic_reading(
        connection, user_id, topic_id, until_post_id=oldest - 1, seen_count=topic.post_count - unseen, seen_at=None
    )


def _advance(connection: Connection, user_id: int, subforum_id: int) -> None:
    """Narrow the search for what is unread in a subforum to what is newer than all that was read without a gap."""
    end = seen_store.find_end_of_read(connection, user_id, subforum_id)
    if end is not None:
        seen_store.update_subforum_reading(connection, user_id, subforum_id, until_at=end)
