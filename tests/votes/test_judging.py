"""What a judge's answer counts for."""

import pytest

from forllm_server.votes.judging import judge_prompt, read_verdict
from forllm_server.votes.model import Choice


@pytest.mark.parametrize(
    ("answer", "choice"),
    [("A", Choice.LOW), (" **B**.\n", Choice.HIGH), ("tie", Choice.TIE), ("Tie.", Choice.TIE), ('"a"', Choice.LOW)],
)
def test_a_word_is_a_vote(answer: str, choice: Choice) -> None:
    assert read_verdict(answer, is_low_first=True) == (choice, "")


def test_the_letters_mean_the_other_replies_in_the_other_order() -> None:
    assert read_verdict("A", is_low_first=False) == (Choice.HIGH, "")
    assert read_verdict("B", is_low_first=False) == (Choice.LOW, "")
    assert read_verdict("tie", is_low_first=False) == (Choice.TIE, "")


@pytest.mark.parametrize("answer", ["A is better because it is longer.", "Answer: A", "A B", "C", "AB", "tied", "1"])
def test_prose_is_no_vote_and_it_is_told_why(answer: str) -> None:
    choice, reason = read_verdict(answer, is_low_first=True)
    assert choice is Choice.NONE
    assert answer in reason


def test_silence_is_no_vote() -> None:
    assert read_verdict(" \n", is_low_first=True) == (Choice.NONE, "The judge said nothing.")
    assert len(read_verdict("word " * 5000, is_low_first=True)[1]) < 200


def test_the_answers_stand_whole_in_the_prompt() -> None:
    prompt = judge_prompt("Which?", "x" * 9000, "y")
    assert "x" * 9000 in prompt
    assert prompt.endswith("A, B or tie.")
