"""Which part of each backend's line a page shows, and what is told of the rest. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from forllm_server.queue.plan import Placed
from forllm_server.queue.plan_store import Crowd

#: So many different kinds of what is not shown are named one by one.
_KINDS_NAMED = 6


@dataclass(frozen=True)
class Share:
    """Of the line of a backend, ``placed`` in the order of service, the places ``start`` to ``stop`` (from 0, the last
    one not included) are shown. ``behind``: what stands behind the longest plan, (model's id, number).
    """

    backend_id: int
    placed: tuple[Placed, ...]
    start: int
    stop: int
    behind: tuple[tuple[int, int], ...] = ()

    @property
    def number(self) -> int:
        """How many stand in this line in all."""
        return len(self.placed) + sum(number for _, number in self.behind)

    @property
    def rest_count(self) -> int:
        """How many stand behind those that are shown."""
        return self.number - self.stop

    def ids(self) -> list[int]:
        """The ids of those that are shown, and one more at each side: whom the first and the last can pass."""
        return [each.id for each in self.placed[max(self.start - 1, 0) : self.stop + 1]]

    def runs(self) -> Iterator[tuple[int, int]]:
        """(begin, end) of each run on one model in one opening that is shown at least in part."""
        begin = 0
        for _, members in groupby(self.placed, key=lambda each: (each.model_id, each.opens_at)):
            end = begin + sum(1 for _ in members)
            if begin < self.stop and end > self.start:
                yield begin, end
            begin = end

    def rest(self) -> list[tuple[int | None, datetime | None, int]]:
        """(model, opening, number) of what stands behind those that are shown, in the order of service.

        What is behind the longest plan has no opening yet. When there are very many kinds the last are left out.
        """
        kinds: Counter[tuple[int | None, datetime | None]] = Counter()
        for each in self.placed[self.stop :]:
            kinds[each.model_id, each.opens_at] += 1
        for model_id, number in self.behind:
            kinds[model_id, None] += number
        return [(model_id, opens_at, number) for (model_id, opens_at), number in kinds.items()][:_KINDS_NAMED]


def lines_of(plan: Sequence[Placed], crowds: Sequence[Crowd]) -> dict[int, Share]:
    """The line of each backend that has one, nothing of it shown yet. ``crowds``: all queued ones, where a line is
    longer than the plan; else none.
    """
    lines = {}
    for backend_id, members in groupby(plan, key=lambda each: each.backend_id):
        placed = tuple(members)
        planned = Counter(each.model_id for each in placed)
        every: Counter[int] = Counter()
        for crowd in crowds:
            if crowd.backend_id == backend_id:
                every[crowd.model_id] += crowd.number
        behind = tuple((model_id, number - planned[model_id]) for model_id, number in every.items())
        lines[backend_id] = Share(backend_id, placed, 0, 0, tuple(each for each in behind if each[1] > 0))
    return lines


def shared_out(lines: Mapping[int, Share], most: int) -> list[Share]:
    """The beginning of each line, ``most`` in all: short lines whole, the others alike."""
    left, stops = most, {}
    for number, share in enumerate(sorted(lines.values(), key=lambda each: len(each.placed))):
        stops[share.backend_id] = min(len(share.placed), left // (len(lines) - number))
        left -= stops[share.backend_id]
    return [replace(share, stop=stops[share.backend_id]) for share in lines.values()]
