"""Every way a server goes wrong, and what must stand in the queue and in the thread afterwards."""

import pytest

from forllm_server import clock
from forllm_server.queue.model import Status
from forllm_server.settings.values import change_settings
from tests.jobs.conftest import Evening
from tests.support.faults import FAULTS, SECRET, End, Fault
from tests.support.scripted_server import Script

HERE = [fault for fault in FAULTS if "llama_cpp" in fault.protocols]


def cases() -> list[object]:
    return [pytest.param(fault, id=fault.name, marks=[pytest.mark.slow] if fault.is_silent else []) for fault in HERE]


@pytest.mark.parametrize("fault", cases())
def test_a_fault_never_becomes_a_reply_and_never_loses_the_question(evening: Evening, fault: Fault) -> None:
    if fault.is_silent:
        with evening.database.transaction() as connection:
            change_settings(connection, {"silence_seconds": 5}, clock.now())
    evening.server.script(Script(write=fault.play))
    asked = evening.ask()
    assert evening.run()
    request = evening.get(asked)
    replies = evening.posts()[1:]
    if fault.end is End.SUCCESS:
        assert request.status is Status.SUCCEEDED, request.cause_detail
        # A post has one kind of line end; all else is as the model sent it.
        assert [reply.content for reply in replies] == [fault.text.replace("\r\n", "\n")]
        assert replies[0].finish_reason == fault.finish_reason
        return
    assert replies == []
    assert SECRET not in (request.cause_detail or "")
    assert (request.cause_detail or "").strip(), "every failure says what is wrong"
    if fault.end in (End.RETRY, End.WAIT):
        assert request.status is Status.WAITING
        assert request.due_at is not None
    elif fault.end in (End.PERMANENT, End.CUT):
        assert request.status is Status.FAILED
    else:
        assert request.status in (Status.FAILED, Status.WAITING)


def test_the_next_attempt_after_a_fault_gives_exactly_one_reply(evening: Evening) -> None:
    cut = next(fault for fault in HERE if fault.name == "rst_mid_stream")
    evening.server.script(Script(write=cut.play), Script(tokens=("Whole", ".")))
    asked = evening.ask()
    evening.run()
    evening.change("llm_requests", asked.request.id, status="queued", due_at=None)
    evening.run()
    assert [reply.content for reply in evening.posts()[1:]] == ["Whole."]
    assert evening.get(asked).status is Status.SUCCEEDED


def test_a_nul_in_a_models_text_is_shown_as_what_it_is_and_loses_nothing(evening: Evening) -> None:
    evening.server.script(Script(tokens=("a\x00b", " c")))
    evening.ask()
    evening.run()
    assert [reply.content for reply in evening.posts()[1:]] == ["a\N{REPLACEMENT CHARACTER}b c"]
