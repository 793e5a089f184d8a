"""Personas: every change a version, none of them ever lost."""

import pytest

from forllm_server.accounts.local import LOCAL_USER_ID as YOU
from forllm_server.db import Database
from forllm_server.errors import Conflict, Invalid, NameTaken, NotAllowed, NotFound, Unavailable
from forllm_server.personas import assigning, assignment_store, editing, persona_store, version_store
from forllm_server.personas.tables import persona_versions, personas
from forllm_server.settings.values import read_settings
from tests.personas.world import BUILTIN_ID, EVENING, add_model, add_subforum, change, create


def test_a_new_persona_has_version_1(database: Database) -> None:
    with database.transaction() as connection:
        model_id = add_model(connection)
        made = create(connection, " Critic ", model_id=model_id, parameters={"temperature": 0.3}, note="First")
        assert persona_store.get_persona(connection, made.id) == made
        assert version_store.list_versions(connection, made.id) == [made.version]
    assert (made.name, made.is_builtin, made.version.number, made.version.note) == ("Critic", False, 1, "First")
    assert (made.version.model_id, made.version.parameters) == (model_id, {"temperature": 0.3})


@pytest.mark.parametrize("name", ["critic", "CRITIC ", "assistant"])
def test_a_name_in_other_case_is_taken(database: Database, name: str) -> None:
    with database.transaction() as connection:
        create(connection)
        with pytest.raises(NameTaken) as taken:
            create(connection, name)
        assert persona_store.count_personas(connection) == 2
    assert taken.value.field == "name"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"instructions": "\n"}, "instructions"),
        ({"instructions": "x" * 65_537}, "instructions"),
        ({"note": "x" * 501}, "note"),
        ({"model_id": 404}, "model_id"),
        ({"parameters": {"temperature": 9}}, "temperature"),
        ({"parameters": {"heat": 9}}, "heat"),
    ],
)
def test_what_does_not_fit_is_refused_by_field(database: Database, values: dict[str, object], field: str) -> None:
    with database.transaction() as connection, pytest.raises(Invalid) as refused:
        create(connection, **values)  # the name may be among them
    assert refused.value.field == field


def test_every_change_is_a_version_and_the_old_ones_stay(database: Database) -> None:
    with database.transaction() as connection:
        first = create(connection)
        second = change(connection, first, instructions="Be kind.", note="Kinder")
        third = change(connection, second, name="Friend", parameters={"seed": 1})
        versions = version_store.list_versions(connection, first.id)
    assert [version.number for version in versions] == [3, 2, 1]
    assert versions[0] == third.version
    assert (versions[1].note, versions[2]) == ("Kinder", first.version)
    assert (third.name, third.version.instructions, third.version.note) == ("Friend", "Be kind.", "")


def test_the_same_content_makes_no_version(database: Database) -> None:
    with database.transaction() as connection:
        made = create(connection, parameters={"temperature": 1})
        same = change(connection, made, name=" Critic", parameters={"temperature": 1.0, "seed": None}, note="Nothing")
    assert same == made


def test_a_change_begun_before_another_one_is_not_lost_silently(database: Database) -> None:
    with database.transaction() as connection:
        made = create(connection)
        change(connection, made, instructions="Mine", expected_version=1)
        with pytest.raises(Conflict, match="version 2"):
            change(connection, made, instructions="Yours", expected_version=1)


def test_a_model_that_went_away_may_stay_chosen_but_not_be_chosen_anew(database: Database) -> None:
    with database.transaction() as connection:
        model_id = add_model(connection)
        made = create(connection, model_id=model_id)
        connection.exec_driver_sql("UPDATE backends SET deleted_at = created_at")
        assert change(connection, made, instructions="Other").version.model_id == model_id
        with pytest.raises(Invalid):
            create(connection, "Other", model_id=model_id)


