"""The checks of answers, and regular expressions that take for ever."""

import time

import pytest

from forllm_server.batches.checks import failed_of, new_check
from forllm_server.batches.matching import match_all
from forllm_server.errors import Invalid

FENCED = '```json\n{"name": "Ada", "age": 36, "is_dead": true}\n```'


@pytest.mark.parametrize(
    ("kind", "value", "text", "passes"),
    [
        ("contains", "Yes", "oh yes.", True),
        ("contains", "yes", "no", False),
        ("lacks", "sorry", "SORRY", False),
        ("lacks", "sorry", "fine", True),
        ("least", "3", " ab ", False),
        ("most", "3", " abc ", True),
        ("json", "", "[1]", True),
        ("json", "", "Here: [1]", False),
        ("json", "", "NaN", False),
        ("json", "", FENCED, True),
        ("json", "name:string, age:integer", FENCED, True),
        ("json", "is_dead:number", FENCED, False),
        ("json", "town", FENCED, False),
        ("json", "name", "[]", False),
    ],
)
def test_checks(kind: str, value: str, text: str, passes: bool) -> None:
    check = new_check(kind, value)
    assert failed_of([check], text, {}) == (() if passes else (check.words,))


@pytest.mark.parametrize(
    ("kind", "value"),
    [("matches", "("), ("matches", ""), ("contains", " "), ("json", "age:date"), ("least", "-1"), ("size", "1")],
)
def test_checks_that_make_no_sense_are_refused(kind: str, value: str) -> None:
    with pytest.raises(Invalid) as caught:
        new_check(kind, value)
    assert caught.value.field == "checks"


def test_expressions_find_something_or_not() -> None:
    assert match_all(r"\bé\d+", ["é12", "e12", ""]) == [True, False, False]


@pytest.mark.slow
def test_an_expression_that_takes_for_ever_is_ended_and_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forllm_server.batches.matching.TIMEOUT_SECONDS", 0.5)
    evil = "a" * 40 + "b"
    started = time.monotonic()
    assert match_all(r"(a+)+$", ["aa", evil, "aa", evil, "aa"]) == [True, None, True, None, None]
    assert time.monotonic() - started < 5
    check = new_check("matches", "(a+)+$")
    assert failed_of([check], evil, {check.value: None}) == ("matches “(a+)+$”: took too long to say",)
