"""What a judge is asked about an answer, and how strictly its own is read."""

import pytest

from forllm_server.batches.judging import read_verdict, verdict_prompt
from forllm_server.batches.model import Verdict


@pytest.mark.parametrize(
    ("said", "verdict"),
    [("pass", Verdict.PASS), ("**Pass.**", Verdict.PASS), (" FAIL\n", Verdict.FAIL), ("`fail`", Verdict.FAIL)],
)
def test_one_of_two_words_is_a_verdict(said: str, verdict: Verdict) -> None:
    assert read_verdict(said) == (verdict, "")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Pass, I would say.", "“Pass, I would say.”"),
        ("pass fail", "“pass fail”"),
        ("It does not fail.", "“It does not fail.”"),
        ("passed", "“passed”"),
        (" \n", "the judge said nothing"),
        ("word " * 100, "“" + "word " * 23 + "word…”"),
    ],
)
def test_prose_is_neither_a_pass_nor_a_fail_and_is_quoted(said: str, shown: str) -> None:
    assert read_verdict(said) == (Verdict.UNREADABLE, shown)


def test_the_judge_sees_rubric_question_and_the_whole_answer() -> None:
    prompt = verdict_prompt("Names a river.", "Which river?", "The Mur.\n" * 500)
    assert prompt.index("<rubric>\nNames a river.") < prompt.index("<question>\nWhich river?") < prompt.index("The Mur")
    assert prompt.count("The Mur.") == 500
    assert prompt.endswith("pass or fail.")
