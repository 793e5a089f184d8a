from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forllm_server.queue.dispatch import (
    MOST_PASSED_OVER,
    PATIENCE,
    STARVING_AFTER,
    TURN,
    Candidate,
    LastServed,
    choose,
    load,
    may_fan_out,
    pick,
    rank,
    served,
)
from forllm_server.queue.estimate import Habit, Rates
from forllm_server.queue.model import Lane

NOW = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
HELD = LastServed(model_id=1, persona_version_id=1, topic_id=1, owner_id=1)

PLAIN = Candidate(
    id=0,
    lane=Lane.NIGHT,
    priority=0,
    model_id=1,
    persona_version_id=1,
    topic_id=1,
    created_at=NOW - timedelta(hours=1),
    owner_id=1,
)


def candidate(number: int, **changes: Any) -> Candidate:
    return replace(PLAIN, id=number, **changes)


def chosen(candidates: Sequence[Candidate], last: LastServed | None = HELD) -> int:
    """The id of the one that goes first."""
    picks = pick(candidates, last)
    assert picks is not None
    return choose(picks, last, NOW).id


def in_order(candidates: Sequence[Candidate], last: LastServed | None = HELD) -> list[Candidate]:
    """All of them, choice after choice."""
    left, order = list(candidates), []
    while picks := pick(left, last):
        order.append(choose(picks, last, NOW))
        left.remove(order[-1])
        last = served(order[-1], picks, last)
    return order


def loads(order: Sequence[Candidate]) -> int:
    """How often another model is loaded, or the same one with another context size."""
    loaded = [None, *(load(each) for each in order)]
    return sum(before != after for before, after in pairwise(loaded))


def test_nothing_queued_gives_nothing() -> None:
    assert pick([], HELD) is None


def test_run_now_goes_before_everything() -> None:
    assert chosen([candidate(1, priority=9), candidate(2, lane=Lane.LIVE, model_id=2)]) == 2


def test_a_higher_priority_goes_first_within_a_lane() -> None:
    assert chosen([candidate(1), candidate(2, priority=1, model_id=2)]) == 2


def test_a_persons_own_order_goes_before_what_is_loaded() -> None:
    assert chosen([candidate(1), candidate(2, pinned=2.0), candidate(3, pinned=1.0, model_id=2)]) == 3


def test_the_loaded_model_goes_on_before_another_is_loaded() -> None:
    assert chosen([candidate(1, model_id=2), candidate(2, topic_id=5)]) == 2


def test_the_cached_thread_goes_before_another_thread_of_the_same_persona() -> None:
    waiting = [candidate(1, topic_id=7), candidate(2, topic_id=8), candidate(3, persona_version_id=2, topic_id=8)]
    assert chosen(waiting, replace(HELD, topic_id=8)) == 2


def test_the_cached_thread_goes_before_the_same_persona_elsewhere() -> None:
    waiting = [candidate(1, topic_id=7), candidate(2, topic_id=8, persona_version_id=2)]
    assert chosen(waiting, replace(HELD, topic_id=8)) == 2


def test_the_same_persona_elsewhere_goes_before_another_persona() -> None:
    assert chosen([candidate(1, topic_id=7, persona_version_id=2), candidate(2, topic_id=8)]) == 2


