"""Taking back what was arranged: a merged topic is one again, a branch that was split off stands where it stood."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import Conflict, NotAllowed, NotFound
from forllm_server.forum import post_store, subforum_store, tag_store, topic_store
from forllm_server.forum.arranging import Moved, branch_of, merge_topic, pin_topic
from forllm_server.forum.model import Topic
from forllm_server.forum.threading import moved_paths, reply_path, root_path
from forllm_server.queue.rehoming_store import update_topic_of_moved_posts


def unmerge_topic(
    connection: Connection, topic_id: int, *, tag_ids: Collection[int] = (), is_pinned: bool = False
) -> Moved:
    """Make the posts of a topic that was merged a topic again, with all that was replied to them since.

    ``tag_ids``: what the other topic got with it, which it loses. Raises NotFound (it was not merged, or its posts or
    its subforum are gone), Conflict (its first post is in the trash) or NotAllowed (that was split off meanwhile).
    """
    merged = topic_store.find_topic(connection, topic_id)
    if merged is None or merged.moved_to_post_id is None or not merged.title:
        raise NotFound("This topic is not merged into another one.")
    first_id = merged.moved_to_post_id
    thread = post_store.list_for_moving(connection, post_store.get_post(connection, first_id).topic_id)
    first = post_store.get_post(connection, first_id)
    _refuse_lost_place(connection, merged)
    if first.is_root:
        raise NotAllowed("These posts were split off meanwhile: they are a topic of their own already.")
    if first.is_deleted:
        raise Conflict("The first of these posts was deleted. Restore it, then take the merge back.")
    branch = branch_of(first_id, thread)
    post_store.update_places(connection, topic_id, branch, moved_paths(root_path(), branch), parent_id=None)
    for changed_id in sorted((topic_id, first.topic_id)):
        topic_store.update_for_moved_posts(connection, changed_id)
    topic_store.update_topic(connection, topic_id, deleted_at=None, moved_to_post_id=None)
    tag_store.delete_tags_of(connection, first.topic_id, tag_ids)
    tag_store.update_counts_of_topic(connection, topic_id, 1)
    subforum_store.update_topic_count(connection, merged.subforum_id, 1)
    update_topic_of_moved_posts(connection, from_topic_id=first.topic_id, to_topic_id=topic_id)
    if is_pinned and topic_store.count_pinned(connection, merged.subforum_id) < topic_store.MOST_PINNED:
        pin_topic(connection, topic_id, is_pinned=True)
    return Moved(post_store.get_post(connection, first_id), tuple(post.id for post in branch))


def rejoin_topic(connection: Connection, topic_id: int, *, sibling: int | None, now: datetime) -> Moved:
    """Hang a topic that was split off below the post that it hung on, as the reply to it that it was, if it can.

    Its address leads there from then on. Raises like merging, and NotFound: it was not split off.
    """
    split = topic_store.get_topic(connection, topic_id)
    if split.split_from_post_id is None:
        raise NotFound("This topic was not split off from another one.")
    moved = merge_topic(connection, topic_id, into_post_id=split.split_from_post_id, now=now)
    parent = post_store.get_post(connection, split.split_from_post_id)
    if sibling is not None and 1 <= sibling <= parent.child_count:
        _put_back(connection, moved, parent.path, sibling)
    return Moved(post_store.get_post(connection, moved.first.id), moved.post_ids)


def _put_back(connection: Connection, moved: Moved, parent_path: bytes, sibling: int) -> None:
    """Give a branch the place that it had among the replies, unless another one has it by now."""
    parent_id, topic_id = moved.first.parent_id or 0, moved.first.topic_id
    path = reply_path(parent_path, parent_id=parent_id, sibling=sibling)
    if post_store.is_path_taken(connection, topic_id, path):
        return
    branch = branch_of(moved.first.id, post_store.list_for_moving(connection, topic_id))
    post_store.update_places(connection, topic_id, branch, moved_paths(path, branch), parent_id=parent_id)


def _refuse_lost_place(connection: Connection, topic: Topic) -> None:
    subforum = subforum_store.find_subforum(connection, topic.subforum_id)
    if subforum is None or subforum.deleted_at is not None:
        raise NotFound(f"The topic's subforum “{topic.subforum_name}” is in the trash. Restore that one first.")
