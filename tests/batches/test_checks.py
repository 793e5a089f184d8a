"""The checks of answers, and regular expressions and schemas that take for ever."""

import json
import time

import pytest

from forllm_server.batches.checks import bare_json, failed_of, new_check
from forllm_server.batches.fitting import TOO_LONG, faults_of
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
    [
        ("matches", "("),
        ("matches", ""),
        ("contains", " "),
        ("json", "age:date"),
        ("json", '{"type": "object"}'),
        ("least", "-1"),
        ("size", "1"),
        ("schema", ""),
        ("schema", "{"),
        ("schema", "[1]"),
        ("schema", json.dumps({"title": "x" * 20_000})),
        ("schema", '{"items":' * 100 + "{}" + "}" * 100),
    ],
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
    assert failed_of([check], evil, {check: TOO_LONG}) == ("matches “(a+)+$”: took too long to say",)


SCHEMA = json.dumps(
    {
        "title": "Person",
        "type": "object",
        "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "age": {"$ref": "#/$defs/age"}},
        "required": ["name"],
        "$defs": {"age": {"type": "integer", "maximum": 150}},
    }
)


def test_answers_are_held_against_a_schema_and_the_first_fault_is_told() -> None:
    check = new_check("schema", SCHEMA)
    texts = [bare_json(text) for text in (FENCED, '{"name": "Ada", "age": 200}', "{}", "Here: {}", '{"name": NaN}')]
    faults = faults_of(check.value, [*texts, '"' + "x" * 200_000 + '"'])
    assert faults == [
        None,
        "at age: 200 is greater than the maximum of 150",
        '"name" is a required property',
        "it is no JSON",
        "it is no JSON",
        "it is too long to be looked at",
    ]
    words = ("fits the JSON Schema “Person”: it is no JSON",)
    assert failed_of([check], "Here: {}", {check: faults[3]}) == words
    assert failed_of([check], FENCED, {check: None}) == ()


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "http://127.0.0.1:9/person.json"}, "cannot fetch"),
        ({"$ref": "file:///etc/hostname"}, "cannot fetch"),
        ({"$ref": "#/nowhere"}, "does not exist"),
        ({"$schema": "https://example.com/own"}, "Unknown meta-schema"),
        ({"pattern": "(?=a)b"}, "is not a"),
        ({"pattern": "(a{1000}){1000}"}, "is not a"),
        ({"type": "nonsense"}, "is not valid"),
    ],
)
@pytest.mark.slow
def test_a_schema_that_leads_elsewhere_or_is_none_is_refused(schema: dict[str, str], words: str) -> None:
    with pytest.raises(Invalid, match=words) as caught:
        new_check("schema", json.dumps(schema))
    assert caught.value.field == "checks"


@pytest.mark.slow
def test_a_schema_that_takes_for_ever_is_ended_and_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = {
        f"s{step}": {"items": {"allOf": [{"$ref": f"#/$defs/s{step + 1}"}, {"$ref": f"#/$defs/s{step + 1}"}]}}
        for step in range(50)
    }
    endless = json.dumps({"$defs": steps | {"s50": {"type": "array"}}, "$ref": "#/$defs/s0"})
    check = new_check("schema", endless)
    monkeypatch.setattr("forllm_server.batches.fitting.TIMEOUT_SECONDS", 1.0)
    started = time.monotonic()
    evil = "[" * 60 + "]" * 60
    assert faults_of(endless, ["1", evil, "2", evil, "3"]) == [None, TOO_LONG, None, TOO_LONG, TOO_LONG]
    assert time.monotonic() - started < 10
    assert check.words == "fits the JSON Schema"
    linear = json.dumps({"pattern": "(a+)+$"})
    assert faults_of(linear, [json.dumps("a" * 10_000 + "b")])[0] != TOO_LONG