def test_within_a_thread_it_goes_persona_by_persona() -> None:
    waiting = [candidate(number, persona_version_id=1 + number % 3) for number in range(9)]
    personas = [each.persona_version_id for each in in_order(waiting)]
    assert personas == [1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_two_hundred_mixed_requests_load_each_model_once() -> None:
    waiting = [candidate(number, model_id=1 + number % 3, topic_id=number // 7) for number in range(200)]
    assert loads(in_order(waiting, None)) == 3


def test_where_the_context_size_is_loaded_with_the_model_each_pair_is_loaded_once() -> None:
    sizes = (4096, 16384)
    waiting = [
        candidate(
            number,
            model_id=1 + number % 3,
            context_tokens=sizes[number % 2],
            persona_version_id=1 + number % 4,
            topic_id=number // 7,
            owner_id=1 + number % 5,
        )
        for number in range(200)
    ]
    assert loads(in_order(waiting, None)) == 6
    # With nothing said of sizes the very same line would load for nearly every change of the persona.
    blind = in_order([replace(each, context_tokens=None) for each in waiting], None)
    assert loads([waiting[each.id] for each in blind]) > 60


def test_the_thread_that_is_held_is_left_for_the_context_size_that_is_loaded() -> None:
    waiting = [candidate(1, context_tokens=8192), candidate(2, topic_id=7, context_tokens=4096)]
    assert chosen(waiting, replace(HELD, context_tokens=4096)) == 2
    assert chosen(waiting, HELD) == 1, "nobody knows what is loaded, so the oldest decides"


def test_an_old_backlog_is_still_served_in_groups() -> None:
    old = NOW - 3 * STARVING_AFTER
    waiting = [
        candidate(number, model_id=1 + number % 3, topic_id=number // 7, created_at=old + timedelta(seconds=number))
        for number in range(200)
    ]
    assert loads(in_order(waiting, None)) == 3


def test_one_that_has_waited_a_day_is_passed_over_a_limited_number_of_times() -> None:
    old = candidate(0, model_id=2, created_at=NOW - STARVING_AFTER - timedelta(seconds=1))
    waiting = [old, *(candidate(number) for number in range(1, 2 * PATIENCE))]
    assert in_order(waiting).index(old) == PATIENCE


def test_none_is_passed_over_without_end() -> None:
    first = candidate(0, model_id=2)
    waiting = [first, *(candidate(number) for number in range(1, MOST_PASSED_OVER + 20))]
    assert in_order(waiting).index(first) == MOST_PASSED_OVER


def test_what_is_run_now_does_not_count_as_the_turn_of_the_oldest() -> None:
    last = replace(HELD, passed_over=7)
    picks = pick([candidate(1, lane=Lane.LIVE), candidate(2, model_id=2)], last)
    assert picks is not None
    assert served(choose(picks, last, NOW), picks, last).passed_over == 7


def test_owners_take_turns_within_a_model() -> None:
    waiting = [candidate(number, topic_id=100 + number, owner_id=1 if number < 6 else number) for number in range(9)]
    owners = [each.owner_id for each in in_order(waiting)]
    assert owners == [6, 7, 8, 1, 1, 1, 1, 1, 1]


def test_a_turn_lasts_as_long_as_its_thread_but_not_for_ever() -> None:
    mine = [candidate(number, owner_id=1, topic_id=1) for number in range(2 * TURN)]
    others = [candidate(100 + number, owner_id=2, topic_id=2) for number in range(3)]
    owners = [each.owner_id for each in in_order([*mine, *others])]
    assert owners == [1] * TURN + [2] * 3 + [1] * TURN


def test_turns_are_taken_without_loading_another_model_for_them() -> None:
    waiting = [candidate(number, owner_id=1 + number % 2, model_id=1 + number % 4 // 2) for number in range(40)]
    assert loads(in_order(waiting, None)) == 2


def test_an_owner_alone_is_served_as_if_there_were_no_turns() -> None:
    waiting = [candidate(number, topic_id=number % 5) for number in range(4 * TURN)]
    topics = [each.topic_id for each in in_order(waiting, None)]
    assert sum(before != after for before, after in pairwise(topics)) == 4


candidates = st.builds(
    candidate,
    st.integers(1, 1000),
    lane=st.sampled_from(Lane),
    priority=st.integers(-2, 2),
    model_id=st.integers(1, 3),
    persona_version_id=st.integers(1, 3),
    topic_id=st.integers(1, 3),
    owner_id=st.integers(1, 3),
    context_tokens=st.sampled_from((None, 4096, 8192)),
)


@pytest.mark.parametrize(
    ("prompt_tokens", "reading", "answer_tokens", "writing", "expected"),
    [
        pytest.param(1000, 375, 48, 40, False, id="a processor: 2.7 s to read, 1.2 s to write"),
        pytest.param(1000, 3000, 300, 60, True, id="a GPU: 0.3 s to read, 5 s to write"),
        pytest.param(1000, 200, 400, 40, True, id="5 s to read, 10 s to write"),
        pytest.param(1000, 190, 400, 40, False, id="a little more than half"),
        pytest.param(1000, None, 400, 40, False, id="not measured yet"),
        pytest.param(1000, 3000, 300, None, False, id="only reading was measured"),
    ],
)
def test_a_thread_is_read_by_a_second_place_where_that_pays(
    prompt_tokens: int, reading: float | None, answer_tokens: int, writing: float | None, expected: bool
) -> None:
    habit = Habit(prompt_tokens, cached_share=0.9, output_p50=answer_tokens, output_p90=answer_tokens)
    rates = Rates(reading, writing, None, 5)
    assert may_fan_out(rates, habit, is_held_by_place=True) is expected
    assert may_fan_out(rates, habit, is_held_by_place=False)


def test_before_anything_was_measured_a_thread_is_read_by_one_place() -> None:
    assert not may_fan_out(None, None, is_held_by_place=True)


@given(st.lists(candidates, min_size=1, unique_by=lambda each: each.id), st.none() | st.just(HELD))
def test_grouping_never_overrides_lane_or_priority(waiting: list[Candidate], last: LastServed | None) -> None:
    ranks = [rank(each) for each in in_order(waiting, last)]
    assert ranks == sorted(ranks)


@given(st.lists(candidates, min_size=1, unique_by=lambda each: each.id), st.none() | st.just(HELD))
def test_everybody_is_served_once(waiting: list[Candidate], last: LastServed | None) -> None:
    assert sorted(each.id for each in in_order(waiting, last)) == sorted(each.id for each in waiting)
