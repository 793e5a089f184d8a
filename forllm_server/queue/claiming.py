"""Taking the next LLM request, under the rules of windows, breakers and concurrency; and taking back lost ones."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from forllm_server.queue import backend_state_store, lease_store, picks_store
from forllm_server.queue.dispatch import LastServed, choose, served
from forllm_server.queue.identity import is_gone
from forllm_server.queue.llm_request_store import list_for_change
from forllm_server.queue.model import Cause, LlmRequest, Status
from forllm_server.queue.picks_store import Queued
from forllm_server.queue.retry import BREAKER_FAILURES, Decision, Fault, called_off, decide
from forllm_server.queue.telling import tell_failed

#: How long a worker's hold lasts without a sign of life.
LEASE = timedelta(seconds=30)


@dataclass(frozen=True)
class ClaimableBackend:
    """What a claim must know of an enabled backend. ``fans_out``: see :func:`dispatch.may_fan_out`."""

    id: int
    concurrency: int
    is_window_open: bool
    fans_out: bool = True


@dataclass(frozen=True)
class Claimed:
    """A request with its lease; ``failures``: how often in a row its backend had failed before."""

    request: LlmRequest
    failures: int


def claim(
    connection: Connection,
    *,
    backends: Sequence[ClaimableBackend],
    worker: str,
    now: datetime,
    own_last: Mapping[int, LastServed] | None = None,
) -> Claimed | None:
    """Take the next request of the first backend that has room and work. The caller's transaction makes it so.

    Outside its window a backend runs only the live lane ("run now"). ``own_last``: by backend, what the place that
    asks has served last: where a backend has several, each keeps to its own thread.
    """
    for backend in backends:
        queued = picks_store.find_queued(
            connection, backend.id, only_live=not backend.is_window_open, fans_out=backend.fans_out
        )
        if queued is None or not _has_room(backend, queued, now):
            continue
        last = _last(queued, (own_last or {}).get(backend.id) if backend.concurrency > 1 else None)
        picks = picks_store.find_picks(connection, backend.id, queued, last, fans_out=backend.fans_out)
        chosen = choose(picks, last, now)
        request = lease_store.update_to_running(
            connection, chosen.id, token=secrets.token_hex(8), until=now + LEASE, worker=worker, now=now
        )
        if request is None:
            continue
        after = served(chosen, picks, last)
        if after != queued.last:
            backend_state_store.replace_last_served(connection, backend.id, after, now=now)
        return Claimed(request, queued.failures)
    return None


def _last(queued: Queued, own: LastServed | None) -> LastServed | None:
    """What the backend served last; the thread is that of the place that asks, if its model is still the loaded one."""
    last = queued.last
    if last is None or own is None or own.model_id != last.model_id:
        return last
    return replace(last, persona_version_id=own.persona_version_id, topic_id=own.topic_id)


def _has_room(backend: ClaimableBackend, queued: Queued, now: datetime) -> bool:
    if queued.open_until is not None and queued.open_until > now:
        return False
    # Half open: a backend that has failed is tried with one request before it gets its full share again.
    limit = 1 if queued.failures >= BREAKER_FAILURES else backend.concurrency
    return queued.running_count < limit


def rescue_expired(connection: Connection, now: datetime, dice: Callable[[], float]) -> list[LlmRequest]:
    """Take back the requests whose lease has run out: their worker is gone or stood still."""
    return _rescue(connection, list_expired(connection, now), now, dice)


def list_expired(connection: Connection, now: datetime) -> list[LlmRequest]:
    """The running requests without a lease that holds. One that ends later than any can: the clock was set back."""
    return lease_store.list_running(connection, expired_before=now, impossible_after=now + 2 * LEASE)


def rescue_orphans(connection: Connection, now: datetime, dice: Callable[[], float]) -> list[LlmRequest]:
    """At start: take back the requests of processes of this host that no longer exist, without waiting for a lease."""
    orphans = [
        request for request in lease_store.list_running(connection) if request.worker and is_gone(request.worker)
    ]
    return _rescue(connection, orphans, now, dice)


def _rescue(
    connection: Connection, lost: Sequence[LlmRequest], now: datetime, dice: Callable[[], float]
) -> list[LlmRequest]:
    rescued = []
    ids = list_for_change(connection, [request.id for request in lost])
    # Read under the lock: a person may have called one off since.
    flags = lease_store.list_cancel_flags(connection, ids)
    for request in lost:
        _, is_called_off = flags.get(request.id, (None, False))
        decision = called_off(request.attempts) if is_called_off else _decide_lost(request, now, dice())
        if lease_store.update_abandoned(connection, request, decision, now=now):
            rescued.append(request)
            if decision.status is Status.FAILED:
                tell_failed(connection, request, decision.cause, decision.detail, now)
    return rescued


def _decide_lost(request: LlmRequest, now: datetime, dice: float) -> Decision:
    detail = "FORLLM was interrupted while this was being answered (killed, crashed, or a power failure)."
    decision = decide(
        Fault(Cause.WORKER_LOST, detail),
        attempts=request.attempts,
        max_attempts=request.max_attempts,
        now=now,
        dice=dice,
    )
    if decision.status is Status.WAITING and request.attempts == 0:
        # The first loss is nearly always a restart or a power cut: go on at once. Only a repeated one backs off.
        return Decision(Status.QUEUED, decision.attempts, None, decision.cause, decision.detail)
    return decision
