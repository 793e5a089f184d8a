"""What a mistyped word may have meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forllm_server.search.query import parse
from forllm_server.search.suggesting import Vocabulary, corrected, distance

FORUM = Vocabulary.of(
    ["Kubernetes at home", "The kubernetes mirror, the mirrors", "minor mirror", "backup disks of café"]
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("kuberntes", "kubernetes"),
        ("kuberneets", "kubernetes"),
        ("kubrnets", "kubernetes"),
        ("mirorr", "mirror"),
        ("imrror", "mirror"),
        ("bakcup", "backup"),
        ("Cafee", "cafe"),
        ("mirror", None),
        ("teh", None),
        ("zzzzzzzz", None),
        ("x" * 100, None),
    ],
)
def test_the_most_frequent_of_the_nearest_words_is_meant(typed: str, meant: str | None) -> None:
    assert FORUM.nearest(typed) == meant


def test_only_mistyped_words_are_replaced_and_the_rest_stays_as_it_was() -> None:
    text = '“kuberntes at” OR bakcup -raid in:"Home lab" mirr*'
    assert corrected(text, parse(text), FORUM) == '"kubernetes at" OR backup -raid in:"Home lab" mirr*'
    assert corrected("mirror home", parse("mirror home"), FORUM) is None


@pytest.mark.parametrize(
    ("first", "second", "mistakes"),
    [("mirror", "mirror", 0), ("mirror", "miror", 1), ("ab", "ba", 1), ("disk", "desks", 2), ("disk", "mirror", 3)],
)
def test_mistakes_are_counted_up_to_a_bound(first: str, second: str, mistakes: int) -> None:
    assert distance(first, second, most=2) == mistakes


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_the_distance_is_the_same_both_ways_and_nothing_only_between_equals(first: str, second: str) -> None:
    assert distance(first, second, most=2) == distance(second, first, most=2)
    assert (distance(first, second, most=2) == 0) == (first == second)
