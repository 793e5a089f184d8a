from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forllm_server.errors import Invalid
from forllm_server.machine.model import Load, NotAvailable, Share
from forllm_server.machine.yielding import (
    GAP_SECONDS,
    MOST_BUSY_SECONDS,
    PROMISE_SECONDS,
    SAMPLE_SECONDS,
    Busy,
    Quiet,
    YieldRules,
    YieldState,
    advance,
    reason_to_yield,
)

EVENING = datetime(2026, 11, 20, 23, 40, tzinfo=UTC)
UNKNOWN = NotAvailable("nobody tells")
RULES = YieldRules(cpu_share_limit=0.5, gpu_share_limit=0.3, programs=("game.exe",))


def load(seconds: float, cpu: Share = 0.0, gpu: Share = 0.0, *programs: str) -> Load:
    return Load(EVENING + timedelta(seconds=seconds), cpu, gpu, programs)


def walk(loads: list[Load], rules: YieldRules = RULES) -> list[YieldState]:
    states = [YieldState()]
    for one in loads:
        states.append(advance(states[-1], rules, one))
    return states[1:]


def test_a_game_that_keeps_the_card_busy_pauses_the_night_and_the_night_goes_on_ten_minutes_after_it() -> None:
    game = [load(seconds, 0.1, 0.87) for seconds in range(0, 3600, 5)]
    after = [load(seconds, 0.1, 0.02) for seconds in range(3600, 4400, 5)]
    states = walk([load(-5), *game, *after])
    busy = [state for state in states if isinstance(state.decision, Busy)]
    assert busy[0].decision == Busy("GPU in use by others (87 %)", EVENING + timedelta(seconds=10))
    last = busy[-1]
    assert last.read_at == EVENING + timedelta(seconds=4195)
    assert last.decision == Busy(
        "GPU in use by others (87 %)", EVENING + timedelta(seconds=10), EVENING + timedelta(seconds=4200)
    )
    assert states[-1].decision == Quiet()


def test_a_moment_of_use_pauses_nothing() -> None:
    states = walk([load(0), load(5, 0.9), load(10, 0.9), load(15), load(20, 0.9), load(25, 0.9), load(30)])
    assert {state.decision for state in states} == {Quiet()}


def test_one_reading_over_the_limit_begins_the_quiet_minutes_anew() -> None:
    rules = replace(RULES, busy_seconds=0, quiet_minutes=1)
    readings = [load(0, 0.9), load(30), load(60), load(85, 0.9), load(100), load(155), load(165)]
    decisions = [state.decision for state in walk(readings, rules)]
    assert [isinstance(decision, Busy) for decision in decisions] == [True] * 6 + [False]


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (load(0, 0.64, 0.1), "CPU in use by others (64 %)"),
        (load(0, 0.1, 0.874), "GPU in use by others (87 %)"),
        (load(0, 0.1, 0.1, "game.exe"), "game.exe is running"),
        (
            load(0, 1.0, 0.9, "a", "b"),
            "a is running, b is running, GPU in use by others (90 %), CPU in use by others (100 %)",
        ),
        (load(0, 0.5, 0.3), ""),
        (load(0, UNKNOWN, UNKNOWN), ""),
    ],
)
def test_the_reason_is_said_in_words(reading: Load, words: str) -> None:
    assert reason_to_yield(RULES, reading) == words


def test_what_no_rule_speaks_of_does_not_count() -> None:
    assert reason_to_yield(YieldRules(), load(0, 1.0, 1.0)) == ""
    assert reason_to_yield(YieldRules(cpu_share_limit=0.0), load(0, 0.01, 1.0)) == "CPU in use by others (1 %)"


def test_rules_that_are_switched_off_end_a_pause_at_once() -> None:
    (busy,) = walk([load(0, 0.0, 0.9)], replace(RULES, busy_seconds=0))
    assert isinstance(busy.decision, Busy)
    assert not YieldRules().is_on
    assert advance(busy, YieldRules(), load(5, 0.0, 0.9)).decision == Quiet()


