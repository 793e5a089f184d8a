"""Durations learned from usage, and a line walked through slots and hours."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forllm_server.queue.estimate import (
    Answered,
    Duration,
    Foretold,
    Habit,
    Hours,
    Opening,
    Rates,
    Step,
    duration,
    habit_of,
    last_of,
    learn,
    remaining,
    walk,
)

NOW = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
USAGE = {
    "prompt_tokens": 1000,
    "cached_tokens": 200,
    "completion_tokens": 300,
    "load_seconds": 4.0,
    "prompt_seconds": 2.0,
    "generation_seconds": 30.0,
    "is_estimated": False,
}
RATES = Rates(400.0, 10.0, 4.0, 1)
HABIT = Habit(1000, 0.2, 300, 600)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def step(
    number: int, minutes: float, spread: float = 1.0, hours: Hours | None = None, ready_at: datetime | None = None
) -> Step:
    return Step(number, Duration(minutes * 60, minutes * 60 * spread), ready_at, hours)


# -- learning


def test_the_first_answer_sets_the_rates_and_cached_tokens_are_not_read() -> None:
    assert learn(None, USAGE) == RATES


def test_later_answers_move_the_rates_a_little() -> None:
    known = Rates(400.0, 10.0, 4.0, 50)
    learned = learn(known, USAGE | {"generation_seconds": 15.0})
    assert learned is not None
    assert learned.generation_tokens_per_second == pytest.approx(12.0)
    assert learned.samples == 51


@pytest.mark.parametrize(
    "usage",
    [
        {},
        USAGE | {"is_estimated": True},
        {"prompt_tokens": None, "completion_tokens": None, "prompt_seconds": 0.0, "generation_seconds": 0.0},
        USAGE | {"prompt_tokens": 200, "completion_tokens": 1},
    ],
)
def test_a_usage_that_tells_nothing_teaches_nothing(usage: dict[str, object]) -> None:
    assert learn(RATES, usage) == RATES
    assert learn(None, usage) is None


def test_a_model_that_was_loaded_already_does_not_make_loading_look_quick() -> None:
    learned = learn(RATES, USAGE | {"load_seconds": 0.03})
    assert learned is not None
    assert learned.load_seconds == 4.0


positive = st.floats(0.01, 1e6)


@given(
    st.lists(st.fixed_dictionaries({"completion_tokens": st.integers(8, 10**6), "generation_seconds": positive})),
)
def test_a_learned_rate_lies_between_the_measured_ones(usages: list[dict[str, float]]) -> None:
    rates = None
    for usage in usages:
        rates = learn(rates, usage)
    measured = [usage["completion_tokens"] / usage["generation_seconds"] for usage in usages]
    if rates is None:
        assert measured == []
    else:
        assert rates.generation_tokens_per_second is not None
        assert min(measured) * 0.999 <= rates.generation_tokens_per_second <= max(measured) * 1.001


# -- one request


def test_a_request_is_loading_reading_and_writing() -> None:
    assert duration(RATES, HABIT, is_loaded=True) == Duration(2 + 30, 2 + 60)
    assert duration(RATES, HABIT, is_loaded=False) == Duration(4 + 2 + 30, 4 + 2 + 60)
    assert duration(RATES, HABIT, is_loaded=True, prompt_tokens=2000) == Duration(4 + 30, 4 + 60)
    assert duration(RATES, HABIT, is_loaded=True, max_tokens=300) == Duration(2 + 30, 2 + 30)


@pytest.mark.parametrize(("rates", "habit"), [(None, HABIT), (RATES, None), (Rates(1.0, None, None, 1), HABIT)])
def test_nothing_is_foretold_before_a_reply_of_the_model_has_finished(rates: Rates | None, habit: Habit | None) -> None:
    assert duration(rates, habit, is_loaded=True) is None


def test_a_habit_is_the_middle_and_the_long_end_of_the_last_answers() -> None:
    answers = [Answered(1000, 250, tokens) for tokens in range(0, 1010, 10)]
    assert habit_of(answers) == Habit(1000, 0.25, 500, 900)
    assert habit_of([]) is None
    assert habit_of([Answered(None, None, 40)]) == Habit(0, 0, 40, 80)


def test_what_runs_for_longer_than_foretold_is_nearly_done() -> None:
    assert remaining(Duration(100, 200), 30) == Duration(70, 170)
    assert remaining(Duration(100, 200), 500) == Duration(10, 20)


# -- a line


def test_a_line_on_one_slot_is_served_one_after_another() -> None:
    foretold = walk([step(1, 10), step(2, 5)], slots=1, now=NOW)
    assert foretold[1].done_by.middle_at == at(10)
    assert (foretold[2].starts_at, foretold[2].done_by.middle_at) == (at(10), at(15))


def test_what_runs_keeps_its_slot_for_what_is_left_of_it() -> None:
    foretold = walk([step(2, 5), step(3, 5)], running=[step(1, 10)], slots=2, now=NOW)
    assert [foretold[number].done_by.middle_at for number in (1, 2, 3)] == [at(10), at(5), at(10)]


def test_nothing_is_known_of_what_stands_behind_the_unknown() -> None:
    line = [step(1, 1), Step(2, None), step(3, 1)]
    assert set(walk(line, slots=1, now=NOW)) == {1}
    assert walk(line, running=[Step(9, None)], slots=1, now=NOW) == {}


def test_a_closed_backend_begins_at_its_opening() -> None:
    hours = Hours([Opening(at(60), at(120))])
    foretold = walk([step(1, 10, hours=hours), step(2, 10, hours=None)], slots=2, now=NOW)
    assert foretold[1].starts_at == at(60)
    assert foretold[2].starts_at == NOW


@pytest.mark.parametrize(("closing", "done"), [("finish", 70), ("pause", 130), ("stop", 140)])
def test_the_closing_decides_what_becomes_of_what_runs_then(closing: str, done: float) -> None:
    hours = Hours([Opening(at(0), at(60)), Opening(at(120), at(180))], closing)
    foretold = walk([step(1, 50, hours=hours), step(2, 20, hours=hours)], slots=1, now=NOW)
    assert foretold[2].done_by.middle_at == at(done)


def test_without_an_hour_in_sight_nothing_is_foretold() -> None:
    hours = Hours([Opening(at(0), at(60))], "stop")
    assert set(walk([step(1, 50, hours=hours), step(2, 20, hours=hours)], slots=1, now=NOW)) == {1}


def test_a_paused_backend_begins_when_its_pause_ends_and_what_runs_goes_on() -> None:
    foretold = walk([step(2, 5)], running=[step(1, 1)], slots=2, now=NOW, free_at=at(30))
    assert foretold[1].done_by.middle_at == at(1)
    assert foretold[2].done_by.middle_at == at(35)


def test_a_long_line_is_surer_in_proportion_than_a_single_request() -> None:
    alone = walk([step(1, 10, 2.0)], slots=1, now=NOW)[1].done_by
    many = walk([step(number, 10, 2.0) for number in range(100)], slots=1, now=NOW)[99].done_by
    assert (alone.high_at - NOW) / (alone.middle_at - NOW) == pytest.approx(2.0)
    assert 1.25 < (many.high_at - NOW) / (many.middle_at - NOW) < 1.4


def test_all_is_done_when_the_last_is_done() -> None:
    foretold = walk([step(1, 10, 2.0), step(2, 5)], slots=2, now=NOW)
    done = last_of(each.done_by for each in foretold.values())
    assert done is not None
    assert (done.middle_at, done.high_at) == (at(10), at(20))
    assert last_of([]) is None


@st.composite
def hours(draw: st.DrawFn) -> Hours | None:
    cuts = sorted(draw(st.lists(st.integers(0, 2000), max_size=8, unique=True)))
    openings = [Opening(at(begin), at(end)) for begin, end in zip(cuts[::2], cuts[1::2], strict=False)]
    # The last one has no end, so that there is room for everything.
    openings.append(Opening(at(3000), None))
    return draw(st.none() | st.just(Hours(openings, draw(st.sampled_from(["finish", "pause", "stop"])))))


@st.composite
def lines(draw: st.DrawFn) -> list[Step]:
    own = draw(hours())
    minutes = draw(st.lists(st.tuples(st.floats(0.1, 200), st.floats(1, 4)), min_size=1, max_size=12))
    return [step(number, each, spread, hours=own) for number, (each, spread) in enumerate(minutes)]


def ends(foretold: dict[int, Foretold]) -> Sequence[datetime]:
    return [foretold[number].done_by.middle_at for number in sorted(foretold)]


@given(lines(), st.integers(1, 4))
def test_the_range_is_in_order_and_nothing_ends_before_it_begins(line: list[Step], slots: int) -> None:
    foretold = walk(line, slots=slots, now=NOW)
    assert set(foretold) == {each.id for each in line}
    for each in foretold.values():
        assert each.done_by.low_at <= each.done_by.middle_at <= each.done_by.high_at
        assert NOW <= each.starts_at <= each.done_by.middle_at


@given(lines(), st.integers(1, 4))
def test_nothing_is_done_or_begun_inside_a_closed_window(line: list[Step], slots: int) -> None:
    own = line[0].hours
    foretold = walk(line, slots=slots, now=NOW)
    if own is None:
        return
    for each in foretold.values():
        assert any(
            opening.start <= each.starts_at and (opening.end is None or each.starts_at < opening.end)
            for opening in own.openings
        )
        if own.closing != "finish":
            for moment in (each.done_by.low_at, each.done_by.middle_at, each.done_by.high_at):
                assert any(
                    opening.start <= moment and (opening.end is None or moment <= opening.end)
                    for opening in own.openings
                )


@given(lines(), st.integers(1, 4))
def test_more_slots_never_make_anything_later(line: list[Step], slots: int) -> None:
    fewer, more = walk(line, slots=slots, now=NOW), walk(line, slots=slots + 1, now=NOW)
    for number, each in fewer.items():
        assert more[number].done_by.low_at <= each.done_by.low_at
        assert more[number].done_by.middle_at <= each.done_by.middle_at
        assert more[number].done_by.high_at <= each.done_by.high_at


@given(lines(), st.data(), st.integers(1, 4))
def test_a_longer_request_never_makes_anything_earlier(line: list[Step], data: st.DataObject, slots: int) -> None:
    chosen = data.draw(st.integers(0, len(line) - 1))
    more = data.draw(st.floats(0, 100)) * 60
    length = line[chosen].length
    assert length is not None
    longer = list(line)
    longer[chosen] = step(chosen, (length.p50 + more) / 60, hours=line[chosen].hours)
    before = ends(walk(line, slots=slots, now=NOW))
    after = ends(walk(longer, slots=slots, now=NOW))
    assert all(first <= second for first, second in zip(before, after, strict=True))


@given(lines(), st.floats(0.1, 60), st.integers(1, 4))
def test_one_request_more_at_the_end_changes_nothing_before_it(line: list[Step], minutes: float, slots: int) -> None:
    before = walk(line, slots=slots, now=NOW)
    after = walk([*line, step(99, minutes, hours=line[0].hours)], slots=slots, now=NOW)
    assert {number: after[number] for number in before} == before


@given(lines())
def test_on_one_slot_those_in_front_are_done_first(line: list[Step]) -> None:
    assert all(first <= second for first, second in pairwise(ends(walk(line, slots=1, now=NOW))))