def test_reverting_makes_a_new_version_of_the_old_content(database: Database) -> None:
    with database.transaction() as connection:
        first = create(connection)
        change(connection, first, name="Friend", instructions="Be kind.")
        reverted = editing.revert_persona(connection, first.id, number=1, editor_id=YOU, now=EVENING)
        again = editing.revert_persona(connection, first.id, number=1, editor_id=YOU, now=EVENING)
        with pytest.raises(NotFound):
            editing.revert_persona(connection, first.id, number=9, editor_id=YOU, now=EVENING)
    assert (reverted.name, reverted.version.number, reverted.version.instructions) == (
        "Critic",
        3,
        "Find what is wrong.",
    )
    assert reverted.version.note == "Back to version 1."
    assert again == reverted


def test_reverting_to_a_name_that_somebody_else_has_now_is_refused(database: Database) -> None:
    with database.transaction() as connection:
        first = create(connection)
        change(connection, first, name="Friend")
        create(connection, "critic")
        with pytest.raises(NameTaken):
            editing.revert_persona(connection, first.id, number=1, editor_id=YOU, now=EVENING)


def test_a_deleted_persona_leaves_its_versions_and_frees_its_name(database: Database) -> None:
    with database.transaction() as connection:
        made = create(connection)
        subforum_id = add_subforum(connection)
        assigning.assign_persona(connection, subforum_id=subforum_id, persona_id=made.id, now=EVENING)
        editing.delete_persona(connection, made.id, EVENING)
        with pytest.raises(NotFound):
            persona_store.get_persona(connection, made.id)
        for act in (lambda: change(connection, made), lambda: editing.delete_persona(connection, made.id, EVENING)):
            with pytest.raises(NotFound):
                act()
        assert version_store.get_version(connection, made.version.id) == made.version
        assert assignment_store.list_assignments(connection, subforum_id) == []
        assert [persona.name for persona in persona_store.list_personas(connection)] == ["Assistant"]
        assert create(connection).id != made.id


def test_the_built_in_persona_can_be_changed_but_not_deleted(database: Database) -> None:
    with database.transaction() as connection:
        builtin = persona_store.get_persona(connection, BUILTIN_ID)
        assert change(connection, builtin, instructions="Be brief.").version.number == 2
        with pytest.raises(NotAllowed, match="built in"):
            editing.delete_persona(connection, BUILTIN_ID, EVENING)


def test_when_the_default_of_the_forum_is_deleted_the_built_in_one_takes_over(database: Database) -> None:
    with database.transaction() as connection:
        made, other = create(connection), create(connection, "Friend")
        assigning.make_global_default(connection, made.id, EVENING)
        editing.delete_persona(connection, other.id, EVENING)
        assert read_settings(connection).default_persona_id == made.id
        editing.delete_persona(connection, made.id, EVENING)
        assert read_settings(connection).default_persona_id == BUILTIN_ID


def test_the_built_in_persona_is_made_once(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(persona_versions.delete())
        connection.execute(personas.delete())
        assert persona_store.find_builtin(connection) is None
        made = editing.ensure_builtin(connection, EVENING)
        assert editing.ensure_builtin(connection, EVENING) == made
    assert (made.is_builtin, made.version.instructions) == (True, "You are a helpful assistant.")


def test_personas_are_listed_by_pages_with_their_versions(database: Database) -> None:
    with database.transaction() as connection:
        made = [create(connection, name) for name in ("B", "A")]
        whole = persona_store.list_personas(connection)
        page = persona_store.list_personas(connection, limit=1, after_id=BUILTIN_ID)
        assert persona_store.find_persona_by_name_key(connection, "b") == made[0]
        assert version_store.list_versions_by_ids(connection, [made[1].version.id, 404]) == [made[1].version]
    assert whole[1:] == made
    assert page == made[:1]


def test_a_locked_database_is_told_and_nothing_is_half_done(sqlite_database: Database) -> None:
    assert sqlite_database.path is not None
    hasty = Database.at(sqlite_database.path, busy_timeout_seconds=0.02)
    with sqlite_database.transaction() as holder:
        with pytest.raises(Unavailable), hasty.transaction() as connection:
            create(connection)
        assert persona_store.count_personas(holder) == 1
    with hasty.transaction() as connection:
        assert create(connection).version.number == 1
    hasty.close()
