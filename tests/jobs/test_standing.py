"""The words that tell where an LLM request stands."""

from datetime import timedelta

from forllm_server import clock
from forllm_server.jobs.asking import Asked
from forllm_server.jobs.forecast import forecast
from forllm_server.jobs.standing import Standing, list_standings, place_words
from forllm_server.queue import backend_state_store, control
from forllm_server.schedule.planning import add_window, new_window
from forllm_server.schedule.windows import DAYS
from tests.jobs.conftest import Evening
from tests.support.faults import FAULTS
from tests.support.scripted_server import Script
from tests.support.world import LOCAL_USER, insert_model


def standing(evening: Evening, asked: Asked) -> Standing:
    with evening.database.read() as connection:
        return list_standings(connection, [evening.get(asked)], clock.now())[asked.request.id]


def test_places_in_line_are_counted_as_people_count() -> None:
    words = [place_words(place) for place in (1, 2, 3, 4, 11, 12, 21, 102, 1113, None)]
    assert words == [
        "next in line",
        "2nd in line",
        "3rd in line",
        "4th in line",
        "11th in line",
        "12th in line",
        "21st in line",
        "102nd in line",
        "1,113th in line",
        "in line",
    ]


def test_the_next_one_is_told_what_it_waits_for(evening: Evening) -> None:
    first, second = evening.ask(), evening.ask(is_another=True)
    assert standing(evening, first).label == "next in line"
    assert standing(evening, second).position == 2


def test_outside_the_hours_the_next_opening_is_said(evening: Evening) -> None:
    now = clock.now()
    minute = (now.hour * 60 + now.minute + 120) % 1440
    window = new_window(days=list(DAYS), start_minute=minute, end_minute=(minute + 60) % 1440, timezone="UTC")
    with evening.database.transaction() as connection:
        add_window(connection, window, owner_id=LOCAL_USER, now=now)
    asked = evening.ask()
    assert not evening.run()
    told = standing(evening, asked)
    assert told.cause == "window_closed"
    assert told.sentence.startswith("Window opens ")
    assert told.next_at is not None
    with evening.database.transaction() as connection:
        control.run_llm_request_now(connection, asked.request.id, now)
    assert standing(evening, asked).label == "next in line"


def test_a_backend_that_is_down_is_named_with_its_next_try(evening: Evening) -> None:
    asked = evening.ask()
    now = clock.now()
    with evening.database.transaction() as connection:
        backend_id = evening.world.backend_id
        backend_state_store.insert_failure(connection, backend_id, error="It refused.", now=now)
        backend_state_store.update_open_until(connection, backend_id, open_until=now + timedelta(minutes=5))
    told = standing(evening, asked)
    assert told.cause == "backend_down"
    assert "Desk cannot be reached; next try" in told.sentence
    assert "It refused." in told.sentence


def test_a_disabled_backend_is_a_matter_for_a_person(evening: Evening) -> None:
    asked = evening.ask()
    evening.change("backends", evening.world.backend_id, is_enabled=False)
    told = standing(evening, asked)
    assert told.needs_person
    assert "disabled" in told.sentence


def test_a_server_that_is_gone_leaves_the_request_waiting_with_its_cause(evening: Evening) -> None:
    asked = evening.ask()
    evening.server.close()
    evening.run()
    told = standing(evening, asked)
    assert told.cause == "backend_down"
    assert "Next try" in told.sentence
    assert evening.get(asked).attempts == 0


def test_a_cut_answer_says_which_attempt_failed_and_when_the_next_one_is(evening: Evening) -> None:
    cut = next(fault for fault in FAULTS if fault.name == "eof_without_done")
    evening.server.script(Script(write=cut.play))
    asked = evening.ask()
    evening.run()
    told = standing(evening, asked)
    assert told.sentence.startswith("Attempt 1 of 3 failed: ")
    assert "Next try" in told.sentence


def test_failed_cancelled_and_answered_have_their_words(evening: Evening) -> None:
    asked = evening.ask()
    with evening.database.transaction() as connection:
        control.hold_llm_request(connection, asked.request.id)
    assert standing(evening, asked).label == "on hold"
    with evening.database.transaction() as connection:
        control.cancel_llm_request(connection, asked.request.id, clock.now())
    assert standing(evening, asked).label == "cancelled"
    with evening.database.transaction() as connection:
        control.retry_llm_request(connection, asked.request.id, clock.now())
    evening.run()
    assert standing(evening, asked).label == "answered"


def test_the_places_told_are_those_of_the_plan(evening: Evening) -> None:
    with evening.database.transaction() as connection:
        other_model = insert_model(connection, evening.world.backend_id, clock.now(), name="llama3.1:8b")
    models = [other_model, evening.world.model_id] * 3
    asked = [evening.ask(model_id=model_id, is_another=True) for model_id in models]
    with evening.database.read() as connection:
        standings = list_standings(connection, [evening.get(each) for each in asked], clock.now())
        planned = [placed.id for placed in forecast(connection, clock.now()).plan]
    assert [standings[each].position for each in planned] == [1, 2, 3, 4, 5, 6]
    assert planned != sorted(planned)
