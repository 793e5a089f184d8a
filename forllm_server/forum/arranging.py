"""Arranging topics: pinning, locking, moving, merging and splitting them.

Like all rules these write posts before topics, topics before subforums, and all of them before LLM requests, so that
two transactions on PostgreSQL never wait for each other.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import Conflict, Invalid, NotAllowed
from forllm_server.forum import post_store, subforum_store, tag_store, topic_store
from forllm_server.forum.model import Post, Topic, TopicKind
from forllm_server.forum.pending import cancel_for_topic
from forllm_server.forum.threading import BranchPost, is_capped, moved_paths, reply_path, root_path, sibling_of
from forllm_server.forum.topics import clean_title
from forllm_server.queue.rehoming_store import update_topic_of_moved_posts


@dataclass(frozen=True, slots=True)
class Moved:
    """Posts that stand in another topic now: the first of them as it is, and the ids of all."""

    first: Post
    post_ids: tuple[int, ...]
    #: those that the topic got with them
    tag_ids: tuple[int, ...] = ()
    #: of a branch that was split off: which reply it was to the post above it
    sibling: int | None = None


def pin_topic(connection: Connection, topic_id: int, *, is_pinned: bool) -> Topic:
    """Let a topic stand first in its subforum, or no longer. Raises NotFound, or Conflict when too many do."""
    topic = topic_store.get_topic_to_change(connection, topic_id)
    if is_pinned == topic.is_pinned:
        return topic
    if is_pinned and topic_store.count_pinned(connection, topic.subforum_id) >= topic_store.MOST_PINNED:
        raise Conflict(
            f"{topic_store.MOST_PINNED} topics are pinned in this subforum already, and no more can be. "
            "Unpin one of them first.",
            field="is_pinned",
        )
    topic_store.update_topic(connection, topic_id, is_pinned=is_pinned)
    return topic_store.get_topic(connection, topic_id)


def lock_topic(connection: Connection, topic_id: int, *, is_locked: bool) -> Topic:
    """Let a topic take no more posts by people and no more questions, or take them again. Raises NotFound.

    What was asked before is still answered.
    """
    topic = topic_store.get_topic_to_change(connection, topic_id)
    if is_locked != topic.is_locked:
        topic_store.update_topic(connection, topic_id, is_locked=is_locked)
    return topic_store.get_topic(connection, topic_id)


def move_topic(connection: Connection, topic_id: int, *, subforum_id: int) -> Topic:
    """Put a topic into another subforum, where it is not pinned. Raises NotFound or Invalid (no such subforum)."""
    topic = topic_store.get_topic_to_change(connection, topic_id)
    subforum = subforum_store.find_subforum(connection, subforum_id)
    if subforum is None or subforum.deleted_at is not None:
        raise Invalid("There is no such subforum. It may have been deleted.", field="subforum_id")
    if topic.subforum_id == subforum_id:
        return topic
    topic_store.update_topic(connection, topic_id, subforum_id=subforum_id, is_pinned=False)
    for changed_id, change in sorted(((topic.subforum_id, -1), (subforum_id, 1))):
        subforum_store.update_topic_count(connection, changed_id, change)
    return topic_store.get_topic(connection, topic_id)


def merge_topic(connection: Connection, topic_id: int, *, into_post_id: int, now: datetime) -> Moved:
    """Hang all posts of a topic below a post of another one; the topic's address leads there from then on.

    Its tags go along as far as there is room, its LLM requests follow their posts. Raises NotFound, Invalid (the post
    is of the same topic), Conflict (it was deleted) or NotAllowed (it stands within too many branches).
    """
    branch = post_store.list_for_moving(connection, topic_id, and_post_id=into_post_id)
    topic = topic_store.get_topic(connection, topic_id)
    target = post_store.get_post(connection, into_post_id)
    if target.topic_id == topic_id:
        raise Invalid("That post is in this very topic. Choose one of another topic.", field="into_post_id")
    if target.is_deleted:
        raise Conflict("That post was deleted. Restore it, or choose another one.", field="into_post_id")
    place = post_store.update_for_new_reply(connection, into_post_id)
    top_path = reply_path(place.parent_path, parent_id=into_post_id, sibling=place.sibling)
    paths = moved_paths(top_path, branch)
    if any(map(is_capped, paths.values())):
        raise NotAllowed("That post stands within too many branches to take a whole topic. Choose one further out.")
    post_store.update_places(connection, target.topic_id, branch, paths, parent_id=into_post_id)
    first_id = _first_of(branch)
    gone = {"deleted_at": now, "moved_to_post_id": first_id, "is_pinned": False}
    for changed_id in sorted((topic_id, target.topic_id)):
        topic_store.update_for_moved_posts(connection, changed_id)
    topic_store.update_topic(connection, topic_id, **gone)
    tag_ids = tag_store.insert_tags_of(connection, target.topic_id, from_topic_id=topic_id)
    tag_store.update_counts_of_topic(connection, topic_id, -1)
    subforum_store.update_topic_count(connection, topic.subforum_id, -1)
    update_topic_of_moved_posts(connection, from_topic_id=topic_id, to_topic_id=target.topic_id)
    # What was asked about the topic as a whole has no subject any more.
    cancel_for_topic(connection, topic_id, now)
    first = post_store.get_post(connection, first_id)
    return Moved(first, tuple(post.id for post in branch), tuple(tag_ids))


def split_post(connection: Connection, post_id: int, *, title: str) -> Moved:
    """Make a post and all that hangs on it a topic of its own, in the same subforum and with the same tags.

    The new topic knows the post that its first one was a reply to. Raises NotFound, Invalid (the title), Conflict
    (the post was deleted) or NotAllowed (it is a topic's first already).
    """
    cleaned = clean_title(title)
    topic_id = post_store.get_post(connection, post_id).topic_id
    thread = post_store.list_for_moving(connection, topic_id)
    post = post_store.get_post(connection, post_id)
    if post.is_root:
        raise NotAllowed("This post is the first of its topic already. Choose a reply.")
    if post.is_deleted:
        raise Conflict("This post was deleted. Restore it before you split it off.")
    branch = branch_of(post_id, thread)
    topic = topic_store.get_topic(connection, post.topic_id)
    sibling = sibling_of(post.path, next(one for one in thread if one.id == post.parent_id))
    new_id = topic_store.insert_topic(
        connection,
        owner_id=post.owner_id,
        subforum_id=topic.subforum_id,
        kind=TopicKind.DISCUSSION,
        title=cleaned,
        now=post.created_at,
    )
    post_store.update_places(connection, new_id, branch, moved_paths(root_path(), branch), parent_id=None)
    topic_store.update_for_moved_posts(connection, topic.id)
    topic_store.update_for_moved_posts(connection, new_id)
    topic_store.update_topic(connection, new_id, split_from_post_id=post.parent_id)
    tag_store.insert_tags_of(connection, new_id, from_topic_id=topic.id)
    subforum_store.update_topic_count(connection, topic.subforum_id, 1)
    update_topic_of_moved_posts(connection, from_topic_id=topic.id, to_topic_id=new_id)
    return Moved(post_store.get_post(connection, post_id), tuple(one.id for one in branch), sibling=sibling)


def _first_of(branch: list[BranchPost]) -> int:
    return min(branch, key=lambda post: post.depth).id


def branch_of(post_id: int, thread: list[BranchPost]) -> list[BranchPost]:
    """A post and what hangs on it, out of the whole thread."""
    inside = {post_id}
    for post in sorted(thread, key=lambda post: post.depth):
        if post.parent_id in inside:
            inside.add(post.id)
    return [post for post in thread if post.id in inside]
