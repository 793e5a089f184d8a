"""Subforums: made, changed, ordered, deleted, restored."""

import pytest

from forllm_server.db import Database
from forllm_server.errors import Conflict, Invalid, NameTaken, NotFound
from forllm_server.forum import subforum_store, subforums, topic_store, topics
from tests.forum.world import EVENING, add_subforum, counted_statements, minutes_later, open_topic, reply


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return [subforum.name for subforum in subforum_store.list_subforums(connection)]


def test_a_new_subforum_comes_last_and_is_empty(database: Database) -> None:
    with database.transaction() as connection:
        add_subforum(connection, "Garden")
        added = add_subforum(connection, "  Kitchen  ", "What is cooked")
    assert (added.name, added.description, added.topic_count, added.last_post_at) == (
        "Kitchen",
        "What is cooked",
        0,
        None,
    )
    assert names(database) == ["Garden", "Kitchen"]


@pytest.mark.parametrize("name", ["garden", " GARDEN ", "Ｇａｒｄｅｎ", "Gar\u200bden"])
def test_a_name_in_other_case_or_width_is_taken(database: Database, name: str) -> None:
    with database.transaction() as connection:
        add_subforum(connection, "Garden")
        with pytest.raises(NameTaken) as taken:
            add_subforum(connection, name)
    assert taken.value.field == "name"
    assert names(database) == ["Garden"]


@pytest.mark.parametrize("name", ["", "   ", "\u200b", "\x00\x07", "x" * 101])
def test_a_name_that_is_blank_or_too_long_is_refused(database: Database, name: str) -> None:
    with database.transaction() as connection, pytest.raises(Invalid) as refused:
        add_subforum(connection, name)
    assert refused.value.field == "name"


def test_a_description_beyond_2000_characters_is_refused(database: Database) -> None:
    with database.transaction() as connection, pytest.raises(Invalid) as refused:
        add_subforum(connection, "Garden", "x" * 2_001)
    assert refused.value.field == "description"


def test_name_and_description_change_one_by_one(database: Database) -> None:
    with database.transaction() as connection:
        garden = add_subforum(connection, "Garden", "Green")
        subforums.change_subforum(connection, garden.id, name="GARDEN")
        changed = subforums.change_subforum(connection, garden.id, description="  ")
    assert (changed.name, changed.description) == ("GARDEN", "")


def test_renaming_to_the_name_of_another_one_is_refused_and_changes_nothing(database: Database) -> None:
    with database.transaction() as connection:
        add_subforum(connection, "Garden")
        kitchen = add_subforum(connection, "Kitchen")
        with pytest.raises(NameTaken):
            subforums.change_subforum(connection, kitchen.id, name="garden")
    assert names(database) == ["Garden", "Kitchen"]


@pytest.mark.parametrize(("position", "order"), [(0, "CAB"), (1, "ACB"), (2, "ABC"), (99, "ABC"), (-5, "CAB")])
def test_a_subforum_moves_to_a_position(database: Database, position: int, order: str) -> None:
    with database.transaction() as connection:
        last = [add_subforum(connection, name) for name in "ABC"][-1]
        moved = subforums.move_subforum(connection, last.id, position=position)
    assert [subforum.name for subforum in moved] == list(order)


def test_a_deleted_subforum_takes_its_topics_along_and_brings_them_back(database: Database) -> None:
    with database.transaction() as connection:
        garden = add_subforum(connection)
        topic, _ = open_topic(connection, garden.id)
        subforums.delete_subforum(connection, garden.id, EVENING)
        assert subforum_store.list_subforums(connection) == []
        assert topic_store.list_recent_topics(connection, limit=10) == []
        with pytest.raises(NotFound):
            topic_store.get_topic(connection, topic.id)
        with pytest.raises(NotFound):
            subforums.delete_subforum(connection, garden.id, EVENING)
        restored = subforums.restore_subforum(connection, garden.id)
        assert (restored.topic_count, topic_store.get_topic(connection, topic.id).title) == (1, "Roses")


def test_the_name_of_a_deleted_subforum_is_free_and_blocks_its_return(database: Database) -> None:
    with database.transaction() as connection:
        first = add_subforum(connection, "Garden")
        subforums.delete_subforum(connection, first.id, EVENING)
        add_subforum(connection, "garden")
        with pytest.raises(Conflict, match="Rename"):
            subforums.restore_subforum(connection, first.id)


def test_restoring_what_never_was_is_not_found(database: Database) -> None:
    with database.transaction() as connection, pytest.raises(NotFound):
        subforums.restore_subforum(connection, 404)


def test_the_list_counts_topics_and_tells_the_last_activity_in_one_statement(database: Database) -> None:
    with database.transaction() as connection:
        for number in range(5):
            subforum = add_subforum(connection, f"Subforum {number}")
            for minute in range(number):
                _, root = open_topic(connection, subforum.id, f"Topic {minute}", minute=minute)
        reply(connection, root.id, minute=30)
        gone, _ = open_topic(connection, subforum.id, minute=99)
        topics.delete_topic(connection, gone.id, EVENING)
    with database.read() as connection, counted_statements(database) as statements:
        listed = subforum_store.list_subforums(connection)
    assert len(statements) == 1
    assert [subforum.topic_count for subforum in listed] == [0, 1, 2, 3, 4]
    assert listed[4].last_post_at == minutes_later(30)
