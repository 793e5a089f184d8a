"""Asking for many at once: all or none, within limits that are named, and no question twice."""

import pytest
from sqlalchemy import event

from forllm_server import clock
from forllm_server.errors import Invalid, NotFound
from forllm_server.jobs.asking import Ask, Asked, TooManyAsked, ask_many
from forllm_server.personas.editing import create_persona
from forllm_server.queue.event_store import list_events
from forllm_server.queue.llm_request_store import get_llm_request, list_llm_requests
from forllm_server.queue.model import Happening, Lane, LlmRequest
from forllm_server.settings.values import change_settings
from tests.jobs.conftest import Evening
from tests.support.world import LOCAL_USER


def make_personas(evening: Evening, number: int) -> list[int]:
    with evening.database.transaction() as connection:
        return [
            create_persona(
                connection, owner_id=LOCAL_USER, name=f"Persona {each}", instructions="Answer.", now=clock.now()
            ).id
            for each in range(number)
        ]


def ask_all(evening: Evening, *wishes: dict[str, object]) -> list[Asked]:
    defaults: dict[str, object] = {"owner_id": LOCAL_USER, "post_id": evening.world.post_id}
    with evening.database.transaction() as connection:
        return ask_many(connection, [Ask(**(defaults | wish)) for wish in wishes], clock.now())


def set_limits(evening: Evening, **limits: int) -> None:
    with evening.database.transaction() as connection:
        change_settings(connection, limits, clock.now())


def queued(evening: Evening) -> list[LlmRequest]:
    with evening.database.read() as connection:
        return list_llm_requests(connection, limit=1000)


def test_many_are_asked_in_their_order_and_all_of_them_are_answered(evening: Evening) -> None:
    personas = make_personas(evening, 5)
    asked = ask_all(evening, *({"persona_id": persona_id} for persona_id in personas))
    assert [each.request.persona_id for each in asked] == personas
    assert all(each.is_new for each in asked)
    with evening.database.read() as connection:
        for each in asked:
            assert get_llm_request(connection, each.request.id) == each.request
            assert [found.name for found in list_events(connection, each.request.id)] == [Happening.QUEUED]
    while evening.run():
        pass
    assert len(evening.posts()) == 6


def test_one_that_is_asked_singly_is_told_as_it_is_stored(evening: Evening) -> None:
    asked = evening.ask(is_run_now=True, priority=3)
    assert evening.get(asked) == asked.request


def test_what_is_there_already_or_named_twice_is_one_question(evening: Evening) -> None:
    first, other = make_personas(evening, 2)
    known = evening.ask(persona_id=first)
    asked = ask_all(evening, {"persona_id": first, "is_run_now": True}, {"persona_id": other}, {"persona_id": other})
    assert [each.is_new for each in asked] == [False, True, False]
    assert [each.request.id for each in asked] == [known.request.id, asked[1].request.id, asked[1].request.id]
    assert asked[0].request.lane is Lane.LIVE


def test_other_answers_on_purpose_are_as_many_as_asked_for(evening: Evening) -> None:
    asked = ask_all(evening, *({"is_another": True} for _ in range(3)))
    assert [each.request.answer_number for each in asked] == [1, 2, 3]
    assert all(each.is_new for each in asked)


def test_a_wish_that_cannot_be_met_leaves_none_of_them(evening: Evening) -> None:
    with pytest.raises((Invalid, NotFound)):
        ask_all(evening, {}, {"persona_id": 404})
    assert queued(evening) == []


def test_a_million_at_once_are_refused_with_the_number_and_the_setting(evening: Evening) -> None:
    with evening.database.transaction() as connection, pytest.raises(TooManyAsked) as caught:
        ask_many(connection, [Ask(LOCAL_USER, evening.world.post_id)] * 1_000_000, clock.now())
    assert "1,000,000 replies" in caught.value.message
    assert "100 are allowed" in caught.value.message
    assert "max_asked_at_once" in caught.value.message
    assert queued(evening) == []


def test_the_limit_of_one_act_can_be_set(evening: Evening) -> None:
    set_limits(evening, max_asked_at_once=2)
    personas = make_personas(evening, 3)
    with pytest.raises(TooManyAsked):
        ask_all(evening, *({"persona_id": persona_id} for persona_id in personas))
    assert len(ask_all(evening, *({"persona_id": persona_id} for persona_id in personas[:2]))) == 2


def test_one_person_may_have_only_so_many_waiting(evening: Evening) -> None:
    set_limits(evening, max_waiting=3)
    for _ in range(3):
        evening.ask(is_another=True)
    with pytest.raises(TooManyAsked) as caught:
        evening.ask(is_another=True)
    assert "3 of your LLM requests wait" in caught.value.message
    assert "max_waiting" in caught.value.message
    assert evening.run()
    assert evening.ask(is_another=True).is_new
    with pytest.raises(TooManyAsked):
        ask_all(evening, {"is_another": True}, {"is_another": True})
    assert len(queued(evening)) == 4


def test_fifty_cost_hardly_more_statements_than_five(evening: Evening) -> None:
    personas = make_personas(evening, 55)
    counted: list[int] = []

    def ask_for(persona_ids: list[int]) -> None:
        statements: list[str] = []

        def note(*call: object) -> None:
            statements.append(str(call[2]))

        event.listen(evening.database.engine, "before_cursor_execute", note)
        ask_all(evening, *({"persona_id": each} for each in persona_ids))
        event.remove(evening.database.engine, "before_cursor_execute", note)
        counted.append(len(statements))

    ask_for(personas[:5])
    ask_for(personas[5:])
    # Of each persona: itself, and how often it was asked.
    assert counted[1] - counted[0] <= 2 * 45 + 2
