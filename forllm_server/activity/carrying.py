"""What a reader has seen and noted goes along with posts into another topic, or with a topic into another subforum."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.activity import note_store, seeing, seen_store
from forllm_server.activity.model import TopicNote, TopicReading


@dataclass(frozen=True, slots=True)
class Before:
    """What the reader had with a topic before something in it was moved."""

    topic_id: int
    reading: TopicReading
    note: TopicNote | None


def read_before(connection: Connection, user_id: int, topic_id: int) -> Before:
    """To be called before the move; the others after it, with what this gave."""
    reading = seen_store.get_topic_reading(connection, user_id, topic_id)
    return Before(topic_id, reading, note_store.find_note(connection, user_id, topic_id))


def carry_topic(connection: Connection, user_id: int, before: Before) -> None:
    """A topic that was all read stays so in its new subforum.

    One that was not counts as read where everything newer than it was read: unread is told by a topic's age.
    """
    if not before.reading.has_unread:
        seeing.see_topic(connection, user_id, before.topic_id)


def carry_posts(
    connection: Connection, user_id: int, before: Before, *, to_topic_id: int, post_ids: Sequence[int]
) -> None:
    """Those of the moved posts that were seen stay so. Raises NotFound."""
    for start in range(0, len(post_ids), seeing.MOST_AT_ONCE):
        some = post_ids[start : start + seeing.MOST_AT_ONCE]
        one_by_one = seen_store.list_seen_ids(connection, user_id, before.topic_id, some)
        seen = [post_id for post_id in some if not before.reading.is_unread(post_id, one_by_one)]
        seeing.see_posts(connection, user_id, to_topic_id, seen)


def carry_note(connection: Connection, user_id: int, before: Before, *, to_topic_id: int, now: datetime) -> None:
    """A note on a topic that is no more is added to the one on the topic that took it in."""
    if before.note is None:
        return
    own = note_store.find_note(connection, user_id, to_topic_id)
    content = f"{own.content.rstrip()}\n\n{before.note.content}" if own else before.note.content
    note_store.delete_note(connection, user_id, before.topic_id)
    note_store.replace_note(connection, user_id, to_topic_id, content, now)
