"""What comes next in a discussion. Pure: what was asked and became of it goes in, what is to be asked comes out.

Nothing is remembered between two steps but what is stored, so a discussion goes on after any crash where it was.
"""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from forllm_server.discussions.model import CLOSER, Discussion, Ending, Kind, Limits, Step, StepKind
from forllm_server.queue.model import Status

#: A turn of fewer tokens than that could not say anything.
LEAST_TOKENS = 32
#: Fewer opinions than that are none to rank, nor to answer from.
LEAST_OPINIONS = 2
#: How often a model is asked for its ranking when what it says is none.
RANKING_ATTEMPTS = 2


@dataclass(frozen=True)
class ToAsk:
    """One LLM request to be made. ``post_id``: what it answers; None: nothing in the forum.

    ``most_tokens``: what is left of the debate's. ``ending``: why it is the last one.
    """

    kind: StepKind
    seat: int
    post_id: int | None = None
    shown: tuple[int, ...] = ()
    attempt: int = 1
    most_tokens: int | None = None
    ending: Ending | None = None


@dataclass(frozen=True)
class Over:
    """Nothing more is to be asked."""

    ending: Ending
    detail: str = ""


#: What is to be asked now; nothing as long as something else must end first, or a person must help.
Next = tuple[ToAsk, ...] | Over


def next_of(discussion: Discussion, steps: Sequence[Step], *, gone: Collection[int] = ()) -> Next:
    """What comes next. ``gone``: the places whose persona is no longer there."""
    if discussion.kind is Kind.DEBATE:
        return _next_of_debate(discussion, steps)
    return _next_of_council(discussion, steps, gone)


def planned_of(discussion: Discussion, steps: Sequence[Step]) -> list[tuple[StepKind, int]]:
    """What is still to be asked as far as one can know: kind and place, in the order of asking."""
    if not discussion.is_open:
        return []
    closing = [(StepKind.SUMMARY if discussion.kind is Kind.DEBATE else StepKind.ANSWER, CLOSER)]
    asked = {step.kind for step in steps}
    if discussion.closer is None or closing[0][0] in asked:
        closing = []
    if discussion.kind is Kind.DEBATE:
        turns = sum(step.kind is StepKind.TURN for step in steps)
        number = 0 if discussion.ending else max((discussion.limits.turns or turns) - turns, 0)
        seats = [(turns + each) % len(discussion.seats) for each in range(number)]
        return [*((StepKind.TURN, seat) for seat in seats), *closing]
    places = range(len(discussion.seats))
    kinds = [kind for kind in (StepKind.OPINION, StepKind.RANKING) if closing and kind not in asked]
    return [*((kind, seat) for kind in kinds for seat in places), *closing]


