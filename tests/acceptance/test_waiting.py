"""What waits says why, and goes on by itself; what a person decides meanwhile holds."""

import time

import pytest

from tests.acceptance.stage import Stage
from tests.support.faults import FAULTS
from tests.support.processes import Refused
from tests.support.scripted_server import Script, ScriptedServer

pytestmark = pytest.mark.slow


def test_outside_the_window_a_request_waits_and_says_so_and_an_opening_runs_it(stage: Stage) -> None:
    serve = stage.serve()
    window_id = stage.close_window(serve)
    asked = stage.ask(serve)
    time.sleep(2)
    found = stage.look(serve, asked)
    assert (found["status"], found["attempts"]) == ("queued", 0)
    assert "Window opens" in serve.page(f"/queue/{asked.llm_request_id}")
    assert "Window opens" in serve.page(f"/topics/{asked.topic_id}")
    assert stage.models.chats == []

    serve.api("DELETE", f"schedule/windows/{window_id}")
    stage.assert_answered_once(serve, asked)


def test_run_now_waits_for_no_window(stage: Stage) -> None:
    serve = stage.serve()
    stage.close_window(serve)
    patient = stage.ask(serve)
    hasty = stage.ask(serve, run_now=True)
    stage.assert_answered_once(serve, hasty)
    assert stage.look(serve, patient)["status"] == "queued"


def test_a_backend_that_is_down_is_waited_for_and_its_return_brings_the_reply(stage: Stage) -> None:
    serve = stage.serve()
    stage.models.close()
    asked = stage.ask(serve)
    found = stage.wait_for_status(serve, asked, "waiting")
    assert (found["cause"], found["attempts"]) == ("backend_down", 0)
    assert found["cause_detail"]
    assert found["due_at"]
    assert "unreachable" in serve.page(f"/topics/{asked.topic_id}")

    # The same address answers again; nobody does anything else.
    stage.models = ScriptedServer("ollama", stage.models.port, models=("scripted",), answer=stage.script_for)
    stage.wait_for_status(serve, asked, "succeeded", seconds=75)
    stage.assert_answered_once(serve, asked)


def test_a_cancel_in_the_middle_stops_the_model_within_seconds_and_keeps_the_text(stage: Stage) -> None:
    stage.tokens, stage.delay_seconds = 2_000, 0.03
    serve = stage.serve()
    asked = stage.ask(serve)
    stage.wait_for_partial(serve, asked)
    serve.api("POST", f"llm-requests/{asked.llm_request_id}/cancellation")
    assert stage.models.hung_up.wait(5), "the model went on"
    found = stage.wait_for_status(serve, asked, "cancelled")
    assert stage.text_of(asked).startswith(found["partial_text"])
    assert found["partial_text"]
    assert stage.replies(serve, asked) == []
    assert stage.models.running == 0


def test_a_cancel_reaches_a_model_that_has_not_said_a_word(stage: Stage) -> None:
    stage.models.gate.clear()
    serve = stage.serve()
    asked = stage.ask(serve)
    assert stage.models.asked.wait(20)
    serve.api("POST", f"llm-requests/{asked.llm_request_id}/cancellation")
    assert stage.models.hung_up.wait(5), "the model went on"
    stage.wait_for_status(serve, asked, "cancelled")
    stage.models.gate.set()
    serve.api("POST", f"llm-requests/{asked.llm_request_id}/retry")
    stage.assert_answered_once(serve, asked)


def test_a_double_click_asks_once_and_a_repeated_call_hears_the_same(stage: Stage) -> None:
    serve = stage.serve()
    stage.close_window(serve)
    asked = stage.ask(serve)
    path, wish = f"posts/{asked.post_id}/llm-requests", {"model_id": stage.model_id}
    assert serve.api("POST", path, wish)["id"] == asked.llm_request_id
    another = serve.api("POST", path, wish | {"another": True}, Idempotency_Key="once")
    assert another["id"] != asked.llm_request_id
    assert serve.api("POST", path, wish | {"another": True}, Idempotency_Key="once")["id"] == another["id"]
    assert len(serve.api("GET", f"llm-requests?topic_id={asked.topic_id}")["items"]) == 2


