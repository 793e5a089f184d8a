"""How long LLM requests will take and when they will be done. Pure: times, rates and hours are handed in.

One request takes: loading its model, if another one is loaded + the part of its prompt that is not cached, divided by
the rate at which the model reads + its answer, divided by the rate at which it writes. What an answer is long is taken
from what the same persona on the same model has written lately: half of the answers are shorter than p50, nine of ten
than p90. Without a finished answer of the model nothing is foretold.

A line of requests is walked through slots and hours three times: once with the usual durations, once each with shorter
and longer ones. Errors of single requests cancel out over a long line, those of the rates do not; so a quarter of each
request's spread counts in full (``SHARED_SPREAD``), and of the rest the sum's: the root of the sum of squares.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

#: What one new measurement weighs: about the last ten decide.
RATE_WEIGHT = 0.2
#: Servers report a few milliseconds of "loading" for a model that was loaded.
SHORTEST_LOAD_SECONDS = 0.5
#: Fewer tokens than this tell more of the server's overhead than of its speed.
FEWEST_TOKENS = 8
#: The part of the spread that all requests have in common.
SHARED_SPREAD = 0.25
#: What is left, at least, of one that has run for longer than foretold: as a share of what was.
OVERDUE_SHARE = 0.1


@dataclass(frozen=True)
class Rates:
    """How fast a model works here, as learned so far. None: never measured."""

    prompt_tokens_per_second: float | None
    generation_tokens_per_second: float | None
    load_seconds: float | None
    samples: int


def learn(known: Rates | None, usage: Mapping[str, Any]) -> Rates | None:
    """The rates after one more answer; the same when its usage tells nothing.

    ``usage``: ``prompt_tokens``, ``cached_tokens``, ``completion_tokens``, ``load_seconds``, ``prompt_seconds``,
    ``generation_seconds``, ``is_estimated``. Estimated counts are not learned from.
    """
    if usage.get("is_estimated"):
        return known
    read_tokens = (usage.get("prompt_tokens") or 0) - (usage.get("cached_tokens") or 0)
    reading = _rate(read_tokens, usage.get("prompt_seconds"))
    writing = _rate(usage.get("completion_tokens") or 0, usage.get("generation_seconds"))
    load_seconds = usage.get("load_seconds") or 0.0
    loading = float(load_seconds) if SHORTEST_LOAD_SECONDS <= load_seconds < math.inf else None
    if reading is None and writing is None:
        return known
    before = known or Rates(None, None, None, 0)
    # The first few count alike, so that a slow first answer does not linger.
    weight = max(RATE_WEIGHT, 1 / (before.samples + 1))
    return Rates(
        _blend(before.prompt_tokens_per_second, reading, weight),
        _blend(before.generation_tokens_per_second, writing, weight),
        _blend(before.load_seconds, loading, weight),
        before.samples + 1,
    )


def _rate(tokens: int, seconds: float | None) -> float | None:
    if tokens < FEWEST_TOKENS or not seconds or seconds <= 0:
        return None
    rate = tokens / seconds
    return rate if math.isfinite(rate) else None


def _blend(known: float | None, measured: float | None, weight: float) -> float | None:
    if measured is None:
        return known
    return measured if known is None else known * (1 - weight) + measured * weight


@dataclass(frozen=True)
class Answered:
    """What is known of one finished answer."""

    prompt_tokens: int | None
    cached_tokens: int | None
    output_tokens: int


@dataclass(frozen=True)
class Habit:
    """What the answers of a persona on a model are like. ``cached_share``: of the prompt, 0 to 1."""

    prompt_tokens: float
    cached_share: float
    output_p50: float
    output_p90: float


def habit_of(answers: Sequence[Answered]) -> Habit | None:
    """From the last answers; None without any. With few of them the longest that is likely is set higher."""
    if not answers:
        return None
    prompts = sorted(each.prompt_tokens for each in answers if each.prompt_tokens)
    cached = sum(each.cached_tokens or 0 for each in answers if each.prompt_tokens)
    outputs = sorted(each.output_tokens for each in answers)
    p50 = _quantile(outputs, 0.5)
    return Habit(
        prompt_tokens=_quantile(prompts, 0.5) if prompts else 0.0,
        cached_share=min(cached / sum(prompts), 1.0) if prompts else 0.0,
        output_p50=p50,
        output_p90=max(_quantile(outputs, 0.9), p50 * (1 + 1 / len(outputs))),
    )


def _quantile(values: Sequence[int], share: float) -> float:
    """Linear between neighbours, as ``statistics.quantiles(method="inclusive")`` has it; values in order."""
    place = share * (len(values) - 1)
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


@dataclass(frozen=True)
class Duration:
    """Seconds: as likely shorter as longer than ``p50``; nine of ten times shorter than ``p90``."""

    p50: float
    p90: float


def duration(
    rates: Rates | None,
    habit: Habit | None,
    *,
    is_loaded: bool,
    prompt_tokens: float | None = None,
    max_tokens: int | None = None,
) -> Duration | None:
    """How long one request takes; None while nothing of its model is known.

    ``prompt_tokens``: of this request, where it was counted; else as usual. ``max_tokens``: where its answer is cut.
    """
    if rates is None or habit is None or not rates.generation_tokens_per_second:
        return None
    longest = math.inf if max_tokens is None else float(max_tokens)
    before = 0.0 if is_loaded else (rates.load_seconds or 0.0)
    if rates.prompt_tokens_per_second:
        tokens = habit.prompt_tokens if prompt_tokens is None else prompt_tokens
        before += tokens * (1 - habit.cached_share) / rates.prompt_tokens_per_second
    p50 = before + min(habit.output_p50, longest) / rates.generation_tokens_per_second
    p90 = before + min(habit.output_p90, longest) / rates.generation_tokens_per_second
    return Duration(p50, max(p50, p90))


def remaining(whole: Duration, elapsed_seconds: float) -> Duration:
    """What is left of a request that has run for so long."""
    p50 = max(whole.p50 - elapsed_seconds, whole.p50 * OVERDUE_SHARE)
    return Duration(p50, max(whole.p90 - elapsed_seconds, whole.p90 * OVERDUE_SHARE, p50))


@dataclass(frozen=True)
class Opening:
    """A time in which requests may start. ``end`` None: no end is in sight."""

    start: datetime
    end: datetime | None


#: Hours that never close.
ALWAYS = (Opening(datetime.min.replace(tzinfo=UTC), None),)


@dataclass(frozen=True)
class Hours:
    """The openings of a backend in order, and what a running request does at their end: finish, pause or stop."""

    openings: Sequence[Opening] = ALWAYS
    closing: str = "finish"

    def place(self, ready_at: datetime, seconds: float) -> tuple[datetime, datetime] | None:
        """When a request that is ready then begins and ends; None when there is no hour in sight for it."""
        started_at = None
        for opening in self.openings:
            begin = max(ready_at, opening.start)
            if opening.end is not None and begin >= opening.end:
                continue
            started_at = started_at or begin
            ends_at = begin + timedelta(seconds=seconds)
            if opening.end is None or ends_at <= opening.end or self.closing == "finish":
                return started_at, ends_at
            if self.closing == "pause":
                seconds -= (opening.end - begin).total_seconds()
            else:
                started_at = None
        return None


@dataclass(frozen=True)
class Step:
    """One request in a line. ``ready_at``: not before; ``hours`` None: it waits for no window.

    ``length`` None: nobody knows how long it takes, so nothing is known of those behind it either.
    """

    id: int
    length: Duration | None
    ready_at: datetime | None = None
    hours: Hours | None = None


@dataclass(frozen=True)
class DoneBy:
    """When something is done: most likely between ``low_at`` and ``high_at``."""

    low_at: datetime
    middle_at: datetime
    high_at: datetime


@dataclass(frozen=True)
class Foretold:
    """When a request begins, most likely, and when it is done."""

    starts_at: datetime
    done_by: DoneBy


def walk(
    steps: Sequence[Step], *, running: Sequence[Step] = (), slots: int, now: datetime, free_at: datetime | None = None
) -> dict[int, Foretold]:
    """Walk a backend's line: ``running`` first, then ``steps`` in order, each on the slot that is free first.

    ``free_at``: nothing new begins before. The ids that are missing in the result cannot be foretold.
    """
    known = [*_known(running), *(_known(steps) if all(step.length for step in running) else ())]
    running_count = min(len(running), len(known))
    passes = [
        _pass(known, seconds, running_count=running_count, slots=slots, now=now, free_at=free_at)
        for seconds in _seconds(known)
    ]
    foretold = {}
    for step, low, middle, high in zip(known, *passes, strict=False):
        foretold[step.id] = Foretold(middle[0], DoneBy(low[1], middle[1], high[1]))
    return foretold


def last_of(ranges: Iterable[DoneBy]) -> DoneBy | None:
    """When all of them are done; None for none."""
    found = list(ranges)
    if not found:
        return None
    return DoneBy(
        max(each.low_at for each in found), max(each.middle_at for each in found), max(each.high_at for each in found)
    )


def _known(steps: Sequence[Step]) -> Sequence[Step]:
    """The steps before the first of unknown length."""
    first_unknown = next((number for number, step in enumerate(steps) if step.length is None), len(steps))
    return steps[:first_unknown]


def _seconds(steps: Sequence[Step]) -> tuple[list[float], list[float], list[float]]:
    """The durations of the three passes: shorter, usual, longer."""
    shorter, usual, longer = [], [], []
    squares_up = squares_down = 0.0
    for step in steps:
        length = step.length or Duration(0.0, 0.0)
        up = length.p90 - length.p50
        # As much shorter by ratio as p90 is longer: durations are spread like that, and none is below zero.
        down = up * length.p50 / length.p90 if length.p90 > 0 else 0.0
        longer.append(length.p50 + _own_and_shared(up, squares_up))
        shorter.append(max(length.p50 - _own_and_shared(down, squares_down), 0.0))
        usual.append(length.p50)
        squares_up += up * up
        squares_down += down * down
    return shorter, usual, longer


def _own_and_shared(spread: float, squares_before: float) -> float:
    growth = math.sqrt(squares_before + spread * spread) - math.sqrt(squares_before)
    return SHARED_SPREAD * spread + (1 - SHARED_SPREAD) * growth


def _pass(
    steps: Sequence[Step],
    seconds: Sequence[float],
    *,
    running_count: int,
    slots: int,
    now: datetime,
    free_at: datetime | None,
) -> list[tuple[datetime, datetime]]:
    """Begin and end of each step; it stops at the first for which there is no hour in sight."""
    # More may be running than there are slots: the concurrency was lowered meanwhile.
    free = [now] * max(slots, 1)
    placed = []
    for number, step in enumerate(steps):
        is_running = number < running_count
        earliest = heapq.heappop(free)
        ready_at = max(now if is_running else earliest, step.ready_at or now)
        if not is_running and free_at is not None:
            ready_at = max(ready_at, free_at)
        hours = step.hours or _NO_HOURS
        # What runs already goes on past a closing when it may finish, also when that was a while ago.
        if is_running and hours.closing == "finish":
            hours = _NO_HOURS
        times = hours.place(ready_at, seconds[number])
        if times is None:
            break
        heapq.heappush(free, times[1])
        placed.append(times)
    return placed


_NO_HOURS = Hours()
