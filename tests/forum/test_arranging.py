"""Topics pinned, locked, moved, merged and split, with their posts in the order of the thread."""

import random

import pytest
from sqlalchemy import Connection, select

from forllm_server.db import Database
from forllm_server.errors import Conflict, Invalid, NotAllowed, NotFound, TopicLocked, TopicMoved
from forllm_server.forum import (
    arranging,
    editing,
    post_store,
    subforum_store,
    tag_store,
    topic_store,
    topics,
    trash_store,
)
from forllm_server.forum.model import Post, Subforum
from forllm_server.forum.tables import posts as post_table
from forllm_server.forum.tagging import tag_topic
from tests.forum.world import EVENING, add_subforum, answer, minutes_later, open_topic, reply, start_topic


def thread_of(connection: Connection, topic_id: int) -> list[Post]:
    return post_store.list_page(connection, topic_id, limit=10_000)


def depth_first(posts: list[Post]) -> list[int]:
    """The ids as a walk through the tree finds them; of siblings the paths tell which comes first."""
    replies: dict[int | None, list[Post]] = {}
    for post in posts:
        replies.setdefault(post.parent_id, []).append(post)
    order, waiting = [], [post for post in posts if post.is_root]
    while waiting:
        post = waiting.pop()
        order.append(post.id)
        waiting.extend(sorted(replies.get(post.id, []), key=lambda one: one.path, reverse=True))
    return order


def grow(connection: Connection, root_id: int, count: int, seed: int) -> list[int]:
    choice, ids = random.Random(seed), [root_id]
    for number in range(count):
        ids.append(reply(connection, choice.choice(ids[-3:] + ids), f"p{number}", minute=number + 1).id)
    return ids


def counts_of(connection: Connection, *subforums: Subforum) -> list[int]:
    assert subforum_store.list_miscounted(connection) == []
    return [subforum_store.get_subforum(connection, one.id).topic_count for one in subforums]


def test_a_topic_is_pinned_and_unpinned(database: Database) -> None:
    topic, _ = start_topic(database)
    with database.transaction() as connection:
        other, _ = open_topic(connection, topic.subforum_id, "Later", minute=9)
        pinned = arranging.pin_topic(connection, topic.id, is_pinned=True)
        assert (pinned.is_pinned, pinned.version) == (True, topic.version + 1)
        assert topic_store.list_pinned(connection, topic.subforum_id) == [pinned]
        assert arranging.pin_topic(connection, topic.id, is_pinned=True).version == pinned.version
        assert not arranging.pin_topic(connection, topic.id, is_pinned=False).is_pinned
        assert topic_store.list_pinned(connection, topic.subforum_id) == []
        assert not topic_store.get_topic(connection, other.id).is_pinned


def test_no_more_than_twenty_topics_are_pinned(database: Database) -> None:
    with database.transaction() as connection:
        garden = add_subforum(connection)
        ids = [open_topic(connection, garden.id, f"T{number}")[0].id for number in range(21)]
        for topic_id in ids[:20]:
            arranging.pin_topic(connection, topic_id, is_pinned=True)
        with pytest.raises(Conflict, match="Unpin one"):
            arranging.pin_topic(connection, ids[20], is_pinned=True)


