"""Marks, hues, bars, comparisons and words: values in, values out."""

from datetime import UTC, datetime, timedelta

import pytest

from forllm_server.pages.bar import bar_parts
from forllm_server.pages.changes import diff_lines
from forllm_server.pages.frame import moment_text
from forllm_server.pages.marks import HUES, hue_class, mark
from forllm_server.pages.words import counted, size_words

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_a_name_has_one_mark_and_one_hue_whatever_its_case() -> None:
    assert mark("Skeptic") == mark("Skeptic")
    assert hue_class("Skeptic") == hue_class("  SKEPTIC ")
    assert mark("Skeptic") != mark("Teacher")
    assert {hue_class(f"n{number}") for number in range(500)} == {f"hue-{number}" for number in range(HUES)}


def test_a_mark_needs_no_inline_style_and_lets_no_name_out() -> None:
    drawing = str(mark('"><script>'))
    assert "style" not in drawing
    assert "script" not in drawing
    assert "hue-" not in mark("You", False)


def test_a_comparison_marks_the_words_that_differ_and_folds_what_does_not() -> None:
    before = "\n".join(f"line {number}" for number in range(20))
    lines = diff_lines(before, before.replace("line 10", "line ten"))
    assert [line.kind for line in lines] == ["gap", "same", "same", "removed", "added", "same", "same", "gap"]
    assert [text for text, is_different in lines[4].pieces if is_different] == ["ten"]
    assert diff_lines("a", "a\nb")[-1].kind == "added"
    assert [line.kind for line in diff_lines("", "a")] == ["added"]


def test_the_parts_of_a_bar_never_exceed_the_whole() -> None:
    parts = bar_parts([("a", 50), ("b", 0), ("c", 150)], 100)
    assert [(part.label, part.start, part.width) for part in parts] == [("a", 0, 25), ("c", 25, 75)]
    assert bar_parts([], 0) == []


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(hours=2), "10:00"), (timedelta(days=1), "yesterday 12:00"), (timedelta(days=3), "Wed 12:00"),
        (timedelta(days=30), "22 Oct 12:00"), (timedelta(days=400), "17 Oct 2025"),
        (-timedelta(days=1), "22 Nov 12:00"),
    ],
)  # fmt: skip
def test_times_are_said_as_short_as_they_are_clear(age: timedelta, words: str) -> None:
    assert moment_text(NOW - age, NOW.date()) == words


def test_numbers_are_said_as_people_say_them() -> None:
    assert (counted(1, "reply", "replies"), counted(2_000, "reply", "replies")) == ("1 reply", "2,000 replies")
    assert (size_words(None), size_words(999), size_words(4_700_000_000)) == ("", "999 B", "4.7 GB")
