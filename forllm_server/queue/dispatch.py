"""The order of work: which of the queued LLM requests of a backend runs next. Pure.

The lane decides first, then a person's own order, then priority. Among those that these leave equal, requests that
reuse what the server holds come first (the loaded model, then the cached prompt prefix: persona version and topic),
then age. A request that has waited a full day goes before all of its rank, so that grouping starves nobody.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from forllm_server.queue.model import Lane

#: A request older than this is no longer passed over for the sake of grouping.
STARVING_AFTER = timedelta(hours=24)


@dataclass(frozen=True)
class Candidate:
    """What the order needs to know of a queued LLM request."""

    id: int
    lane: Lane
    priority: int
    model_id: int | None
    persona_version_id: int | None
    topic_id: int | None
    created_at: datetime
    pinned: float | None = None


@dataclass(frozen=True)
class LastServed:
    """What a backend worked on last: the model it has loaded and the prefix it has cached."""

    model_id: int | None
    persona_version_id: int | None
    topic_id: int | None


@dataclass(frozen=True)
class RunningPrefix:
    """A request that runs now: whose prompt prefix is being read, or is read already (``is_warm``)."""

    model_id: int | None
    topic_id: int | None
    is_warm: bool


def rank(candidate: Candidate) -> tuple[int, float, int]:
    """The part of the order that grouping never overrides; smaller goes first."""
    pinned = math.inf if candidate.pinned is None else candidate.pinned
    return (0 if candidate.lane is Lane.LIVE else 1, pinned, -candidate.priority)


def choose(
    candidates: Sequence[Candidate],
    last: LastServed | None,
    now: datetime,
    running: Sequence[RunningPrefix] = (),
) -> Candidate | None:
    """The candidate to run next; None when there is none, or when each would better wait for a prefix to be warm.

    ``running``: what the backend works on beside this, where it has room for several. Two requests with one prompt
    prefix that is still being read would each read it, on two slots: the second waits until the first has begun to
    answer, unless it is run live.
    """
    if not candidates:
        return None
    best = min(rank(candidate) for candidate in candidates)
    peers = sorted((candidate for candidate in candidates if rank(candidate) == best), key=lambda peer: peer.id)
    if now - peers[0].created_at > STARVING_AFTER:
        return peers[0]
    ready = [peer for peer in peers if not _would_read_twice(peer, running)]
    if not ready:
        return None
    # Lanes side by side: what nobody is at comes before a second one on the same thread.
    return min(ready, key=lambda peer: (_is_shared(peer, running), strangeness(peer, last), peer.id))


def _would_read_twice(candidate: Candidate, running: Sequence[RunningPrefix]) -> bool:
    if candidate.lane is Lane.LIVE:
        return False
    return any(_is_same_prefix(candidate, each) and not each.is_warm for each in running)


def _is_shared(candidate: Candidate, running: Sequence[RunningPrefix]) -> bool:
    return any(_is_same_prefix(candidate, each) for each in running)


def _is_same_prefix(candidate: Candidate, running: RunningPrefix) -> bool:
    return candidate.topic_id is not None and (candidate.model_id, candidate.topic_id) == (
        running.model_id,
        running.topic_id,
    )


def strangeness(candidate: Candidate, last: LastServed | None) -> int:
    """How little is reused of what the server holds.

    0: model, thread and persona as the last one · 1: model and thread · 2: model and persona · 3: model · 4: nothing.
    A thread weighs more than a persona: it is longer, and personas asked about one post get the thread first.
    """
    if last is None or candidate.model_id != last.model_id:
        return 4
    is_same_thread = candidate.topic_id == last.topic_id
    is_same_persona = candidate.persona_version_id == last.persona_version_id
    return 3 - 2 * is_same_thread - is_same_persona