def used_of(steps: Sequence[Step]) -> Limits:
    """How many turns, tokens and whole minutes of its models a debate has had."""
    turns = turns_of(steps)
    return Limits(len(turns), sum(turn.output_tokens for turn in turns), int(_seconds(turns) // 60))


def stuck_at(discussion: Discussion, steps: Sequence[Step]) -> Step | None:
    """The step that failed and without which it does not go on; a person can have it tried again."""
    if not discussion.is_open or any(step.is_live for step in steps):
        return None
    needed = [step for step in steps if step.kind not in (StepKind.OPINION, StepKind.RANKING)]
    return needed[-1] if needed and needed[-1].status is Status.FAILED else None


def turns_of(steps: Sequence[Step]) -> list[Step]:
    """The turns that were taken."""
    return [step for step in steps if step.kind is StepKind.TURN and step.is_done]


def opinions_of(steps: Sequence[Step]) -> dict[int, Step]:
    """The opinions that are there, by place."""
    found = [step for step in steps if step.kind is StepKind.OPINION and step.is_done and step.is_post_there]
    return {step.seat: step for step in found}


def rankings_of(steps: Sequence[Step]) -> list[tuple[int, tuple[int, ...]]]:
    """(who ranked, the places from the best to the worst) of all rankings that could be read."""
    return [(step.seat, step.ranked) for step in steps if step.kind is StepKind.RANKING and step.ranked]


def order_of(seed: int, seat: int, attempt: int, places: Collection[int]) -> tuple[int, ...]:
    """The order in which answers are shown to somebody: another one for each and each time, the same whenever asked."""
    order = sorted(places)
    random.Random(f"{seed}/{seat}/{attempt}").shuffle(order)
    return tuple(order)


def _next_of_debate(discussion: Discussion, steps: Sequence[Step]) -> Next:
    summary = next((step for step in reversed(steps) if step.kind is StepKind.SUMMARY), None)
    if summary is not None:
        return _after_closing(summary, discussion.ending or Ending.TURNS, discussion.ending_detail)
    last = steps[-1] if steps else None
    if last is None:
        return (ToAsk(StepKind.TURN, 0, discussion.post_id, most_tokens=discussion.limits.tokens),)
    if last.is_live or last.status is Status.FAILED:
        return ()
    if not last.is_done:
        return Over(Ending.CALLED_OFF)
    if not last.is_post_there:
        return Over(Ending.GONE)
    turns = turns_of(steps)
    ending = _reached(discussion.limits, turns)
    if ending is None:
        seat = len(turns) % len(discussion.seats)
        return (ToAsk(StepKind.TURN, seat, last.post_id, most_tokens=_left(discussion.limits, turns)),)
    if discussion.closer is None:
        return Over(ending)
    return (ToAsk(StepKind.SUMMARY, CLOSER, last.post_id, ending=ending),)


def _reached(limits: Limits, turns: Sequence[Step]) -> Ending | None:
    left = _left(limits, turns)
    if limits.turns is not None and len(turns) >= limits.turns:
        return Ending.TURNS
    if left is not None and left < LEAST_TOKENS:
        return Ending.TOKENS
    if limits.minutes is not None and _seconds(turns) >= limits.minutes * 60:
        return Ending.MINUTES
    return None


def _left(limits: Limits, turns: Sequence[Step]) -> int | None:
    return None if limits.tokens is None else limits.tokens - sum(turn.output_tokens for turn in turns)


def _seconds(steps: Sequence[Step]) -> float:
    return sum(step.seconds for step in steps)


def _next_of_council(discussion: Discussion, steps: Sequence[Step], gone: Collection[int]) -> Next:
    answer = next((step for step in reversed(steps) if step.kind is StepKind.ANSWER), None)
    if answer is not None:
        return _after_closing(answer, Ending.ANSWERED)
    opinions = [step for step in steps if step.kind is StepKind.OPINION]
    if not opinions:
        places = range(len(discussion.seats))
        return tuple(ToAsk(StepKind.OPINION, seat, discussion.post_id) for seat in places)
    if any(step.is_live for step in opinions):
        return ()
    there = opinions_of(steps)
    if len(there) < LEAST_OPINIONS:
        return Over(Ending.TOO_FEW)
    rankings = [step for step in steps if step.kind is StepKind.RANKING]
    asks = []
    for seat in range(len(discussion.seats)):
        if len(there.keys() - {seat}) >= LEAST_OPINIONS and seat not in gone:
            asks += _ranking(discussion, seat, there, [step for step in rankings if step.seat == seat])
    if asks or any(step.is_live for step in rankings):
        return tuple(asks)
    return (ToAsk(StepKind.ANSWER, CLOSER, discussion.post_id),)


def _ranking(discussion: Discussion, seat: int, there: Collection[int], tries: Sequence[Step]) -> list[ToAsk]:
    is_unreadable = bool(tries) and tries[-1].is_done and tries[-1].ranked is None
    if tries and not (is_unreadable and len(tries) < RANKING_ATTEMPTS):
        return []
    attempt = len(tries) + 1
    shown = order_of(discussion.seed, seat, attempt, there)
    return [ToAsk(StepKind.RANKING, seat, shown=shown, attempt=attempt)]


def _after_closing(step: Step, ending: Ending, detail: str = "") -> Next:
    if step.is_live or step.status is Status.FAILED:
        return ()
    return Over(ending, detail) if step.is_done else Over(Ending.CALLED_OFF)
