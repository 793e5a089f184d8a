"""A debate cut by its cap and by kill -9, and a council, in real processes: every turn once, nothing by itself."""

import re
from typing import Any

import pytest

from tests.acceptance.stage import Stage, end_in_order
from tests.support.processes import ForllmProcess, wait_for
from tests.support.scripted_server import Script

pytestmark = [pytest.mark.slow]

WORDS_A_TURN = 40
#: Enough for four turns and a half; how many tokens a resumed beginning has is an estimate.
CAP = 180


def say(body: dict[str, Any]) -> Script:
    """What turn it is and as whom, in so many tokens, with names of others in it; or a ranking, the last time prose."""
    prompt = str(body["messages"][-1]["content"])
    if "Rank them" in prompt:
        letters = re.findall(r"^<answer-([a-z])>$", prompt, re.MULTILINE)
        is_prose = "You are Poet. You are Poet." in prompt
        return Script(tokens=("All of them are nice.",) if is_prose else (" > ".join(letters).upper(),))
    turn = re.search(r"This is turn (\d+)", prompt)
    cited = re.findall(r"<answer-(\d+)", prompt)
    if turn:
        return Script(tokens=turn_tokens(int(turn[1])), delay=0.03)
    return Script(tokens=(f"As #{cited[0]} says:" if cited else "Said alone:", " so it is."))


def turn_tokens(number: int) -> tuple[str, ...]:
    """What is said in a turn."""
    words = (f" word{place}" for place in range(WORDS_A_TURN - 3))
    return (f"Turn {number}:", " @skeptic>@poet", *words, " end.")


def personas(serve: ForllmProcess, *names: str) -> dict[str, int]:
    new = [serve.api("POST", "personas", {"name": name, "instructions": f"You are {name}."}) for name in names]
    return {each["name"]: each["id"] for each in new}


def posts_of(serve: ForllmProcess, topic_id: int) -> list[Any]:
    return [post for post in serve.api("GET", f"topics/{topic_id}/posts")["items"] if post["author_kind"] == "persona"]


def ended(serve: ForllmProcess, discussion_id: int) -> Any:
    def seen() -> Any:
        found = serve.api("GET", f"discussions/{discussion_id}")
        return found if found["ended_at"] else None

    return wait_for(seen, "the end of it", serve.words)


def open_topic(serve: ForllmProcess, stage: Stage) -> Any:
    new = {"title": "Is a mirror a backup?", "content": "Well?", "ask": []}
    return serve.api("POST", f"subforums/{stage.subforum_id}/topics", new)


def test_a_debate_cut_by_its_cap_survives_a_kill_with_every_turn_once(stage: Stage) -> None:
    stage.models.answer = say
    serve = stage.serve()
    ids = personas(serve, "Skeptic", "Poet")
    topic = open_topic(serve, stage)
    seats = [{"persona_id": ids["Skeptic"], "role": "for"}, {"persona_id": ids["Poet"], "role": "against"}]
    wish = {"kind": "debate", "seats": seats, "closer": seats[0], "max_turns": 9, "max_tokens": CAP}
    debate = serve.api("POST", f"posts/{topic['first_post']['id']}/discussions", wish | {"is_run_now": True})
    wait_for(lambda: len(posts_of(serve, topic["id"])) == 2, "two turns", serve.words)
    serve.process.kill()
    serve.wait()

    again = stage.serve()
    found = ended(again, debate["id"])
    said = posts_of(again, topic["id"])
    assert found["ending"] == "tokens"
    turns = [step for step in found["steps"] if step["kind"] == "turn"]
    assert 4 <= len(turns) < 9
    assert [step["kind"] for step in found["steps"]] == ["turn"] * len(turns) + ["summary"]
    # Every turn once, in turns, whole to its last word: also the one that the kill fell into.
    assert [post["content"].split(":")[0] for post in said[:-1]] == [
        f"Turn {number + 1}" for number in range(len(turns))
    ]
    assert [post["author"] for post in said[:3]] == ["Skeptic", "Poet", "Skeptic"]
    assert [post["content"] for post in said[:3]] == ["".join(turn_tokens(number)) for number in (1, 2, 3)]
    assert sum(step["output_tokens"] for step in turns) <= CAP + WORDS_A_TURN
    # The names in what they said have called nobody.
    assert len(again.api("GET", f"llm-requests?topic_id={topic['id']}")["items"]) == len(turns) + 1
    end_in_order(again)


def test_a_council_ranks_leaves_prose_out_and_answers(stage: Stage) -> None:
    stage.models.answer = say
    serve = stage.serve()
    ids = personas(serve, "Skeptic", "Poet", "Teacher", "Chair")
    topic = open_topic(serve, stage)
    seats = [{"persona_id": ids[name]} for name in ("Skeptic", "Poet", "Teacher")]
    wish = {"kind": "council", "seats": seats, "closer": {"persona_id": ids["Chair"]}, "is_run_now": True}
    council = serve.api("POST", f"posts/{topic['first_post']['id']}/discussions", wish)
    found = ended(serve, council["id"])
    assert found["ending"] == "answered"
    kinds = [step["kind"] for step in found["steps"]]
    # The poet is asked twice for its ranking.
    assert (kinds.count("opinion"), kinds.count("ranking"), kinds.count("answer")) == (3, 4, 1)
    unread = [step for step in found["steps"] if step["kind"] == "ranking" and step["ranked"] is None]
    assert [step["seat"] for step in unread] == [1, 1]
    assert all("All of them are nice." in step["reason"] for step in unread)
    assert sorted(each["seat"] for each in found["ranking"]) == [0, 1, 2]
    answer = posts_of(serve, topic["id"])[-1]
    assert answer["author"] == "Chair"
    assert answer["content"].startswith("As #")
    assert "Poet’s ranking:" in serve.page(f"/topics/{topic['id']}")
    end_in_order(serve)
