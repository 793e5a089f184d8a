"""What changed between two versions of a text."""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forllm_server.markup.diff import Change, DiffPart, diff_texts

SAME, ADDED, REMOVED = Change.SAME, Change.ADDED, Change.REMOVED


def test_a_changed_word_is_found_within_its_line() -> None:
    assert diff_texts("one\ntwo words here\nend\n", "one\ntwo signs here\nend\n") == (
        DiffPart(SAME, "one\ntwo "),
        DiffPart(REMOVED, "words"),
        DiffPart(ADDED, "signs"),
        DiffPart(SAME, " here\nend\n"),
    )


def test_one_word_is_found_in_a_long_paragraph() -> None:
    old = " ".join(f"word{number} and" for number in range(300))
    parts = diff_texts(old, old.replace("word150 ", "other "))
    assert [part for part in parts if part.change is not SAME] == [
        DiffPart(REMOVED, "word150"),
        DiffPart(ADDED, "other"),
    ]


def test_an_added_line_is_added_whole() -> None:
    assert diff_texts("a\nc\n", "a\nb\nc\n") == (DiffPart(SAME, "a\n"), DiffPart(ADDED, "b\n"), DiffPart(SAME, "c\n"))


def test_lines_that_have_nothing_in_common_are_replaced_whole() -> None:
    assert diff_texts("alpha beta gamma", "1-2-3-4-5-6") == (
        DiffPart(REMOVED, "alpha beta gamma"),
        DiffPart(ADDED, "1-2-3-4-5-6"),
    )


def test_equal_and_empty_texts_need_no_change() -> None:
    assert diff_texts("", "") == ()
    assert diff_texts("a\n", "a\n") == (DiffPart(SAME, "a\n"),)
    assert diff_texts("", "a") == (DiffPart(ADDED, "a"),)


_TEXTS = st.lists(st.sampled_from(["a", "b", " ", "\n", "word", "é", "\r\n", "\u2028", "."]), max_size=60).map("".join)


@given(_TEXTS, _TEXTS)
def test_the_parts_give_both_texts_back(old: str, new: str) -> None:
    parts = diff_texts(old, new)
    assert "".join(part.text for part in parts if part.change is not ADDED) == old
    assert "".join(part.text for part in parts if part.change is not REMOVED) == new
    assert all(part.text for part in parts)
    assert all(one.change is not other.change for one, other in itertools.pairwise(parts))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a\nb\n" * 20_000, "b\na\nc\n" * 15_000),
        ("a b " * 30_000, "b a c " * 20_000),
        ("a b\n" * 900, "b a c\n" * 900),
        ("a\n" * 199, "b\na\n" * 2500),
        (" ".join("ab" * 49), " ".join("ba" * 3000)),
    ],
)
def test_large_texts_are_compared_within_their_budget(old: str, new: str) -> None:
    began = time.process_time()
    parts = diff_texts(old, new)
    assert time.process_time() - began < 2.0
    assert "".join(part.text for part in parts if part.change is not ADDED) == old
