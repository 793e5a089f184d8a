"""What is unread, to the post."""

import pytest
from sqlalchemy import Connection

from forllm_server.accounts.local import LOCAL_USER_ID as YOU
from forllm_server.activity import seeing, seen_store
from forllm_server.activity.model import Attention, TopicMark, View
from forllm_server.db import Database
from forllm_server.errors import NotFound
from forllm_server.forum import editing
from forllm_server.forum.topics import delete_topic
from tests.activity.world import EVENING, add_subforum, dots, later, open_topic, reply, unread_posts


def mark_of(database: Database, topic_id: int) -> TopicMark:
    with database.read() as connection:
        return seen_store.list_topic_marks(connection, YOU, [topic_id])[topic_id]


def unread_ids(connection: Connection) -> list[int]:
    return [topic.id for topic in seen_store.list_unread_topics(connection, YOU, limit=9)]


def test_a_new_topic_is_unread_until_its_posts_were_seen(database: Database) -> None:
    with database.transaction() as connection:
        subforum_id = add_subforum(connection)
        topic_id, first = open_topic(connection, subforum_id)
        second = reply(connection, first, 1)
        assert unread_posts(connection, topic_id) == [first, second]
    assert dots(database) == {subforum_id}
    assert mark_of(database, topic_id) == TopicMark(is_unread=True)
    with database.transaction() as connection:
        seeing.see_posts(connection, YOU, topic_id, [first, second])
        assert unread_posts(connection, topic_id) == []
    assert dots(database) == set()
    assert mark_of(database, topic_id) == TopicMark()


def test_a_reply_that_lands_while_one_reads_stays_unread(database: Database) -> None:
    with database.transaction() as connection:
        subforum_id = add_subforum(connection)
        topic_id, first = open_topic(connection, subforum_id)
        seeing.see_posts(connection, YOU, topic_id, [first])
        second = reply(connection, first, 1)
        third = reply(connection, second, 2)
        seeing.see_posts(connection, YOU, topic_id, [third])
        assert unread_posts(connection, topic_id) == [second]
        reading = seen_store.get_topic_reading(connection, YOU, topic_id)
        found = seen_store.find_first_unread(connection, YOU, topic_id, reading.until_post_id)
        assert found is not None
        assert found.id == second
    assert dots(database) == {subforum_id}
    assert mark_of(database, topic_id) == TopicMark(is_unread=True, new_count=1)


def test_the_first_unread_post_follows_the_order_in_which_is_read(database: Database) -> None:
    with database.transaction() as connection:
        topic_id, first = open_topic(connection, add_subforum(connection))
        left = reply(connection, first, 1)
        right = reply(connection, first, 2)
        below_left = reply(connection, left, 3)
        seeing.see_posts(connection, YOU, topic_id, [first, left])
        tree = seen_store.find_first_unread(connection, YOU, topic_id, left)
        flat = seen_store.find_first_unread(connection, YOU, topic_id, left, is_flat=True)
        assert tree is not None
        assert flat is not None
        assert (tree.id, flat.id) == (below_left, right)


def test_marks_of_posts_elsewhere_or_of_none_change_nothing(database: Database) -> None:
    with database.transaction() as connection:
        subforum_id = add_subforum(connection)
        topic_id, first = open_topic(connection, subforum_id)
        other_id, elsewhere = open_topic(connection, subforum_id, 1)
        seeing.see_posts(connection, YOU, topic_id, [elsewhere, 999_999])
        assert unread_posts(connection, topic_id) == [first]
        assert unread_posts(connection, other_id) == [elsewhere]
        delete_topic(connection, other_id, EVENING)
        for gone in (other_id, 12_345):
            with pytest.raises(NotFound):
                seeing.see_posts(connection, YOU, gone, [elsewhere])


