"""A persona by a model is written through whatever kills the process in either of its steps, and between them."""

import json
import signal
from typing import Any

import pytest

from tests.acceptance.stage import Stage, end_in_order
from tests.support.processes import ForllmProcess, wait_for
from tests.support.scripted_server import Script

pytestmark = pytest.mark.slow

TEXT = "You are a careful reader of storage questions. You ask for the numbers before you answer."
ANSWER = json.dumps({"name": "Rosa", "description": "Asks back.", "instructions": TEXT})


def look(serve: ForllmProcess, draft_id: int) -> Any:
    return serve.api("GET", f"persona-drafts/{draft_id}")


@pytest.mark.thorough
def test_a_draft_survives_kill_in_each_step(stage: Stage) -> None:
    stage.models.answer = lambda body: Script(tokens=(ANSWER,) if "<notes>" in str(body) else ("Some", " notes."))
    serve = stage.serve()
    stage.models.gate.clear()
    stage.models.asked.clear()
    wish = {"description": "Somebody who knows disks.", "model_id": stage.model_id, "run_now": True}
    draft_id = serve.api("POST", "persona-drafts", wish)["items"][0]["id"]
    assert stage.models.asked.wait(20)
    serve.end(signal.SIGKILL)

    stage.models.gate.set()
    serve = stage.serve()
    # As soon as the second step is there: it may not have begun.
    wait_for(lambda: len(look(serve, draft_id)["llm_request_ids"]) == 2, "the second step", serve.words)
    serve.end(signal.SIGKILL)

    serve = stage.serve()
    wait_for(lambda: look(serve, draft_id)["status"] == "written", "the draft to be written", serve.words)
    found = look(serve, draft_id)
    assert (found["name"], found["instructions"], found["answer"]) == ("Rosa", TEXT, ANSWER)
    everything = serve.api("GET", "llm-requests?limit=200")["items"]
    assert [each["id"] for each in everything if each["kind"] == "persona_draft"] == found["llm_request_ids"][::-1]
    end_in_order(serve)
