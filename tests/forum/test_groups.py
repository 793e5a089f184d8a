"""Groups of subforums, their order, and the colours."""

import pytest

from forllm_server.db import Database
from forllm_server.errors import Invalid, NameTaken, NotFound
from forllm_server.forum import group_store, groups, subforum_store, subforums, topics
from forllm_server.forum.model import Colour
from tests.forum.world import EVENING, YOU, add_subforum, counted_statements, open_topic


def names_of(database: Database) -> list[tuple[str, str]]:
    with database.read() as connection:
        listed = [(one.group_name, one.name) for one in subforum_store.list_subforums(connection)]
        assert [(one.group_name, one.name) for one in subforum_store.list_rail(connection)] == listed
    return listed


def test_subforums_stand_in_their_groups_and_those_without_one_come_first(database: Database) -> None:
    with database.transaction() as connection:
        work = groups.add_group(connection, owner_id=YOU, name="Work", now=EVENING)
        play = groups.add_group(connection, owner_id=YOU, name="Play", now=EVENING)
        made = {name: add_subforum(connection, name) for name in "ABCDE"}
        for name, group in (("A", play), ("B", work), ("C", work), ("E", play)):
            subforums.group_subforum(connection, made[name].id, group.id)
    assert names_of(database) == [("", "D"), ("Work", "B"), ("Work", "C"), ("Play", "A"), ("Play", "E")]
    with database.transaction() as connection:
        groups.move_group(connection, play.id, position=0)
        subforums.move_subforum(connection, made["E"].id, position=0)
    assert names_of(database) == [("", "D"), ("Play", "E"), ("Play", "A"), ("Work", "B"), ("Work", "C")]
    with database.transaction() as connection:
        assert groups.remove_group(connection, play.id).name == "Play"
        assert [group.name for group in group_store.list_groups(connection)] == ["Work"]
    assert {name for group, name in names_of(database) if not group} == {"D", "E", "A"}


def test_a_groups_name_is_its_own(database: Database) -> None:
    with database.transaction() as connection:
        work = groups.add_group(connection, owner_id=YOU, name=" Work ", now=EVENING)
        play = groups.add_group(connection, owner_id=YOU, name="Play", now=EVENING)
        assert work.name == "Work"
        for act in (
            lambda: groups.add_group(connection, owner_id=YOU, name="WORK", now=EVENING),
            lambda: groups.rename_group(connection, play.id, name="work"),
        ):
            with pytest.raises(NameTaken):
                act()
        with pytest.raises(Invalid):
            groups.rename_group(connection, play.id, name="x" * 101)
        assert groups.rename_group(connection, play.id, name="Games").name == "Games"
        for missing in (
            lambda: groups.rename_group(connection, 99, name="X"),
            lambda: groups.remove_group(connection, 99),
        ):
            with pytest.raises(NotFound):
                missing()


def test_a_colour_is_one_of_the_palette(database: Database) -> None:
    with database.transaction() as connection:
        garden = add_subforum(connection)
        assert subforums.colour_subforum(connection, garden.id, "rose").colour is Colour.ROSE
        for wrong in ("#ff0000", "red", "ROSE"):
            with pytest.raises(Invalid) as refused:
                subforums.colour_subforum(connection, garden.id, wrong)
            assert refused.value.field == "colour"
        assert subforums.colour_subforum(connection, garden.id, "").colour is None
        with pytest.raises(Invalid) as refused:
            subforums.group_subforum(connection, garden.id, 99)
        assert refused.value.field == "group_id"
    assert [colour.hue for colour in Colour] == list(range(12))


def test_the_number_of_topics_is_kept_by_every_rule(database: Database) -> None:
    with database.transaction() as connection:
        garden = add_subforum(connection)
        made = [open_topic(connection, garden.id, f"T{number}")[0] for number in range(3)]
        topics.delete_topic(connection, made[0].id, EVENING)
        assert subforum_store.get_subforum(connection, garden.id).topic_count == 2
        topics.restore_topic(connection, made[0].id)
        topics.restore_topic(connection, made[0].id)
        assert subforum_store.get_subforum(connection, garden.id).topic_count == 3
        assert subforum_store.list_miscounted(connection) == []
        subforum_store.update_topic_count(connection, garden.id, 5)
        assert subforum_store.list_miscounted(connection) == [garden.id]
        subforum_store.update_topic_counts(connection)
        assert subforum_store.get_subforum(connection, garden.id).topic_count == 3


def test_the_list_takes_one_statement(database: Database) -> None:
    with database.transaction() as connection:
        for name in "ABCDEFG":
            add_subforum(connection, name)
    with database.read() as connection, counted_statements(database) as statements:
        subforum_store.list_subforums(connection)
        subforum_store.list_rail(connection)
    assert len(statements) == 2
