"""Parameters: what is taken, what is refused with which words, and which ones hold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forllm_server.errors import Invalid
from forllm_server.personas.parameters import PARAMETER_NAMES, clean_parameters, merge


def test_everything_within_its_limits_is_taken() -> None:
    whole = {
        "temperature": 0.7,
        "top_p": 1.0,
        "max_tokens": 131_072,
        "context_tokens": 256,
        "seed": 42,
        "stop": ["###", "\n\n"],
        "repetition_guard": False,
        "ambient": "nearest",
        "takes_summaries": False,
        "extra": {"top_k": 40, "nested": {"mirostat": [1, 2.5, None]}},
    }
    assert clean_parameters(whole) == whole
    assert tuple(whole) == PARAMETER_NAMES


def test_what_is_not_set_is_left_out() -> None:
    assert clean_parameters({"temperature": None, "seed": None, "stop": [], "extra": {}}) == {}


def test_zero_is_a_value() -> None:
    assert clean_parameters({"temperature": 0, "top_p": 0, "seed": 0}) == {"temperature": 0.0, "top_p": 0.0, "seed": 0}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1), ("temperature", 2.1), ("temperature", "0.5"), ("temperature", True),
        ("temperature", float("nan")), ("temperature", float("inf")), ("temperature", 10**400),
        ("top_p", 1.01), ("top_p", [1]),
        ("max_tokens", 0), ("max_tokens", 131_073), ("max_tokens", 1.5), ("max_tokens", True),
        ("context_tokens", 255), ("context_tokens", 1_048_577),
        ("seed", 2**63), ("seed", -2), ("seed", "42"),
        ("stop", "###"), ("stop", ["x"] * 9), ("stop", ["x" * 201]), ("stop", [""]), ("stop", [1]), ("stop", ["\x00"]),
        ("extra", []), ("extra", "{}"), ("extra", {"a": float("nan")}), ("extra", {"a": "x" * 10_000}),
        ("extra", {"a": object()}), ("extra", {"a": "\x00"}), ("extra", {"a": "\ud800"}),
    ],
)  # fmt: skip
def test_anything_else_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        clean_parameters({name: value})
    assert refused.value.field == name
    assert name in refused.value.message


def test_an_unknown_name_is_refused_and_told_where_it_may_go() -> None:
    with pytest.raises(Invalid, match="extra") as refused:
        clean_parameters({"temperature": 1, "top_k": 40})
    assert refused.value.field == "top_k"


@given(st.dictionaries(st.text(max_size=8) | st.sampled_from(PARAMETER_NAMES), st.from_type(object) | st.floats()))
def test_whatever_comes_is_taken_or_refused_in_words(given_parameters: dict[str, Any]) -> None:
    try:
        cleaned = clean_parameters(given_parameters)
    except Invalid:
        cleaned = {}
    assert clean_parameters(cleaned) == cleaned


def test_later_parameters_win_where_they_say_something() -> None:
    defaults = {"temperature": 0.8, "max_tokens": 1024, "extra": {"top_k": 40, "min_p": 0.1}}
    persona = {"temperature": 0.2, "max_tokens": None, "extra": {"top_k": 5}}
    assert merge(defaults, persona, {"seed": 7}) == {
        "temperature": 0.2,
        "max_tokens": 1024,
        "extra": {"top_k": 5, "min_p": 0.1},
        "seed": 7,
    }
    assert defaults["extra"] == {"top_k": 40, "min_p": 0.1}
