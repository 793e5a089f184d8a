"""Merges and splits taken back: every post in its place again, what came since included."""

import pytest
from sqlalchemy import Connection

from forllm_server.db import Database
from forllm_server.errors import NotAllowed, NotFound
from forllm_server.forum import arranging, post_store, subforum_store, subforums, tag_store, topic_store
from forllm_server.forum.rearranging import rejoin_topic, unmerge_topic
from forllm_server.forum.tagging import tag_topic
from tests.forum.test_arranging import depth_first, grow, thread_of
from tests.forum.world import EVENING, minutes_later, open_topic, reply, start_topic


def outline(connection: Connection, topic_id: int) -> list[tuple[int, int | None, int, bytes]]:
    return [(post.id, post.parent_id, post.depth, post.path) for post in thread_of(connection, topic_id)]


def counted(connection: Connection) -> dict[str, int]:
    assert subforum_store.list_miscounted(connection) == []
    assert tag_store.list_miscounted_tags(connection) == []
    return {tag.name: tag.topic_count for tag in tag_store.list_tags(connection, limit=9)}


def test_a_merge_taken_back_leaves_both_topics_as_they_were(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        other, other_root = open_topic(connection, topic.subforum_id, "Tulips")
        grow(connection, other_root.id, 12, seed=1)
        grow(connection, root.id, 12, seed=2)
        tag_topic(connection, topic.id, ["a"], now=EVENING)
        tag_topic(connection, other.id, ["a", "b"], now=EVENING)
        before = outline(connection, topic.id), outline(connection, other.id), counted(connection)
        merged = arranging.merge_topic(connection, other.id, into_post_id=root.id, now=EVENING)
        assert counted(connection) == {"a": 1, "b": 1}
        unmerge_topic(connection, other.id, tag_ids=merged.tag_ids)
        assert (outline(connection, topic.id), outline(connection, other.id), counted(connection)) == before
        assert topic_store.get_topic(connection, other.id).post_count == 13
        assert topic_store.list_kin(connection, topic.id) == []
        with pytest.raises(NotFound):
            unmerge_topic(connection, other.id)


def test_what_was_replied_since_goes_along(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        other, other_root = open_topic(connection, topic.subforum_id, "Tulips")
        arranging.merge_topic(connection, other.id, into_post_id=root.id, now=EVENING)
        late = reply(connection, other_root.id, "Late.", minute=9)
        unmerge_topic(connection, other.id)
        assert [post.id for post in thread_of(connection, other.id)] == [other_root.id, late.id]


def test_a_merge_is_not_taken_back_out_of_a_split_or_into_the_trash(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        other, other_root = open_topic(connection, topic.subforum_id, "Tulips")
        arranging.merge_topic(connection, other.id, into_post_id=root.id, now=EVENING)
        arranging.split_post(connection, other_root.id, title="Tulips again")
        with pytest.raises(NotAllowed, match="split off meanwhile"):
            unmerge_topic(connection, other.id)
        subforums.delete_subforum(connection, topic.subforum_id, minutes_later(1))
        with pytest.raises(NotFound):
            unmerge_topic(connection, other.id)


@pytest.mark.parametrize("number", range(4))
def test_a_split_taken_back_puts_the_branch_where_it_stood(database: Database, number: int) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        ids = grow(connection, root.id, 30, seed=number)
        before = outline(connection, topic.id)
        chosen = ids[3 + number * 2]
        moved = arranging.split_post(connection, chosen, title="Off")
        rejoin_topic(connection, moved.first.topic_id, sibling=moved.sibling, now=EVENING)
        after = outline(connection, topic.id)
        assert [row[:3] for row in after] == [row[:3] for row in before]
        assert [post_id for post_id, *_ in after] == depth_first(thread_of(connection, topic.id))
        assert topic_store.list_kin(connection, topic.id) == []


def test_a_place_that_was_taken_meanwhile_is_not_fought_over(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        first = reply(connection, root.id)
        moved = arranging.split_post(connection, first.id, title="Off")
        other, other_root = open_topic(connection, topic.subforum_id, "Tulips")
        merged = arranging.merge_topic(connection, other.id, into_post_id=root.id, now=EVENING)
        assert merged.first.id == other_root.id
        rejoin_topic(connection, moved.first.topic_id, sibling=2, now=EVENING)
        assert [post.id for post in thread_of(connection, topic.id)] == depth_first(thread_of(connection, topic.id))
        assert post_store.get_post(connection, first.id).topic_id == topic.id
        with pytest.raises(NotFound):
            rejoin_topic(connection, topic.id, sibling=1, now=EVENING)
