"""Gaps in instructions: filled with what is known, with words that fit where it is not, and never twice."""

from datetime import date

import pytest

from forllm_server.prompts.placeholders import PLACEHOLDERS, fill_in, has_placeholder

SUNDAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ("Today is {{weekday}}, {{date}}.", "Today is Sunday, 2026-11-22."),
        ("You are {{ persona }} in {{subforum}}.", "You are Skeptic in Optics."),
        ("Stay with {{topic}}: {{topic}}.", "Stay with Mirrors: Mirrors."),
        ("Write {{name}}, {date} and {{ }} as they are.", "Write {{name}}, {date} and {{ }} as they are."),
        ("{{DATE}}", "{{DATE}}"),
        ("", ""),
    ],
)
def test_what_is_known_is_filled_in_and_the_rest_stays(instructions: str, expected: str) -> None:
    filled = fill_in(instructions, today=SUNDAY, persona="Skeptic", subforum="Optics", topic="Mirrors")
    assert filled == expected
    assert has_placeholder(instructions) == (filled != instructions)


def test_a_place_that_is_not_told_is_called_this_one() -> None:
    filled = fill_in("{{topic}} of {{subforum}}", today=SUNDAY, persona="Skeptic")
    assert filled == "this topic of this subforum"


def test_a_name_that_looks_like_a_placeholder_is_a_name() -> None:
    filled = fill_in("{{topic}}, {{persona}}", today=SUNDAY, persona=r"\1 {{date}}", topic="{{persona}}")
    assert filled == r"{{persona}}, \1 {{date}}"


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_each_has_a_name_that_is_filled_in(name: str) -> None:
    assert fill_in(f"{{{{{name}}}}}", today=SUNDAY, persona="Skeptic")[:2] != "{{"
