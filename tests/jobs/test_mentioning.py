"""Who is asked because a text calls them."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from sqlalchemy import Connection

from forllm_server.db import Database
from forllm_server.jobs.mentioning import ask_all, find_mentioned
from forllm_server.personas.editing import delete_persona
from tests.forum.world import counted_statements
from tests.personas.world import BUILTIN_ID, change, create
from tests.support.world import LOCAL_USER, World, make_world


@pytest.fixture
def world(sqlite_database: Database, now: datetime) -> World:
    return make_world(sqlite_database, now)


@pytest.fixture
def connection(sqlite_database: Database, world: World) -> Iterator[Connection]:
    with sqlite_database.transaction() as connection:
        yield connection


def test_a_persona_is_found_by_name_slug_and_quoted_name(connection: Connection) -> None:
    skeptic = create(connection, "Careful Skeptic").id
    for text in ("@careful-skeptic", '@"Careful Skeptic"', '@"careful  skeptic"', "@Careful_Skeptic"):
        assert find_mentioned(connection, f"{text} go").persona_ids == (skeptic,), text


def test_several_are_asked_in_the_order_they_are_called(connection: Connection) -> None:
    skeptic, teacher = create(connection, "Skeptic").id, create(connection, "Teacher").id
    assert find_mentioned(connection, "@teacher @skeptic @TEACHER").persona_ids == (teacher, skeptic)


def test_what_names_nobody_or_two_stays_text_and_is_told(connection: Connection) -> None:
    create(connection, "Careful Skeptic")
    exact = create(connection, "careful-skeptic").id
    create(connection, "Careful.Skeptic")
    found = find_mentioned(connection, "@dataclass @careful_skeptic @assistant>@critic>@careful_skeptic")
    assert found.persona_ids == ()
    unknown, ambiguous, no_link, unclear_link = found.notes
    assert found.chains == ()
    assert unknown == "@dataclass names no persona, so nobody was asked by it."
    assert "“Careful Skeptic” or “careful-skeptic” or “Careful.Skeptic”" in ambiguous
    assert no_link == "@critic in @assistant>@critic>@careful_skeptic names no persona, so nobody was asked by it."
    assert unclear_link.startswith("@careful_skeptic in @assistant>@critic>@careful_skeptic may be")
    assert find_mentioned(connection, "@careful-skeptic").persona_ids == (exact,)


def test_an_edit_calls_only_those_who_were_not_called_before(connection: Connection) -> None:
    create(connection, "Skeptic")
    teacher = create(connection, "Teacher").id
    found = find_mentioned(connection, "@skeptic and @teacher", earlier_text="@Skeptic, please")
    assert found.persona_ids == (teacher,)


def test_who_began_a_chain_before_is_not_asked_again_alone(connection: Connection) -> None:
    create(connection, "Skeptic")
    teacher = create(connection, "Teacher").id
    found = find_mentioned(connection, "@skeptic @teacher", earlier_text="@skeptic>@teacher")
    assert (found.persona_ids, found.chains) == ((teacher,), ())


def test_a_persona_that_was_deleted_or_has_another_name_now_is_called_by_nobody(
    connection: Connection, now: datetime
) -> None:
    skeptic, teacher = create(connection, "Skeptic"), create(connection, "Teacher")
    delete_persona(connection, skeptic.id, now)
    change(connection, teacher, name="Mentor")
    found = find_mentioned(connection, "@skeptic, @teacher, @mentor and @mentor>@skeptic")
    assert (found.persona_ids, found.chains) == ((teacher.id,), ())
    assert found.notes == (
        "@skeptic names no persona, so nobody was asked by it.",
        "@teacher names no persona, so nobody was asked by it.",
        "@skeptic in @mentor>@skeptic names no persona, so nobody was asked by it.",
    )


def test_a_text_without_a_call_costs_no_statement(sqlite_database: Database, world: World) -> None:
    with sqlite_database.read() as connection, counted_statements(sqlite_database) as statements:
        assert find_mentioned(connection, "`@skeptic` mail@example.org").persona_ids == ()
        none = len(statements)
        find_mentioned(connection, "@one @two @three")
    assert (none, len(statements)) == (0, 1)


def test_whoever_answers_by_the_rules_and_is_called_besides_answers_once(
    connection: Connection, world: World, now: datetime
) -> None:
    asked = ask_all(connection, [None, BUILTIN_ID], owner_id=LOCAL_USER, post_id=world.post_id, now=now)
    assert [each.request.persona_id for each in asked] == [BUILTIN_ID]
    again = ask_all(connection, [BUILTIN_ID], owner_id=LOCAL_USER, post_id=world.post_id, now=now, already=[BUILTIN_ID])
    assert again == []
