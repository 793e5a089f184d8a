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


def rank(candidate: Candidate) -> tuple[int, float, int]:
    """The part of the order that grouping never overrides; smaller goes first."""
    pinned = math.inf if candidate.pinned is None else candidate.pinned
    return (0 if candidate.lane is Lane.LIVE else 1, pinned, -candidate.priority)


def choose(candidates: Sequence[Candidate], last: LastServed | None, now: datetime) -> Candidate | None:
    """The candidate to run next, or None when there is none."""
    if not candidates:
        return None
    best = min(rank(candidate) for candidate in candidates)
    peers = sorted((candidate for candidate in candidates if rank(candidate) == best), key=lambda peer: peer.id)
    if now - peers[0].created_at > STARVING_AFTER:
        return peers[0]
    return min(peers, key=lambda peer: (strangeness(peer, last), peer.id))


def strangeness(candidate: Candidate, last: LastServed | None) -> int:
    """How little is reused of what the server holds.

    0: same model and prefix as the last one · 1: same model and persona · 2: same model · 3: another model.
    """
    if last is None or candidate.model_id != last.model_id:
        return 3
    if candidate.persona_version_id != last.persona_version_id:
        return 2
    return 0 if candidate.topic_id == last.topic_id else 1