def test_everything_is_marked_as_read_and_that_is_taken_back_exactly(database: Database) -> None:
    with database.transaction() as connection:
        garden, cellar = add_subforum(connection), add_subforum(connection, "Cellar")
        roses, first = open_topic(connection, garden)
        second = reply(connection, first, 1)
        wine, _ = open_topic(connection, cellar, 2)
        seeing.see_posts(connection, YOU, roses, [second])
        marked_at = seeing.see_all(connection, YOU, later(5))
        assert unread_posts(connection, roses) == unread_posts(connection, wine) == []
    assert dots(database) == set()
    with database.transaction() as connection:
        third = reply(connection, second, 6)
        assert unread_posts(connection, roses) == [third]
        assert seeing.unsee_all(connection, YOU, marked_at)
        assert unread_posts(connection, roses) == [first, third]
        assert not seeing.unsee_all(connection, YOU, marked_at)
    assert dots(database) == {garden, cellar}


def test_one_subforum_is_marked_and_the_others_stay(database: Database) -> None:
    with database.transaction() as connection:
        garden, cellar = add_subforum(connection), add_subforum(connection, "Cellar")
        open_topic(connection, garden)
        open_topic(connection, cellar)
        seeing.see_all(connection, YOU, later(5), subforum_id=garden)
        assert seen_store.count_unread_topics(connection, YOU) == {cellar: 1}
        with pytest.raises(NotFound):
            seeing.see_all(connection, YOU, later(5), subforum_id=77)
    assert dots(database) == {cellar}


def test_a_muted_topic_is_never_unread_and_a_watched_one_is(database: Database) -> None:
    with database.transaction() as connection:
        subforum_id = add_subforum(connection)
        topic_id, first = open_topic(connection, subforum_id)
        seeing.attend(connection, YOU, topic_id, Attention.MUTED)
        reply(connection, first, 1)
        assert unread_posts(connection, topic_id) == []
    assert dots(database) == set()
    assert mark_of(database, topic_id) == TopicMark(attention=Attention.MUTED)
    with database.transaction() as connection:
        seeing.attend(connection, YOU, topic_id, Attention.WATCHING)
        reply(connection, first, 2)
    assert dots(database) == {subforum_id}
    assert mark_of(database, topic_id).attention is Attention.WATCHING


def test_what_was_read_without_a_gap_is_no_longer_searched(database: Database) -> None:
    with database.transaction() as connection:
        subforum_id = add_subforum(connection)
        opened = [open_topic(connection, subforum_id, minute) for minute in range(4)]
        for topic_id, first in (opened[0], opened[1], opened[3]):
            seeing.see_posts(connection, YOU, topic_id, [first])
        seeing.see_posts(connection, YOU, opened[3][0], [opened[3][1]])
        assert seen_store.find_end_of_read(connection, YOU, subforum_id) is None
        assert unread_ids(connection) == [opened[2][0]]
        seeing.see_topic(connection, YOU, opened[2][0])
        assert unread_ids(connection) == []
        late = reply(connection, opened[0][1], 10)
        assert unread_ids(connection) == [opened[0][0]]
        assert unread_posts(connection, opened[0][0]) == [late]


def test_a_deleted_post_is_not_unread(database: Database) -> None:
    with database.transaction() as connection:
        subforum_id = add_subforum(connection)
        topic_id, first = open_topic(connection, subforum_id)
        seeing.see_posts(connection, YOU, topic_id, [first])
        gone = reply(connection, first, 1)
        editing.delete_post(connection, gone, later(2))
    assert dots(database) == set()


def test_the_view_is_remembered_for_the_topic(database: Database) -> None:
    with database.transaction() as connection:
        topic_id, _ = open_topic(connection, add_subforum(connection))
        assert seen_store.get_topic_reading(connection, YOU, topic_id).view is None
        seeing.choose_view(connection, YOU, topic_id, View.FLAT)
        assert seen_store.get_topic_reading(connection, YOU, topic_id).view is View.FLAT
        seeing.choose_view(connection, YOU, topic_id, None)
        assert seen_store.get_topic_reading(connection, YOU, topic_id).view is None
