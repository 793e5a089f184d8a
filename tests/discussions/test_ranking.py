"""A ranking is read strictly or not at all, and many of them come to Borda points without anybody's own word."""

import pytest

from forllm_server.discussions.course import order_of
from forllm_server.discussions.ranking import ranking_task, read_ranking, result_of

SHOWN = (2, 0, 1)


@pytest.mark.parametrize(
    ("said", "ranked"),
    [
        ("B > A > C", (0, 2, 1)),
        (" **C** > **A** > **B**.\n", (1, 2, 0)),
        ("a, b, c", (2, 0, 1)),
        ("A B C", (2, 0, 1)),
        ("1. C\n2. B\n3. A", (1, 0, 2)),
        ("Answer B > Answer C > Answer A", (0, 1, 2)),
        ("`B > C > A`", (0, 1, 2)),
    ],
)
def test_letters_in_an_order_are_a_ranking(said: str, ranked: tuple[int, ...]) -> None:
    assert read_ranking(said, SHOWN) == (ranked, "")


@pytest.mark.parametrize(
    "said",
    [
        "I think B is best, then A, then C.",
        "The best answer is A",
        "A > B",
        "A > B > B",
        "A > B > C > D",
        "A > B = C",
        "B > A > C because B is right",
        "1. A\n3. B\n2. C",
        "A > B > I",
        "ABC",
    ],
)
def test_prose_is_no_ranking_and_what_was_said_is_told(said: str) -> None:
    ranked, reason = read_ranking(said, SHOWN)
    assert ranked is None
    assert " ".join(said.split())[:40] in reason


def test_saying_nothing_is_no_ranking() -> None:
    assert read_ranking(" \n", SHOWN) == (None, "It said nothing.")


def test_a_long_speech_is_quoted_in_part() -> None:
    _, reason = read_ranking("word " * 500, SHOWN)
    assert len(reason) < 200


def test_the_result_is_the_borda_count_without_the_own_word() -> None:
    # 0 puts itself first, which does not count; of the others it says 1 before 2.
    rankings = [(0, (0, 1, 2)), (1, (0, 2, 1)), (2, (2, 1, 0))]
    placed = result_of(rankings, [0, 1, 2])
    # Said of 0: first of two by 1 (100), second of two by 2 (0). Of 1: 100 by 0, 100 by 2. Of 2: 0 by 0, 0 by 1.
    assert [(each.seat, each.points, each.place) for each in placed] == [(1, 100.0, 1), (0, 50.0, 2), (2, 0.0, 3)]
    assert placed[0].places == ((0, 1, 2), (2, 1, 2))


def test_equal_points_share_a_place_and_who_was_not_ranked_stands_last() -> None:
    placed = result_of([(3, (0, 1)), (4, (1, 0))], [0, 1, 2])
    assert [(each.seat, each.points, each.place) for each in placed] == [(0, 50.0, 1), (1, 50.0, 1), (2, None, 3)]
    assert [each.points for each in result_of([], [0, 1])] == [None, None]


def test_one_answer_besides_the_own_is_no_ranking() -> None:
    assert [each.points for each in result_of([(0, (0, 1))], [0, 1])] == [None, None]


def test_each_sees_another_order_that_is_the_same_whenever_asked() -> None:
    orders = [order_of(7, seat, 1, range(6)) for seat in range(8)]
    assert orders == [order_of(7, seat, 1, range(6)) for seat in range(8)]
    assert len(set(orders)) > 1
    assert all(sorted(order) == list(range(6)) for order in orders)
    assert order_of(7, 0, 1, range(6)) != order_of(7, 0, 2, range(6))


def test_the_prompt_names_letters_and_never_who_wrote() -> None:
    prompt = ranking_task(["one", "two", "three"])
    assert "<answer-a>\none\n</answer-a>" in prompt
    assert prompt.endswith("C > B > A")
