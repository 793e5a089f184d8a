"""Deleted personas come back as they were, until they are erased."""

from datetime import timedelta

import pytest

from forllm_server.db import Database
from forllm_server.errors import Conflict, NotFound
from forllm_server.personas import assigning, assignment_store, editing, persona_store, tag_store, version_store
from forllm_server.personas.tagging import tag_persona
from forllm_server.personas.trash import erase_deleted_personas, restore_persona
from tests.personas.world import BUILTIN_ID, EVENING, add_subforum, change, create


def test_a_persona_comes_back_with_its_versions_tags_and_assignments(database: Database) -> None:
    with database.transaction() as connection:
        made = change(connection, create(connection), instructions="Find one thing.")
        subforum_id = add_subforum(connection)
        assigning.make_default(connection, subforum_id=subforum_id, persona_id=made.id, now=EVENING)
        before = assignment_store.list_assignments(connection, subforum_id)
        tag_persona(connection, made.id, ["night"])
        editing.delete_persona(connection, made.id, EVENING)
        assert assignment_store.list_assignments(connection, subforum_id) == []
        assert restore_persona(connection, made.id) == made
        assert assignment_store.list_assignments(connection, subforum_id) == before
        assert tag_store.list_tags(connection) == [("night", 1)]
        assert len(version_store.list_versions(connection, made.id)) == 2


def test_a_default_given_to_another_meanwhile_stays_with_that_one(database: Database) -> None:
    with database.transaction() as connection:
        made, other = create(connection), create(connection, "Friend")
        subforum_id = add_subforum(connection)
        assigning.make_default(connection, subforum_id=subforum_id, persona_id=made.id, now=EVENING)
        editing.delete_persona(connection, made.id, EVENING)
        assigning.make_default(connection, subforum_id=subforum_id, persona_id=other.id, now=EVENING)
        restore_persona(connection, made.id)
        assigned = assignment_store.list_assignments(connection, subforum_id)
        assert [(each.persona_name, each.is_default) for each in assigned] == [("Friend", True), ("Critic", False)]


def test_a_name_given_away_meanwhile_keeps_it_in_the_trash(database: Database) -> None:
    with database.transaction() as connection:
        made = create(connection)
        editing.delete_persona(connection, made.id, EVENING)
        create(connection, "critic")
        with pytest.raises(Conflict, match="Rename that one"):
            restore_persona(connection, made.id)


def test_the_erased_does_not_come_back_and_its_versions_stay(database: Database) -> None:
    with database.transaction() as connection:
        made = create(connection)
        editing.delete_persona(connection, made.id, EVENING)
        later = EVENING + timedelta(days=31)
        assert erase_deleted_personas(connection, older_than_days=32, now=later) == 0
        assert erase_deleted_personas(connection, older_than_days=30, now=later) == 1
        assert erase_deleted_personas(connection, older_than_days=0, now=later) == 0
        for persona_id in (made.id, BUILTIN_ID, 99):
            with pytest.raises(NotFound):
                restore_persona(connection, persona_id)
        assert version_store.get_version(connection, made.version.id) == made.version
        assert persona_store.find_persona(connection, made.id) is not None
