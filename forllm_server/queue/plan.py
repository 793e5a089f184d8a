"""The queue in the order in which it will be served, as :func:`forllm_server.queue.dispatch.choose` would. Pure.

A claim looks at the first requests of the line (``lease_store.CANDIDATES``) and takes, among those of the best rank,
the one that reuses most of what the server holds. Here the same is done for the whole line at once: a window slides
over it, and heaps by what would be reused give the next one without looking at all of them.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from forllm_server.queue.dispatch import STARVING_AFTER, Candidate, LastServed, rank

#: Names what would be reused: the kind of reuse, then the ids it goes by.
Key = tuple[str | int | None, ...]

#: No longer line is laid out; what comes after it is only counted.
LONGEST_PLAN = 2000


def order(
    candidates: Sequence[Candidate], last: LastServed | None, now: datetime, *, window: int, limit: int = LONGEST_PLAN
) -> list[Candidate]:
    """The queued requests of one backend as they will be served, the first ``limit`` of them.

    ``last``: what the backend works on now. ``window``: how many a claim looks at.
    """
    line = sorted(candidates, key=lambda each: (rank(each), each.id))
    ordered: list[Candidate] = []
    for _, peers in groupby(line, key=rank):
        for chosen in _served(list(peers), last, now, window):
            if len(ordered) >= limit:
                return ordered
            ordered.append(chosen)
            last = LastServed(chosen.model_id, chosen.persona_version_id, chosen.topic_id)
    return ordered


def _served(peers: Sequence[Candidate], last: LastServed | None, now: datetime, window: int) -> Iterator[Candidate]:
    """Those of one rank, oldest first as given, in the order of service."""
    seen = _Window()
    entered = 0
    for _ in peers:
        while entered < len(peers) and len(seen) < window:
            seen.add(peers[entered])
            entered += 1
        chosen = seen.take(last, now)
        yield chosen
        last = LastServed(chosen.model_id, chosen.persona_version_id, chosen.topic_id)


class _Window:
    """The requests that a claim sees, to be taken out by what the server holds, then by age."""

    def __init__(self) -> None:
        self._held: dict[int, Candidate] = {}
        self._heaps: dict[Key, list[int]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def add(self, candidate: Candidate) -> None:
        self._held[candidate.id] = candidate
        for key in _keys(candidate.model_id, candidate.persona_version_id, candidate.topic_id):
            heapq.heappush(self._heaps.setdefault(key, []), candidate.id)

    def take(self, last: LastServed | None, now: datetime) -> Candidate:
        oldest = self._first(())
        assert oldest is not None
        if last is None or now - self._held[oldest].created_at > STARVING_AFTER:
            return self._held.pop(oldest)
        keys = _keys(last.model_id, last.persona_version_id, last.topic_id)
        found = next(id for key in keys if (id := self._first(key)) is not None)
        return self._held.pop(found)

    def _first(self, key: Key) -> int | None:
        """The oldest with this key that is still there."""
        heap = self._heaps.get(key, [])
        while heap and heap[0] not in self._held:
            heapq.heappop(heap)
        return heap[0] if heap else None


def _keys(model_id: int | None, persona_version_id: int | None, topic_id: int | None) -> tuple[Key, ...]:
    """What is reused, the most first; see :func:`forllm_server.queue.dispatch.strangeness`."""
    return (
        ("thread and persona", model_id, topic_id, persona_version_id),
        ("thread", model_id, topic_id),
        ("persona", model_id, persona_version_id),
        ("model", model_id),
        (),
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
