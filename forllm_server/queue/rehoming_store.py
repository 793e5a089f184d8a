"""LLM requests follow the posts that they are about, when those are moved to another topic."""

from sqlalchemy import Connection, select, update

from forllm_server.db.types import metadata
from forllm_server.queue.tables import llm_requests
from forllm_server.queue.version_store import bump_versions

_c = llm_requests.c


def update_topic_of_moved_posts(connection: Connection, *, from_topic_id: int, to_topic_id: int) -> int:
    """Let the requests of a topic belong to another one, as far as their posts are there now; how many.

    A running one keeps its lease: what its worker writes goes by the request and its post, never by the topic.
    """
    posts = metadata.tables["posts"]
    is_moved = (_c.topic_id == from_topic_id, _c.post_id.in_(select(posts.c.id).where(posts.c.topic_id == to_topic_id)))
    # All of them are locked, in one order, before the first is changed: as everybody does.
    locked = select(_c.id).where(*is_moved).order_by(_c.id).with_for_update()
    if not connection.execute(locked).first():
        return 0
    count = connection.execute(update(llm_requests).where(*is_moved).values(topic_id=to_topic_id)).rowcount
    for topic_id in sorted((from_topic_id, to_topic_id)):
        bump_versions(connection, topic_id)
    return count