def test_a_locked_topic_takes_no_posts_by_people_and_the_answers_asked_for_before(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        assert arranging.lock_topic(connection, topic.id, is_locked=True).is_locked
    with pytest.raises(TopicLocked, match="locked"), database.transaction() as connection:
        reply(connection, root.id)
    with database.transaction() as connection:
        assert editing.add_answer(connection, answer(root.id), minutes_later(2)).depth == 1
        assert topic_store.get_topic(connection, topic.id).post_count == 2
        arranging.lock_topic(connection, topic.id, is_locked=False)
        assert reply(connection, root.id).depth == 1


def test_a_moved_topic_keeps_its_posts_and_the_subforums_count_anew(database: Database) -> None:
    with database.transaction() as connection:
        garden, kitchen = add_subforum(connection, "Garden"), add_subforum(connection, "Kitchen")
        topic, root = open_topic(connection, garden.id)
        arranging.pin_topic(connection, topic.id, is_pinned=True)
        assert counts_of(connection, garden, kitchen) == [1, 0]
        moved = arranging.move_topic(connection, topic.id, subforum_id=kitchen.id)
        assert (moved.subforum_name, moved.is_pinned) == ("Kitchen", False)
        assert post_store.get_post(connection, root.id) == root
        assert counts_of(connection, garden, kitchen) == [0, 1]
        assert subforum_store.get_subforum(connection, garden.id).last_post_at is None
        assert arranging.move_topic(connection, topic.id, subforum_id=kitchen.id).version == moved.version
        with pytest.raises(Invalid) as refused:
            arranging.move_topic(connection, topic.id, subforum_id=404)
        assert refused.value.field == "subforum_id"


@pytest.mark.parametrize("seed", range(6))
def test_a_merged_thread_is_in_depth_first_order_and_counts_right(database: Database, seed: int) -> None:
    with database.transaction() as connection:
        garden, kitchen = add_subforum(connection, "Garden"), add_subforum(connection, "Kitchen")
        older, older_root = open_topic(connection, garden.id, "Older")
        newer, newer_root = open_topic(connection, kitchen.id, "Newer", minute=1)
        old_ids, new_ids = grow(connection, older_root.id, 40, seed), grow(connection, newer_root.id, 40, seed + 50)
        before = [post.id for post in thread_of(connection, newer.id)]
        target = old_ids[20]
        moved = arranging.merge_topic(connection, newer.id, into_post_id=target, now=minutes_later(99))
        thread = thread_of(connection, older.id)
        assert [post.id for post in thread] == depth_first(thread)
        assert sorted(moved.post_ids) == sorted(new_ids)
        assert [post.id for post in thread if post.id in set(new_ids)] == before
        depths = {post.id: post.depth for post in thread}
        assert all(depths[post.id] == depths[post.parent_id] + 1 for post in thread if post.parent_id)
        assert (moved.first.id, moved.first.parent_id, moved.first.topic_id) == (newer_root.id, target, older.id)
        assert topic_store.get_topic(connection, older.id).post_count == 82
        assert counts_of(connection, garden, kitchen) == [1, 0]
        grow(connection, newer_root.id, 20, seed)
        thread = thread_of(connection, older.id)
        assert [post.id for post in thread] == depth_first(thread)


def test_a_merged_topic_is_not_in_the_trash_and_its_address_leads_on(database: Database) -> None:
    with database.transaction() as connection:
        garden = add_subforum(connection)
        topic, root = open_topic(connection, garden.id, "Roses")
        other, other_root = open_topic(connection, garden.id, "Tulips", minute=1)
        tag_topic(connection, topic.id, ["a", "b"], now=EVENING)
        tag_topic(connection, other.id, ["B", "c"], now=EVENING)
        version = topic_store.get_topic(connection, other.id).version
        arranging.merge_topic(connection, topic.id, into_post_id=other_root.id, now=minutes_later(9))
        assert topic_store.get_topic(connection, other.id).version > version
        assert tag_store.list_tags_of_topics(connection, [other.id]) == {other.id: ("a", "b", "c")}
        assert trash_store.list_trash(connection, limit=10) == []
        for read in (topic_store.get_topic, topic_store.get_version):
            with pytest.raises(TopicMoved) as moved:
                read(connection, topic.id)
            assert moved.value.facts == {"post_id": root.id, "topic_id": other.id}
        with pytest.raises(NotFound, match="no such topic in the trash"):
            topics.restore_topic(connection, topic.id)
        third, third_root = open_topic(connection, garden.id, "Third", minute=2)
        arranging.merge_topic(connection, other.id, into_post_id=third_root.id, now=minutes_later(10))
        with pytest.raises(TopicMoved) as moved:
            topic_store.get_topic(connection, topic.id)
        assert moved.value.facts == {"post_id": root.id, "topic_id": third.id}


def test_a_topic_is_not_merged_into_itself_or_below_what_is_gone(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        child = reply(connection, root.id)
        _, other_root = open_topic(connection, topic.subforum_id, "Other")
        gone = reply(connection, other_root.id)
        editing.delete_post(connection, gone.id, EVENING)
        with pytest.raises(Invalid, match="very topic"):
            arranging.merge_topic(connection, topic.id, into_post_id=child.id, now=EVENING)
        with pytest.raises(Conflict, match="deleted"):
            arranging.merge_topic(connection, topic.id, into_post_id=gone.id, now=EVENING)
        with pytest.raises(NotFound):
            arranging.merge_topic(connection, topic.id, into_post_id=9_999, now=EVENING)


@pytest.mark.parametrize("seed", range(6))
def test_a_split_branch_is_a_topic_of_its_own_and_both_keep_their_order(database: Database, seed: int) -> None:
    with database.transaction() as connection:
        garden = add_subforum(connection)
        topic, root = open_topic(connection, garden.id)
        ids = grow(connection, root.id, 60, seed)
        top = post_store.get_post(connection, ids[7])
        before = [post.id for post in thread_of(connection, topic.id)]
        moved = arranging.split_post(connection, top.id, title="Its own")
        old, new = thread_of(connection, topic.id), thread_of(connection, moved.first.topic_id)
        assert [post.id for post in new] == [post_id for post_id in before if post_id in set(moved.post_ids)]
        assert [post.id for post in old] == [post_id for post_id in before if post_id not in set(moved.post_ids)]
        assert [post.id for post in new] == depth_first(new)
        assert new[0].is_root
        assert (new[0].id, new[0].depth) == (top.id, 0)
        split = topic_store.get_topic(connection, new[0].topic_id)
        assert (split.title, split.split_from_post_id, split.post_count) == ("Its own", top.parent_id, len(new))
        assert split.last_post_at == max(post.created_at for post in new)
        assert topic_store.get_topic(connection, topic.id).post_count == len(old)
        assert counts_of(connection, garden) == [2]
        grow(connection, root.id, 10, seed)
        grow(connection, top.id, 10, seed)
        for topic_id in (topic.id, split.id):
            thread = thread_of(connection, topic_id)
            assert [post.id for post in thread] == depth_first(thread)
        arranging.merge_topic(connection, split.id, into_post_id=root.id, now=EVENING)
        thread = thread_of(connection, topic.id)
        assert len(thread) == 81
        assert [post.id for post in thread] == depth_first(thread)


def test_what_cannot_be_split_off_says_why(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        child = reply(connection, root.id)
        with pytest.raises(NotAllowed, match="first of its topic"):
            arranging.split_post(connection, root.id, title="New")
        with pytest.raises(Invalid):
            arranging.split_post(connection, child.id, title=" ")
        editing.delete_post(connection, child.id, EVENING)
        with pytest.raises(Conflict, match="deleted"):
            arranging.split_post(connection, child.id, title="New")
        assert topic_store.get_topic(connection, topic.id).post_count == 1


def test_moved_posts_keep_their_version_and_what_follows_of_answers(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        child = reply(connection, root.id, minute=1)
        given = editing.add_answer(connection, answer(child.id), minutes_later(5))
        assert topic_store.get_topic(connection, topic.id).last_answer_at == minutes_later(5)
        moved = arranging.split_post(connection, child.id, title="Branch")
        assert topic_store.get_topic(connection, topic.id).last_answer_at is None
        assert topic_store.get_topic(connection, topic.id).last_post_at == EVENING
        assert topic_store.get_topic(connection, moved.first.topic_id).last_answer_at == minutes_later(5)
        assert post_store.get_post(connection, given.id).version == given.version
        assert post_store.get_post(connection, given.id).question_version == given.question_version


def test_a_dialogue_of_three_thousand_levels_is_moved_whole(database: Database) -> None:
    with database.transaction() as connection:
        garden = add_subforum(connection)
        topic, root = open_topic(connection, garden.id)
        other, other_root = open_topic(connection, garden.id, "Other")
        rows = [
            {
                "topic_id": topic.id,
                "parent_id": root.id,
                "owner_id": 1,
                "content": f"p{number}",
                "path": b"\x00" + (number + 1).to_bytes(3),
                "depth": number + 1,
                "child_count": 1,
                "created_at": EVENING,
            }
            for number in range(3_000)
        ]
        last = root.id
        ids = []
        for row in rows:
            last = post_store.insert_post(connection, row | {"parent_id": last})
            ids.append(last)
        arranging.merge_topic(connection, topic.id, into_post_id=other_root.id, now=EVENING)
        thread = thread_of(connection, other.id)
        assert [post.id for post in thread] == [other_root.id, root.id, *ids]
        assert (thread[-1].depth, thread[-1].path) == (3_001, b"\x00" + (3_001).to_bytes(3))
        split = arranging.split_post(connection, ids[1_000], title="Second half")
        assert len(split.post_ids) == 2_000
        longest = connection.execute(select(post_table.c.depth).where(post_table.c.id == ids[-1])).scalar_one()
        assert longest == 1_999


def test_what_is_nested_beyond_the_cap_takes_no_topic(database: Database) -> None:
    with database.transaction() as connection:
        garden = add_subforum(connection)
        _, root = open_topic(connection, garden.id)
        post_id = root.id
        for _ in range(200):
            reply(connection, post_id)
            post_id = reply(connection, post_id).id
        other, _ = open_topic(connection, garden.id, "Other")
        with pytest.raises(NotAllowed, match="too many branches"):
            arranging.merge_topic(connection, other.id, into_post_id=post_id, now=EVENING)
