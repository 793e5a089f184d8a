"""One question to many: each once however it is named, no more model loads than models, one cancel."""

from itertools import groupby

import pytest

from forllm_server import clock
from forllm_server.errors import Invalid, NotFound
from forllm_server.jobs.asking import Ask, Asked, TooManyAsked, ask
from forllm_server.jobs.fanning import FanOut, ask_fan_out, cancel_group, get_group, new_group_id
from forllm_server.queue.model import Status
from forllm_server.settings.values import change_settings
from tests.jobs.conftest import Evening
from tests.personas.world import BUILTIN_ID, change, create
from tests.support.world import LOCAL_USER, insert_model


@pytest.fixture
def persona_ids(evening: Evening) -> tuple[int, ...]:
    with evening.database.transaction() as connection:
        return tuple(create(connection, name).id for name in ("Skeptic", "Teacher", "Poet", "Judge"))


@pytest.fixture
def model_ids(evening: Evening) -> tuple[int, ...]:
    with evening.database.transaction() as connection:
        more = [insert_model(connection, evening.world.backend_id, clock.now(), name=name) for name in ("b:3b", "c:1b")]
    return (evening.world.model_id, *more)


def fan_out(evening: Evening, **values: object) -> list[Asked]:
    with evening.database.transaction() as connection:
        wish = FanOut(LOCAL_USER, evening.world.post_id, **values)
        return ask_fan_out(connection, wish, clock.now())


def test_four_personas_on_three_models_load_three_models(
    evening: Evening, persona_ids: tuple[int, ...], model_ids: tuple[int, ...]
) -> None:
    # By persona first, so that the order of asking is not what saves the loads.
    for persona_id in persona_ids:
        fan_out(evening, persona_ids=(persona_id,), model_ids=model_ids)
    while evening.run():
        pass
    assert len(evening.posts()) == 1 + 12
    models = [body["model"] for body in evening.server.chats]
    assert len(models) == 12
    assert len([name for name, _ in groupby(models)]) == 3


def test_all_of_it_is_one_group_and_one_cancel(
    evening: Evening, persona_ids: tuple[int, ...], model_ids: tuple[int, ...]
) -> None:
    asked = fan_out(evening, persona_ids=persona_ids, model_ids=model_ids)
    assert len(asked) == 12
    (group_id,) = {each.request.group_id for each in asked}
    assert group_id is not None
    assert evening.run()
    with evening.database.transaction() as connection:
        assert len(cancel_group(connection, group_id, clock.now()).changed) == 11
        states = [each.status for each in get_group(connection, group_id)]
    assert sorted(set(states)) == [Status.CANCELLED, Status.SUCCEEDED]
    assert not evening.run()


def test_each_several_times_with_another_seed_each_time(evening: Evening) -> None:
    with evening.database.transaction() as connection:
        persona = create(connection, "Seeded", parameters={"seed": 7})
    asked = fan_out(evening, persona_ids=(persona.id,), repeats=3)
    assert [each.request.answer_number for each in asked] == [1, 2, 3]
    assert [each.request.parameters["seed"] for each in asked] == [7, 8, 9]


def test_whoever_is_named_in_two_ways_is_asked_once(evening: Evening) -> None:
    wish = {"persona_ids": (None, BUILTIN_ID), "model_ids": (None, evening.world.model_id)}
    assert len(fan_out(evening, **wish)) == 1
    assert len(fan_out(evening, **wish, repeats=2)) == 2


def test_done_twice_it_is_done_once(evening: Evening, persona_ids: tuple[int, ...]) -> None:
    wish = {"persona_ids": persona_ids, "repeats": 2, "group_id": new_group_id()}
    first = fan_out(evening, **wish)
    again = fan_out(evening, **wish)
    assert [each.request.id for each in again] == [each.request.id for each in first]
    assert len(first) == 8
    assert not any(each.is_new for each in again)


def test_more_than_may_be_asked_are_refused_whole(evening: Evening, persona_ids: tuple[int, ...]) -> None:
    with evening.database.transaction() as connection:
        change_settings(connection, {"max_asked_at_once": 7}, clock.now())
    with pytest.raises(TooManyAsked):
        fan_out(evening, persona_ids=persona_ids, repeats=2)
    assert not evening.run()


@pytest.mark.parametrize("values", [{"repeats": 0}, {"repeats": 21}, {"group_id": "../../x"}])
def test_nonsense_is_refused(evening: Evening, values: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        fan_out(evening, **values)


def test_there_is_no_group_of_nothing(evening: Evening) -> None:
    with evening.database.transaction() as connection, pytest.raises(NotFound):
        cancel_group(connection, new_group_id(), clock.now())


def test_another_version_and_other_parameters_hold_for_one_reply(evening: Evening) -> None:
    with evening.database.transaction() as connection:
        persona = create(connection, "Skeptic", parameters={"temperature": 0.2})
        changed = change(connection, persona, instructions="Be kind.")
        wish = Ask(LOCAL_USER, evening.world.post_id, persona.id, parameters={"temperature": 1.1})
        newest = ask(connection, wish, clock.now()).request
        older = Ask(
            LOCAL_USER, evening.world.post_id, persona.id, is_another=True, persona_version_id=persona.version.id
        )
        assert ask(connection, older, clock.now()).request.persona_version_id == persona.version.id
        with pytest.raises(Invalid):
            ask(connection, Ask(LOCAL_USER, evening.world.post_id, persona.id, persona_version_id=1), clock.now())
    assert newest.persona_version_id == changed.version.id
    assert newest.parameters["temperature"] == 1.1
