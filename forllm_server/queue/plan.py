"""The queue in the order in which it will be served, as :func:`forllm_server.queue.dispatch.choose` would. Pure.

A claim asks the database for what it chooses among (``queue/picks_store.py``). Here the same is found for the whole
line at once: in heaps, so that the next one is known without looking at all of them.
"""

import heapq
from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from forllm_server.queue.dispatch import Candidate, LastServed, Picks, choose, load, persona_order, rank, served

#: What has to be loaded: model and context size.
Load = tuple[int | None, int | None]
#: Names what is reused, or whose turn it is: the kind, then what it goes by.
Key = tuple[str | int | Load | None, ...]

#: No longer line is laid out; what comes after it is only counted.
LONGEST_PLAN = 2000


def order(
    candidates: Sequence[Candidate], last: LastServed | None, now: datetime, *, limit: int = LONGEST_PLAN
) -> list[Candidate]:
    """The queued requests of one backend as they will be served one after another, the first ``limit`` of them.

    ``last``: what the backend served last, as it is kept with it.
    """
    line = sorted(candidates, key=lambda each: (rank(each), each.id))
    ordered: list[Candidate] = []
    for _, peers in groupby(line, key=rank):
        shelf = _Shelf(peers)
        while len(shelf) and len(ordered) < limit:
            picks = shelf.pick(last)
            chosen = choose(picks, last, now)
            last = served(chosen, picks, last)
            shelf.take(chosen)
            ordered.append(chosen)
    return ordered


class _Shelf:
    """Requests of one rank, found by what the order asks for."""

    def __init__(self, peers: Iterable[Candidate]) -> None:
        self._held: dict[int, Candidate] = {}
        self._heaps: dict[Key, list[tuple[int, int]]] = {}
        #: by what has to be loaded: whose requests there are, and how many of each
        self._owners: dict[Load, list[int]] = {}
        self._numbers: dict[tuple[Load, int], int] = {}
        for each in peers:
            self._add(each)

    def __len__(self) -> int:
        return len(self._held)

    def _add(self, candidate: Candidate) -> None:
        self._held[candidate.id] = candidate
        heapq.heappush(self._heaps.setdefault((), []), (0, candidate.id))
        for key in _keys(candidate, candidate.owner_id):
            heapq.heappush(self._heaps.setdefault(key, []), persona_order(candidate))
        pair = (load(candidate), candidate.owner_id)
        if not self._numbers.get(pair):
            insort(self._owners.setdefault(load(candidate), []), candidate.owner_id)
        self._numbers[pair] = self._numbers.get(pair, 0) + 1

    def take(self, candidate: Candidate) -> None:
        del self._held[candidate.id]
        pair = (load(candidate), candidate.owner_id)
        self._numbers[pair] -= 1
        if not self._numbers[pair]:
            self._owners[load(candidate)].remove(candidate.owner_id)

    def pick(self, last: LastServed | None) -> Picks:
        """The same as :func:`forllm_server.queue.dispatch.pick` finds by looking at each."""
        oldest = self._first(())
        assert oldest is not None
        owners = self._owners.get(load(last)) if last else None
        if last is None or not owners or oldest.pinned is not None:
            return Picks(oldest, len(self) > 1)
        following = bisect_right(owners, last.owner_id)
        prompt, thread, persona, turn = _keys(last, owners[following % len(owners)])
        has_thread = last.topic_id is not None
        return Picks(
            oldest,
            len(self) > 1,
            same_prompt=self._first(prompt) if has_thread else None,
            same_thread=self._first(thread) if has_thread else None,
            next_persona=self._first(persona),
            next_first=self._first(turn),
        )

    def _first(self, key: Key) -> Candidate | None:
        """The first by this key that is still there."""
        heap = self._heaps.get(key, [])
        while heap and heap[0][1] not in self._held:
            heapq.heappop(heap)
        return self._held[heap[0][1]] if heap else None


def _keys(like: Candidate | LastServed, owner_id: int) -> tuple[Key, Key, Key, Key]:
    """Where its prompt, its thread, its persona and its owner's requests are found."""
    persona, loaded = like.persona_version_id or 0, load(like)
    return (
        ("prompt", loaded, like.topic_id, persona),
        ("thread", loaded, like.topic_id),
        ("persona", loaded, owner_id, persona),
        ("turn", loaded, owner_id),
    )


@dataclass(frozen=True)
class Placed:
    """A request in the plan. ``opens_at``: the opening it waits for; None when it may begin as soon as it is free."""

    id: int
    backend_id: int
    model_id: int | None
    opens_at: datetime | None


@dataclass(frozen=True)
class Group:
    """Requests that follow one another on a backend, in one opening, on one model."""

    backend_id: int
    model_id: int | None
    opens_at: datetime | None
    llm_request_ids: tuple[int, ...]


def grouped(plan: Iterable[Placed]) -> list[Group]:
    """The plan as it is shown: by window and model, the order kept."""
    groups = []
    for (backend_id, model_id, opens_at), members in groupby(
        plan, key=lambda each: (each.backend_id, each.model_id, each.opens_at)
    ):
        groups.append(Group(backend_id, model_id, opens_at, tuple(each.id for each in members)))
    return groups
