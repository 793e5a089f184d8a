"""The order of work: which of the queued LLM requests of a backend runs next. Pure.

The lane decides first, then a person's own order, then priority. Those that these leave equal are *peers*; among them

1. the oldest goes first when it has been passed over too often, or for a full day (:func:`is_due`);
2. the loaded model goes on, with the context size it is loaded with where that is part of loading it; when it has
   nothing left, the oldest peer decides what is loaded next;
3. within a model the thread that the server holds goes on, persona by persona, each by age;
4. when it ends, or its owner has had a turn (:data:`TURN`) while others wait, the next owner has theirs; of an
   owner's requests those of the persona that the server holds go first, then persona by persona, each by age.

What has to be known for this are six requests at most (:class:`Picks`), however long the line is: a claim reads them
by index (``queue/picks_store.py``), the plan of the whole line finds them in heaps (``queue/plan.py``).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from forllm_server.queue.estimate import Habit, Rates
from forllm_server.queue.model import Lane

#: A request that has waited so long may be passed over ``PATIENCE`` times more, by which those that share its rank
#: still run in groups.
STARVING_AFTER = timedelta(hours=24)
PATIENCE = 100
#: However young it is, it is passed over no more often than this.
MOST_PASSED_OVER = 500
#: How many requests an owner has answered in a row while others wait for the same model.
TURN = 8
#: A thread is read again beside its first reader when that takes at most this share of the time an answer is written.
#: Two at once write less than twice as fast as one, so it has to be well below 1.
WORTH_READING_AGAIN = 0.5


@dataclass(frozen=True)
class Candidate:
    """What the order needs to know of a queued LLM request.

    ``context_tokens``: what its model has to be loaded with, where a server loads models by the context of the request
    (Ollama); None elsewhere.
    """

    id: int
    lane: Lane
    priority: int
    model_id: int | None
    persona_version_id: int | None
    topic_id: int | None
    created_at: datetime
    pinned: float | None = None
    owner_id: int = 0
    context_tokens: int | None = None


@dataclass(frozen=True)
class LastServed:
    """What a backend worked on last: the model it has loaded and the prefix it has cached, and whose turn it was.

    ``passed_over``: how often in a row the oldest peer was not the one. ``in_turn``: how many in a row the owner had
    while others waited. ``context_tokens``: what the model is loaded with; None where nobody knows, or where it is not
    part of loading.
    """

    model_id: int | None
    persona_version_id: int | None
    topic_id: int | None
    owner_id: int = 0
    passed_over: int = 0
    in_turn: int = 0
    context_tokens: int | None = None


@dataclass(frozen=True)
class Picks:
    """All that a choice depends on. The last four are of the oldest's rank and need no load, or None.

    ``has_peers``: another one has the oldest's rank. ``same_prompt``: thread and persona are those last served;
    ``same_thread``: the first of the thread, persona by persona. ``next_persona`` and ``next_first``: of the owner
    whose turn comes (the only one's, where there are no others) that of the persona last served, and the first.
    """

    oldest: Candidate
    has_peers: bool
    same_prompt: Candidate | None = None
    same_thread: Candidate | None = None
    next_persona: Candidate | None = None
    next_first: Candidate | None = None


def rank(candidate: Candidate) -> tuple[int, float, int]:
    """The part of the order that grouping never overrides; smaller goes first."""
    pinned = math.inf if candidate.pinned is None else candidate.pinned
    return (0 if candidate.lane is Lane.LIVE else 1, pinned, -candidate.priority)


def persona_order(candidate: Candidate) -> tuple[int, int]:
    """Persona by persona, each by age."""
    return (candidate.persona_version_id or 0, candidate.id)


def load(of: Candidate | LastServed) -> tuple[int | None, int | None]:
    """What a server must have loaded for it: two requests with the same need no load between them."""
    return (of.model_id, of.context_tokens)


def choose(picks: Picks, last: LastServed | None, now: datetime) -> Candidate:
    """The request to run next."""
    if last is None or picks.oldest.pinned is not None or picks.next_first is None or is_due(picks, last, now):
        return picks.oldest
    if picks.same_thread is not None and last.in_turn < TURN:
        return picks.same_prompt or picks.same_thread
    return picks.next_persona or picks.next_first


def is_due(picks: Picks, last: LastServed, now: datetime) -> bool:
    """Whether the oldest may not be passed over any more."""
    is_starving = now - picks.oldest.created_at > STARVING_AFTER
    return last.passed_over >= (PATIENCE if is_starving else MOST_PASSED_OVER)


def served(chosen: Candidate, picks: Picks, last: LastServed | None) -> LastServed:
    """What the backend has worked on last once this one is chosen, and how the turns then stand."""
    after = LastServed(
        chosen.model_id,
        chosen.persona_version_id,
        chosen.topic_id,
        chosen.owner_id,
        context_tokens=chosen.context_tokens,
    )
    if last is None:
        return after
    return replace(after, passed_over=_passed_over(chosen, picks, last), in_turn=_in_turn(chosen, picks, last))


def _passed_over(chosen: Candidate, picks: Picks, last: LastServed) -> int:
    if chosen.id != picks.oldest.id:
        return last.passed_over + 1
    # One that is alone in its rank ("run now", moved by hand) tells nothing of those behind it.
    return 0 if picks.has_peers else last.passed_over


def _in_turn(chosen: Candidate, picks: Picks, last: LastServed) -> int:
    first = picks.next_first
    is_alone = first is None or first.owner_id == last.owner_id
    if is_alone or load(chosen) != load(last):
        return 0
    return last.in_turn + 1 if chosen.owner_id == last.owner_id else 1


def pick(candidates: Sequence[Candidate], last: LastServed | None) -> Picks | None:
    """The picks among these; None when there are none. For short lines: it looks at each."""
    if not candidates:
        return None
    best = min(rank(each) for each in candidates)
    peers = [each for each in candidates if rank(each) == best]
    picks = Picks(min(peers, key=lambda each: each.id), has_peers=len(peers) > 1)
    group = [each for each in peers if last is not None and load(each) == load(last)]
    if last is None or not group or picks.oldest.pinned is not None:
        return picks
    thread = [each for each in group if last.topic_id is not None and each.topic_id == last.topic_id]
    owner_id = next_owner((each.owner_id for each in group), last.owner_id)
    turn = [each for each in group if each.owner_id == owner_id]
    return replace(
        picks,
        same_prompt=_first(each for each in thread if _is_same_persona(each, last)),
        same_thread=_first(thread),
        next_persona=_first(each for each in turn if _is_same_persona(each, last)),
        next_first=_first(turn),
    )


def next_owner(owner_ids: Iterable[int], after: int) -> int:
    """Whose turn comes after an owner's: the next greater id, after the greatest the smallest."""
    return min(owner_ids, key=lambda each: (each <= after, each))


def may_fan_out(rates: Rates | None, habit: Habit | None, *, is_held_by_place: bool) -> bool:
    """Whether a second request on a thread may run beside a first one, once that one has read it.

    ``is_held_by_place``: each place of the server (llama.cpp's slots) holds what it has read for itself alone, so that
    the second one reads the whole thread again, and pushes out what another place may still have needed. That pays
    where reading is quick beside writing, as on a GPU with long answers; elsewhere the thread's requests are better
    served one after another. Until both were measured they are.
    """
    if not is_held_by_place:
        return True
    if rates is None or habit is None or not rates.prompt_tokens_per_second or not rates.generation_tokens_per_second:
        return False
    reading = habit.prompt_tokens / rates.prompt_tokens_per_second
    return reading <= WORTH_READING_AGAIN * habit.output_p50 / rates.generation_tokens_per_second


def _is_same_persona(candidate: Candidate, last: LastServed) -> bool:
    return (candidate.persona_version_id or 0) == (last.persona_version_id or 0)


def _first(candidates: Iterable[Candidate]) -> Candidate | None:
    return min(candidates, key=persona_order, default=None)