def test_a_persona_deleted_while_its_request_waits_still_answers_as_it_was(stage: Stage) -> None:
    serve = stage.serve()
    window_id = stage.close_window(serve)
    persona = serve.api("POST", "personas", {"name": "Skeptic", "instructions": "Doubt everything."})
    asked = stage.ask(serve, persona_id=persona["id"])
    serve.api("DELETE", f"personas/{persona['id']}")
    serve.api("DELETE", f"schedule/windows/{window_id}")
    stage.assert_answered_once(serve, asked)
    posts = serve.api("GET", f"topics/{asked.topic_id}/posts")["items"]
    assert posts[-1]["author"] == "Skeptic"
    assert stage.models.chats[-1]["messages"][0]["content"].startswith("Doubt everything.")


def test_a_model_gone_when_its_turn_comes_is_a_visible_error_at_once(stage: Stage) -> None:
    serve = stage.serve()
    window_id = stage.close_window(serve)
    asked = stage.ask(serve)
    missing = next(fault for fault in FAULTS if fault.code == "model_missing" and "ollama" in fault.protocols)
    stage.models.script(Script(write=missing.play))
    serve.api("DELETE", f"schedule/windows/{window_id}")
    found = stage.wait_for_status(serve, asked, "failed")
    assert found["cause"] == "model_gone"
    assert found["error"]
    assert stage.replies(serve, asked) == []
    # It is there again, and a person tries again.
    serve.api("POST", f"llm-requests/{asked.llm_request_id}/retry")
    stage.assert_answered_once(serve, asked)


def test_a_backend_is_not_deleted_while_a_request_waits_unless_that_is_meant(stage: Stage) -> None:
    serve = stage.serve()
    stage.close_window(serve)
    asked = stage.ask(serve)
    with pytest.raises(Refused) as refusal:
        serve.api("DELETE", f"backends/{stage.backend_id}")
    assert refusal.value.status == 409
    assert stage.look(serve, asked)["status"] in ("queued", "waiting")
    serve.api("DELETE", f"backends/{stage.backend_id}?cancel=true")
    assert stage.look(serve, asked)["status"] == "cancelled"
    assert stage.models.chats == []


def test_a_topic_deleted_while_its_request_waits_ends_the_request(stage: Stage) -> None:
    serve = stage.serve()
    window_id = stage.close_window(serve)
    asked = stage.ask(serve)
    serve.api("DELETE", f"topics/{asked.topic_id}")
    serve.api("DELETE", f"schedule/windows/{window_id}")
    assert stage.look(serve, asked)["status"] == "cancelled"
    with pytest.raises(Refused) as refusal:
        serve.api("GET", f"topics/{asked.topic_id}/posts")
    assert refusal.value.status == 404
    assert stage.models.chats == []


def test_a_topic_deleted_in_the_middle_of_an_answer_stops_the_model(stage: Stage) -> None:
    stage.tokens, stage.delay_seconds = 2_000, 0.03
    serve = stage.serve()
    asked = stage.ask(serve)
    stage.wait_for_partial(serve, asked)
    serve.api("DELETE", f"topics/{asked.topic_id}")
    assert stage.models.hung_up.wait(5), "the model went on"
    stage.wait_for_status(serve, asked, "cancelled", "failed")


@pytest.mark.parametrize(
    "name",
    [
        "error_object_200",
        # All of them are played to a worker in tests/jobs/test_faults.py.
        pytest.param("html_200", marks=pytest.mark.thorough),
        pytest.param("eof_without_done", marks=pytest.mark.thorough),
    ],
)
def test_a_false_answer_never_becomes_a_reply(stage: Stage, name: str) -> None:
    faults = {fault.name: fault for fault in FAULTS if "ollama" in fault.protocols}
    fault = faults.get(name) or next(iter(faults.values()))
    serve = stage.serve()
    stage.models.script(Script(write=fault.play))
    asked = stage.ask(serve)
    found = stage.wait_for_status(serve, asked, "waiting", "failed")
    assert found["cause_detail"]
    assert stage.replies(serve, asked) == []
    serve.api("POST", f"llm-requests/{asked.llm_request_id}/retry")
    stage.assert_answered_once(serve, asked)
