"""The plan against what claim by claim would be chosen."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from forllm_server.queue.dispatch import STARVING_AFTER, Candidate, LastServed
from forllm_server.queue.model import Lane
from forllm_server.queue.plan import Group, Placed, grouped, order
from tests.queue.test_dispatch import NOW, in_order

candidates = st.builds(
    Candidate,
    id=st.integers(1, 1000),
    lane=st.sampled_from(Lane),
    priority=st.integers(-1, 1),
    model_id=st.integers(1, 3),
    persona_version_id=st.none() | st.integers(1, 2),
    topic_id=st.none() | st.integers(1, 3),
    created_at=st.sampled_from([NOW, NOW - timedelta(hours=1), NOW - STARVING_AFTER - timedelta(hours=1)]),
    pinned=st.none() | st.sampled_from([-1.0, 0.5, 2.0]),
    owner_id=st.integers(1, 3),
)
served_last = st.builds(
    LastServed,
    model_id=st.integers(1, 3),
    persona_version_id=st.none() | st.integers(1, 2),
    topic_id=st.none() | st.integers(1, 3),
    owner_id=st.integers(0, 4),
    passed_over=st.sampled_from([0, 99, 100, 499, 500]),
    in_turn=st.integers(0, 9),
)


@given(st.lists(candidates, unique_by=lambda each: each.id, max_size=30), st.none() | served_last)
def test_the_plan_is_what_choice_after_choice_would_take(waiting: list[Candidate], last: LastServed | None) -> None:
    assert order(waiting, last, NOW) == in_order(waiting, last)


def plain(number: int, *, model_id: int = 1, pinned: float | None = None) -> Candidate:
    return Candidate(number, Lane.NIGHT, 0, model_id, 1, 1, NOW, pinned)


def test_a_persons_own_order_goes_before_grouping() -> None:
    line = [plain(1), plain(2, model_id=2, pinned=2.0), plain(3, pinned=1.0), plain(4, model_id=2)]
    assert [each.id for each in order(line, None, NOW)] == [3, 2, 4, 1]


def test_a_long_line_is_laid_out_as_far_as_is_asked() -> None:
    line = [plain(number, model_id=number % 2) for number in range(5000)]
    ordered = order(line, None, NOW, limit=2000)
    assert len(ordered) == 2000
    assert len({each.id for each in ordered}) == 2000


def test_the_plan_is_shown_by_window_and_model() -> None:
    plan = [Placed(1, 1, 7, None), Placed(2, 1, 7, None), Placed(3, 1, 8, None), Placed(4, 1, 8, NOW)]
    assert grouped(plan) == [Group(1, 7, None, (1, 2)), Group(1, 8, None, (3,)), Group(1, 8, NOW, (4,))]
