"""Version 1 of a persona against its version 2 over ten topics: asked, killed in the middle, voted on, reported."""

import csv
import io
import re
from typing import Any

import pytest

from tests.acceptance.stage import Stage, end_in_order
from tests.support.processes import ForllmProcess, wait_for
from tests.support.scripted_server import Script

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

TOPICS = 10
SHORT = ("Loam", *[" bed"] * 10)
LONG = ("Loam", *[" and sand"] * 12)


def say(body: dict[str, Any]) -> Script:
    """What a version of the gardener says about a topic; the second one takes its time."""
    instructions = body["messages"][0]["content"]
    asked = [turn["content"] for turn in body["messages"] if turn["role"] == "user"]
    assert len(asked) == 1, f"the old answer is no part of the question: {asked}"
    number = re.findall(r"Question (\d+)", asked[0])[-1]
    is_second = "second" in instructions
    words = LONG if is_second else SHORT
    return Script(tokens=(*words, f" {number}"), delay=0.1 if is_second else 0.02)


def read(serve: ForllmProcess, experiment_id: int) -> Any:
    return serve.api("GET", f"experiments/{experiment_id}")


def test_version_one_against_version_two_over_ten_topics(stage: Stage) -> None:
    stage.models.answer = say
    serve = stage.serve()
    persona = serve.api("POST", "personas", {"name": "Gardener", "instructions": "You are the first."})
    asked = [stage.ask(serve, persona_id=persona["id"]) for _ in range(TOPICS)]
    for each in asked:
        stage.wait_for_status(serve, each, "succeeded")
    second = {"name": "Gardener", "instructions": "You are the second.", "expected_version": 1}
    changed = serve.api("PUT", f"personas/{persona['id']}", second)
    made = serve.api(
        "POST",
        "experiments",
        {"old_persona_version_id": persona["version_id"], "persona_version_id": changed["version_id"]},
    )
    assert (made["pair_count"], made["state"]) == (TOPICS, "draft")
    assert re.match(r"adds 10 replies, about .+ on this machine, done by", made["estimate"])
    serve.api("POST", f"experiments/{made['id']}/start", {"is_run_now": True})
    wait_for(lambda: read(serve, made["id"])["progress"]["answered"] >= 3, "three new answers", serve.words)
    serve.process.kill()
    serve.wait()

    again = stage.serve()
    assert read(again, made["id"])["progress"]["answered"] < TOPICS
    wait_for(
        lambda: read(again, made["id"])["finished_at"],
        "the experiment to be finished",
        lambda: str(read(again, made["id"])["progress"]),
        seconds=55,
    )
    for each in asked:
        assert again.api("GET", f"topics/{each.topic_id}")["post_count"] == 2, "no topic is cluttered"
    pairs = again.api("GET", f"experiments/{made['id']}/pairs")["items"]
    for number, pair in enumerate(pairs, 1):
        texts = {pair[side]["text"]: side for side in ("left", "right")}
        old, new = "".join((*SHORT, f" {number}")), "".join((*LONG, f" {number}"))
        assert set(texts) == {old, new}
        # Seven for the longer one, two against it, one tie.
        wanted = texts[new] if number <= 7 else texts[old]
        vote = {"choice": "tie" if number == TOPICS else wanted}
        again.api("PUT", f"experiments/{made['id']}/pairs/{number}/vote", vote)
    report = read(again, made["id"])["report"]
    assert (report["won"], report["lost"], report["ties"], report["bad"]) == (7, 2, 1, 0)
    # By hand, from Wilson's formula for 7 of 9.
    assert (round(report["low"], 3), round(report["high"], 3)) == (0.453, 0.937)
    assert report["verdict"].startswith("Not told yet")
    assert (report["old"]["tokens"], report["new"]["tokens"]) == (12.0, 14.0)
    rows = list(csv.DictReader(io.StringIO(again.page(f"/experiments/{made['id']}/export?format=csv"))))
    assert [row["vote"] for row in rows] == ["new"] * 7 + ["old"] * 2 + ["tie"]
    assert {row["new_persona"] for row in rows} == {"Gardener v2"}
    end_in_order(again)