@pytest.mark.parametrize("seconds", [GAP_SECONDS + 6, 3 * 3600, -3 * 3600])
def test_after_a_sleep_or_a_clock_that_jumps_the_counts_begin_anew(seconds: float) -> None:
    rules = replace(RULES, quiet_minutes=1)
    quiet = walk([load(0, 0.9), load(5, 0.9)], rules)[-1]
    assert advance(quiet, rules, load(seconds, 0.9)).decision == Quiet()
    busy = walk([load(0, 0.9), load(15, 0.9), load(20)], rules)[-1]
    assert isinstance(busy.decision, Busy)
    awoken = advance(busy, rules, load(20 + seconds))
    assert isinstance(awoken.decision, Busy)
    assert awoken.decision.resumes_at == EVENING + timedelta(seconds=20 + seconds + 60)
    assert isinstance(advance(awoken, rules, load(20 + seconds + 59)).decision, Busy)
    assert advance(awoken, rules, load(20 + seconds + 60)).decision == Quiet()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cpu_share_limit", -0.1),
        ("cpu_share_limit", 1.0),
        ("gpu_share_limit", 30),
        ("gpu_share_limit", float("nan")),
        ("busy_seconds", -1),
        ("busy_seconds", MOST_BUSY_SECONDS + 1),
        ("quiet_minutes", -1),
        ("quiet_minutes", 1441),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(field: str, value: float) -> None:
    with pytest.raises(Invalid) as refused:
        replace(RULES, **{field: value})
    assert refused.value.field == field


rules_of_any_kind = st.builds(
    YieldRules,
    cpu_share_limit=st.just(0.5),
    gpu_share_limit=st.none() | st.just(0.3),
    busy_seconds=st.integers(0, MOST_BUSY_SECONDS),
    quiet_minutes=st.integers(0, 20),
)
steps = st.floats(0.5, SAMPLE_SECONDS)
shares = st.sampled_from([0.0, 0.2, 0.4, 0.6, 1.0]) | st.just(UNKNOWN)


@given(rules_of_any_kind, st.lists(st.tuples(steps, shares, shares), max_size=200))
def test_no_pause_without_sustained_use_and_no_end_without_quiet_minutes(
    rules: YieldRules, readings: list[tuple[float, Share, Share]]
) -> None:
    seconds, loads = 0.0, []
    for step, cpu, gpu in readings:
        seconds += step
        loads.append(load(seconds, cpu, gpu))
    before: Busy | Quiet = Quiet()
    for index, state in enumerate(walk(loads, rules)):
        at = loads[index].at
        if isinstance(before, Quiet) and isinstance(state.decision, Busy):
            longest = timedelta(seconds=rules.busy_seconds - SAMPLE_SECONDS)
            assert all(reason_to_yield(rules, one) for one in loads[: index + 1] if one.at > at - longest)
            assert reason_to_yield(rules, loads[index])
        if isinstance(before, Busy) and isinstance(state.decision, Quiet):
            quiet = timedelta(minutes=rules.quiet_minutes)
            assert not any(reason_to_yield(rules, one) for one in loads[: index + 1] if one.at >= at - quiet)
        before = state.decision


@given(
    rules_of_any_kind,
    st.lists(steps, min_size=1, max_size=40),
    st.floats(0, 0.999),
    st.lists(steps, min_size=80, max_size=80),
)
def test_sustained_use_pauses_within_the_promise_wherever_it_begins(
    rules: YieldRules, quiet_steps: list[float], part: float, busy_steps: list[float]
) -> None:
    """Use begins at any moment between two readings; the reading that it falls into may be over the limit or not."""
    states, seconds = YieldState(), 0.0
    for step in quiet_steps:
        seconds += step
        states = advance(states, rules, load(seconds))
    begun = seconds + part * busy_steps[0]
    for index, step in enumerate(busy_steps):
        seconds += step
        average = (1 - part) if index == 0 else 1.0
        states = advance(states, rules, load(seconds, average))
        if isinstance(states.decision, Busy):
            break
    assert isinstance(states.decision, Busy)
    assert seconds - begun <= PROMISE_SECONDS


@given(rules_of_any_kind, st.lists(st.booleans(), min_size=2, max_size=400))
def test_pauses_do_not_flap(rules: YieldRules, uses: list[bool]) -> None:
    loads = [load(5 * index, 1.0 if is_used else 0.0) for index, is_used in enumerate(uses)]
    states = walk(loads, rules)
    changes = [
        one.read_at
        for before, one in zip([YieldState(), *states], states, strict=False)
        if isinstance(before.decision, Busy) != isinstance(one.decision, Busy) and one.read_at is not None
    ]
    shortest = timedelta(minutes=rules.quiet_minutes)
    for paused, resumed in zip(changes[::2], changes[1::2], strict=False):
        assert resumed - paused >= shortest


@given(rules_of_any_kind)
def test_a_machine_left_alone_is_given_back(rules: YieldRules) -> None:
    begun = [load(seconds, 1.0) for seconds in range(0, 60, 5)]
    after = [load(60 + seconds, 0.0) for seconds in range(0, 60 * rules.quiet_minutes + 1, 5)]
    assert walk([*begun, *after], rules)[-1].decision == Quiet()
