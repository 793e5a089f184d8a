from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from forllm_server.queue.dispatch import STARVING_AFTER, Candidate, LastServed, RunningPrefix, choose, rank
from forllm_server.queue.model import Lane

NOW = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)


PLAIN = Candidate(
    id=0,
    lane=Lane.NIGHT,
    priority=0,
    model_id=1,
    persona_version_id=1,
    topic_id=1,
    created_at=NOW - timedelta(hours=1),
)


def candidate(number: int, **changes: Any) -> Candidate:
    return replace(PLAIN, id=number, **changes)


def test_nothing_queued_gives_nothing() -> None:
    assert choose([], None, NOW) is None


def test_run_now_goes_before_everything() -> None:
    chosen = choose([candidate(1, priority=9), candidate(2, lane=Lane.LIVE)], None, NOW)
    assert chosen is not None
    assert chosen.id == 2


def test_a_higher_priority_goes_first_within_a_lane() -> None:
    chosen = choose([candidate(1), candidate(2, priority=1)], LastServed(1, 1, 1), NOW)
    assert chosen is not None
    assert chosen.id == 2


def test_the_loaded_model_goes_on_before_another_is_loaded() -> None:
    chosen = choose([candidate(1, model_id=2), candidate(2, model_id=1)], LastServed(1, 5, 5), NOW)
    assert chosen is not None
    assert chosen.id == 2


def test_the_cached_thread_goes_before_another_thread_of_the_same_persona() -> None:
    waiting = [candidate(1, topic_id=7), candidate(2, topic_id=8), candidate(3, persona_version_id=2, topic_id=8)]
    chosen = choose(waiting, LastServed(1, 1, 8), NOW)
    assert chosen is not None
    assert chosen.id == 2


def test_the_cached_thread_goes_before_the_same_persona_elsewhere() -> None:
    waiting = [candidate(1, topic_id=7), candidate(2, topic_id=8, persona_version_id=2)]
    chosen = choose(waiting, LastServed(1, 1, 8), NOW)
    assert chosen is not None
    assert chosen.id == 2


def test_lanes_run_side_by_side_and_a_cold_prefix_is_read_once() -> None:
    waiting = [candidate(1, topic_id=7), candidate(2, topic_id=7), candidate(3, topic_id=8)]
    cold = RunningPrefix(model_id=1, topic_id=7, is_warm=False)
    chosen = choose(waiting, LastServed(1, 1, 7), NOW, [cold])
    assert chosen is not None
    assert chosen.id == 3
    assert choose(waiting[:2], LastServed(1, 1, 7), NOW, [cold]) is None
    warm = replace(cold, is_warm=True)
    fanned_out = choose(waiting[:2], LastServed(1, 1, 7), NOW, [warm])
    assert fanned_out is not None
    assert fanned_out.id == 1


def test_run_now_waits_for_no_prefix() -> None:
    cold = RunningPrefix(model_id=1, topic_id=1, is_warm=False)
    assert choose([candidate(1, lane=Lane.LIVE)], None, NOW, [cold]) is not None


def test_a_request_that_has_waited_a_day_is_not_passed_over_any_more() -> None:
    old = candidate(1, model_id=2, created_at=NOW - STARVING_AFTER - timedelta(seconds=1))
    chosen = choose([old, candidate(2)], LastServed(1, 1, 1), NOW)
    assert chosen is not None
    assert chosen.id == 1


candidates = st.builds(
    candidate,
    st.integers(1, 1000),
    lane=st.sampled_from(Lane),
    priority=st.integers(-2, 2),
    model_id=st.integers(1, 3),
    persona_version_id=st.integers(1, 3),
    topic_id=st.integers(1, 3),
)


@given(st.lists(candidates, min_size=1, unique_by=lambda each: each.id), st.none() | st.just(LastServed(1, 1, 1)))
def test_grouping_never_overrides_lane_or_priority(waiting: list[Candidate], last: LastServed | None) -> None:
    chosen = choose(waiting, last, NOW)
    assert chosen is not None
    assert rank(chosen) == min(rank(each) for each in waiting)
