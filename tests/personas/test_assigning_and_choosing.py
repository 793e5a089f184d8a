"""Personas made available in subforums, and which one answers."""

import pytest

from forllm_server.db import Database
from forllm_server.errors import NotFound
from forllm_server.personas import assigning, assignment_store, choosing, editing
from forllm_server.personas.model import Assignment, ChoiceReason
from forllm_server.settings.values import read_settings
from tests.personas.world import BUILTIN_ID, EVENING, add_subforum, change, create


def shown(assignments: list[Assignment]) -> list[tuple[str, bool]]:
    return [(assignment.persona_name, assignment.is_default) for assignment in assignments]


def test_a_subforum_has_several_personas_and_one_default_shown_first(database: Database) -> None:
    with database.transaction() as connection:
        garden = add_subforum(connection)
        critic, friend, poet = (create(connection, name) for name in ("Critic", "Friend", "Poet"))
        for persona in (poet, friend, critic):
            assigning.assign_persona(connection, subforum_id=garden, persona_id=persona.id, now=EVENING)
        both = assigning.assign_persona(
            connection, subforum_id=garden, persona_id=friend.id, is_default=True, now=EVENING
        )
        moved = assigning.make_default(connection, subforum_id=garden, persona_id=poet.id, now=EVENING)
        nobody = assigning.make_default(connection, subforum_id=garden, persona_id=None, now=EVENING)
    assert shown(both) == [("Friend", True), ("Critic", False), ("Poet", False)]
    assert shown(moved) == [("Poet", True), ("Critic", False), ("Friend", False)]
    assert shown(nobody) == [("Critic", False), ("Friend", False), ("Poet", False)]


def test_assigning_twice_keeps_the_default(database: Database) -> None:
    with database.transaction() as connection:
        garden, critic = add_subforum(connection), create(connection)
        assigning.make_default(connection, subforum_id=garden, persona_id=critic.id, now=EVENING)
        again = assigning.assign_persona(connection, subforum_id=garden, persona_id=critic.id, now=EVENING)
    assert shown(again) == [("Critic", True)]


def test_an_assignment_is_taken_back_once(database: Database) -> None:
    with database.transaction() as connection:
        garden, critic = add_subforum(connection), create(connection)
        assigning.make_default(connection, subforum_id=garden, persona_id=critic.id, now=EVENING)
        assert assigning.unassign_persona(connection, subforum_id=garden, persona_id=critic.id) == []
        assert assignment_store.find_default_persona_id(connection, garden) is None
        with pytest.raises(NotFound):
            assigning.unassign_persona(connection, subforum_id=garden, persona_id=critic.id)


def test_only_what_is_there_can_be_assigned(database: Database) -> None:
    with database.transaction() as connection:
        garden, critic = add_subforum(connection), create(connection)
        editing.delete_persona(connection, critic.id, EVENING)
        for subforum_id, persona_id in ((404, BUILTIN_ID), (garden, 404), (garden, critic.id)):
            with pytest.raises(NotFound):
                assigning.assign_persona(connection, subforum_id=subforum_id, persona_id=persona_id, now=EVENING)
        with pytest.raises(NotFound):
            assigning.make_global_default(connection, critic.id, EVENING)
        assert read_settings(connection).default_persona_id == BUILTIN_ID


def test_the_one_asked_for_comes_first_then_subforum_then_forum_then_built_in(database: Database) -> None:
    with database.transaction() as connection:
        garden, kitchen = add_subforum(connection, "Garden"), add_subforum(connection, "Kitchen")
        asked, local, everywhere = (create(connection, name) for name in ("Critic", "Friend", "Poet"))
        assigning.make_default(connection, subforum_id=garden, persona_id=local.id, now=EVENING)

        def chosen(asked_id: int | None, subforum_id: int | None, default_id: int | None) -> tuple[str, ChoiceReason]:
            choice = choosing.choose(
                connection, asked_persona_id=asked_id, subforum_id=subforum_id, default_persona_id=default_id
            )
            return choice.persona.name, choice.reason

        assert chosen(asked.id, garden, everywhere.id) == ("Critic", ChoiceReason.ASKED)
        assert chosen(None, garden, everywhere.id) == ("Friend", ChoiceReason.SUBFORUM_DEFAULT)
        assert chosen(None, kitchen, everywhere.id) == ("Poet", ChoiceReason.GLOBAL_DEFAULT)
        assert chosen(None, None, everywhere.id) == ("Poet", ChoiceReason.GLOBAL_DEFAULT)
        assert chosen(None, kitchen, 404) == ("Assistant", ChoiceReason.BUILTIN)
        assert chosen(None, kitchen, None) == ("Assistant", ChoiceReason.BUILTIN)


def test_a_deleted_persona_is_passed_over_unless_it_was_asked_for(database: Database) -> None:
    with database.transaction() as connection:
        garden, critic = add_subforum(connection), create(connection)
        assigning.make_default(connection, subforum_id=garden, persona_id=critic.id, now=EVENING)
        editing.delete_persona(connection, critic.id, EVENING)
        choice = choosing.choose(connection, asked_persona_id=None, subforum_id=garden, default_persona_id=critic.id)
        assert choice.reason is ChoiceReason.BUILTIN
        for persona_id, words in ((critic.id, "Critic was deleted"), (404, "no such persona")):
            with pytest.raises(NotFound, match=words) as refused:
                choosing.choose(
                    connection, asked_persona_id=persona_id, subforum_id=garden, default_persona_id=BUILTIN_ID
                )
            assert refused.value.field == "persona_id"


def test_the_current_version_is_the_one_that_answers(database: Database) -> None:
    with database.transaction() as connection:
        critic = create(connection)
        changed = change(connection, critic, instructions="Be kind.")
        choice = choosing.choose(connection, asked_persona_id=critic.id, subforum_id=None, default_persona_id=None)
    assert choice.version == changed.version
