"""Opening, renaming, deleting and restoring topics."""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import NotFound
from forllm_server.forum import post_store, subforum_store, tag_store, topic_store
from forllm_server.forum.editing import clean_content
from forllm_server.forum.model import AuthorKind, Post, Topic, TopicKind
from forllm_server.forum.pending import cancel_for_topic
from forllm_server.forum.threading import root_path
from forllm_server.hooks.telling import tell_hooks
from forllm_server.markup.names import clean_name

TITLE_MAX_CHARS = 200


def open_topic(
    connection: Connection,
    *,
    owner_id: int,
    subforum_id: int,
    title: str,
    content: str,
    now: datetime,
    kind: TopicKind = TopicKind.DISCUSSION,
) -> tuple[Topic, Post]:
    """Open a topic with its first post. Raises NotFound (no such subforum) or Invalid."""
    subforum_store.get_subforum(connection, subforum_id)
    cleaned = clean_title(title)
    text = clean_content(content)
    topic_id = topic_store.insert_topic(
        connection, owner_id=owner_id, subforum_id=subforum_id, kind=kind, title=cleaned, now=now
    )
    post_id = post_store.insert_post(
        connection,
        {
            "topic_id": topic_id,
            "owner_id": owner_id,
            "author_kind": AuthorKind.PERSON.value,
            "content": text,
            "path": root_path(),
            "depth": 0,
            "created_at": now,
        },
    )
    topic_store.update_for_new_post(connection, topic_id, now)
    subforum_store.update_topic_count(connection, subforum_id, 1)
    facts = {"topic_id": topic_id, "post_id": post_id}
    tell_hooks(connection, "topic.opened", facts, now, new_post_id=post_id)
    return topic_store.get_topic(connection, topic_id), post_store.get_post(connection, post_id)


def rename_topic(connection: Connection, topic_id: int, *, title: str) -> Topic:
    """Give a topic another title. Raises NotFound or Invalid."""
    topic = topic_store.get_topic(connection, topic_id)
    cleaned = clean_title(title)
    if cleaned != topic.title:
        topic_store.update_topic(connection, topic_id, title=cleaned)
    return topic_store.get_topic(connection, topic_id)


def delete_topic(connection: Connection, topic_id: int, now: datetime) -> None:
    """Put a topic with all its posts into the trash and cancel its LLM requests. Raises NotFound."""
    topic = topic_store.get_topic_to_change(connection, topic_id)
    topic_store.update_topic(connection, topic_id, deleted_at=now)
    subforum_store.update_topic_count(connection, topic.subforum_id, -1)
    tag_store.update_counts_of_topic(connection, topic_id, -1)
    cancel_for_topic(connection, topic_id, now)


def restore_topic(connection: Connection, topic_id: int) -> Topic:
    """Take a topic out of the trash. Raises NotFound, also as long as its subforum lies in the trash."""
    topic = topic_store.find_topic(connection, topic_id, is_to_change=True)
    if topic is None or not topic.title or topic.moved_to_post_id is not None:
        raise NotFound("There is no such topic in the trash. It may have been erased.")
    subforum = subforum_store.find_subforum(connection, topic.subforum_id)
    if subforum is None or subforum.deleted_at is not None:
        raise NotFound(f"The topic's subforum “{topic.subforum_name}” is in the trash. Restore that one first.")
    if topic.deleted_at is not None:
        topic_store.update_topic(connection, topic_id, deleted_at=None)
        subforum_store.update_topic_count(connection, topic.subforum_id, 1)
        tag_store.update_counts_of_topic(connection, topic_id, 1)
    return topic_store.get_topic(connection, topic_id)


def clean_title(title: str) -> str:
    """A topic's title as it is stored; raises Invalid."""
    return clean_name(title, field="title", max_chars=TITLE_MAX_CHARS)
