"""A table through the night: two personas, two models, killed in the middle, downloaded in the morning."""

import csv
import io
import re
from typing import Any

import pytest

from tests.acceptance.stage import Stage, end_in_order
from tests.support.processes import ForllmProcess, wait_for
from tests.support.scripted_server import Script, ScriptedServer

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

LINES = 100
TABLE = "number,word\n" + "".join(f'{number},"word, {number}"\n' for number in range(1, LINES + 1))


def say(body: dict[str, Any]) -> Script:
    """The number asked about, and nothing else: each line is asked alone."""
    asked = [turn["content"] for turn in body["messages"] if turn["role"] == "user"]
    assert len(asked) == 1, asked
    found = re.fullmatch(r"What is (\d+) \(word, \1\)\?", asked[0])
    assert found, asked
    return Script(tokens=("=", found[1]))


def progress_of(serve: ForllmProcess, batch_id: int) -> Any:
    return serve.api("GET", f"batches/{batch_id}")["progress"]


def add_backend(serve: ForllmProcess, server: ScriptedServer) -> int:
    """A second model server; its model's id."""
    new = {"name": "Attic", "kind": "ollama", "base_url": server.url, "concurrency": 1}
    backend_id = serve.api("POST", "backends", new)["id"]
    serve.api("POST", f"backends/{backend_id}/probe")
    models = serve.api("GET", "models")["items"]
    return int(next(item["id"] for item in models if item["backend_id"] == backend_id))


def test_a_table_over_two_personas_and_two_models_survives_a_kill_and_is_downloaded(stage: Stage) -> None:
    stage.models.answer = say
    with ScriptedServer("ollama", models=("other",), answer=say) as attic:
        serve = stage.serve()
        other_id = add_backend(serve, attic)
        critic = serve.api("POST", "personas", {"name": "Critic", "instructions": "Find what is wrong."})
        batch = serve.api(
            "POST",
            "batches",
            {
                "title": "Numbers",
                "subforum_id": stage.subforum_id,
                "text": TABLE,
                "format": "csv",
                "template": "What is {{number}} ({{word}})?",
                "persona_ids": [1, critic["id"]],
                "model_ids": [stage.model_id, other_id],
                "checks": [{"kind": "matches", "value": "^=[0-9]+$"}],
                "is_run_now": True,
            },
        )
        wait_for(lambda: progress_of(serve, batch["id"])["answered"] >= 40, "40 answers", serve.words)
        serve.process.kill()
        serve.wait()

        again = stage.serve()
        assert progress_of(again, batch["id"])["answered"] < 4 * LINES
        wait_for(
            lambda: again.api("GET", f"batches/{batch['id']}")["finished_at"],
            "the batch to be finished",
            lambda: str(progress_of(again, batch["id"])),
            seconds=55,
        )
        assert progress_of(again, batch["id"]) | {"answered": 400, "failed_checks": 0} == progress_of(
            again, batch["id"]
        )
        text = again.page(f"/batches/{batch['id']}/export?format=csv")
        rows = list(csv.reader(io.StringIO(text)))
        assert len(rows) == LINES + 1
        for number, row in enumerate(rows[1:], 1):
            answer = [f"'={number}", "succeeded", "passed"]
            assert row == [str(number), str(number), f"word, {number}", *answer * 4]
        topic = again.api("GET", f"topics/{batch['topic_id']}")
        # the first post, a post for each line, and exactly one answer for each cell
        assert topic["post_count"] == 1 + LINES + 4 * LINES
        end_in_order(again)
