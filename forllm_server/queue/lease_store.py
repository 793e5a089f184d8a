"""Everything a worker writes: the claim that gives it a lease, and the writes that the lease's token fences.

A write whose token is no longer the row's changes nothing and says so (``False`` or ``None``): the lease ran out and
somebody else has the request now. The design and its measurements: docs/queue.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, false, func, literal_column, null, select, text, update

from forllm_server.db.types import Id, UtcDateTime
from forllm_server.queue.chain_store import update_children_of_answered, update_descendants_to_ended
from forllm_server.queue.chunk_store import delete_chunks
from forllm_server.queue.event_store import insert_event, insert_events, insert_success
from forllm_server.queue.llm_request_store import COLUMNS, from_row
from forllm_server.queue.model import Happening, Lane, LlmRequest, Status
from forllm_server.queue.retry import Decision, called_off
from forllm_server.queue.tables import llm_requests
from forllm_server.queue.version_store import bump_topic_version, bump_versions

_c = llm_requests.c

#: What a claim changes to what it knows, so that it need not be read back; the rest is.
_MADE_BY_CLAIM: Mapping[str, Any] = {
    "status": Status.RUNNING,
    "first_token_at": None,
    "finished_at": None,
    "due_at": None,
    "cause": None,
    "cause_detail": None,
    "output_tokens": 0,
    "is_cancel_requested": False,
}
_TOLD_TO_CLAIM = ("lease_token", "lease_until", "worker", "started_at")
_READ_BY_CLAIM = tuple(each for each in COLUMNS if each.name not in {*_MADE_BY_CLAIM, *_TOLD_TO_CLAIM})
_NAMES_READ = tuple(each.name for each in _READ_BY_CLAIM)
# Literals where a value is always the same: each bound one is prepared anew for every request.
_CLAIM = (
    update(llm_requests)
    .where(_c.id == bindparam("id_", type_=Id), text("status = 'queued'"))
    .values(
        status=literal_column("'running'"),
        run=_c.run + literal_column("1"),
        lease_token=bindparam("token"),
        lease_until=bindparam("until", type_=UtcDateTime()),
        worker=bindparam("by"),
        started_at=bindparam("now", type_=UtcDateTime()),
        first_token_at=null(),
        finished_at=null(),
        due_at=null(),
        cause=null(),
        cause_detail=null(),
        output_tokens=literal_column("0"),
        is_cancel_requested=false(),
    )
    .returning(*_READ_BY_CLAIM)
)
_FENCED = update(llm_requests).where(
    _c.id == bindparam("id_", type_=Id), text("status = 'running'"), _c.lease_token == bindparam("token")
)
_RENEW = _FENCED.values(lease_until=bindparam("until", type_=UtcDateTime())).returning(_c.is_cancel_requested)
_CHECKPOINT = _FENCED.values(
    lease_until=bindparam("until", type_=UtcDateTime()),
    output_tokens=bindparam("tokens"),
    first_token_at=func.coalesce(_c.first_token_at, bindparam("first", type_=UtcDateTime())),
).returning(_c.is_cancel_requested)


@dataclass(frozen=True)
class Lease:
    """A worker's hold on a running LLM request."""

    llm_request_id: int
    token: str
    run: int
    topic_id: int | None


def update_to_running(
    connection: Connection, llm_request_id: int, *, token: str, until: datetime, worker: str, now: datetime
) -> LlmRequest | None:
    """Take a queued request; None when another worker was quicker."""
    told = {"id_": llm_request_id, "token": token, "until": until, "by": worker, "now": now}
    row = connection.execute(_CLAIM, told).first()
    if row is None:
        return None
    read = dict(zip(_NAMES_READ, row, strict=True))
    read["lane"] = Lane(read["lane"])
    request = LlmRequest(**read, **_MADE_BY_CLAIM, lease_token=token, lease_until=until, worker=worker, started_at=now)
    # Nobody waits for a claim, so nobody is woken by it.
    bump_versions(connection, request.topic_id, wakes=False)
    insert_event(connection, request.id, Happening.CLAIMED, at=now, run=request.run, worker=worker)
    return request


def update_lease(connection: Connection, lease: Lease, *, until: datetime) -> bool | None:
    """Renew while the backend is silent. Returns whether a cancel was asked for; None when the lease is lost."""
    return connection.execute(
        _RENEW, {"id_": lease.llm_request_id, "token": lease.token, "until": until}
    ).scalar_one_or_none()


def update_progress(
    connection: Connection,
    lease: Lease,
    *,
    until: datetime,
    output_tokens: int,
    first_token_at: datetime,
    is_first: bool = False,
) -> bool | None:
    """Renew and count, as part of a checkpoint, the first of a run or a later one. Returns as :func:`update_lease`."""
    values = {"id_": lease.llm_request_id, "token": lease.token, "until": until, "tokens": output_tokens}
    asked = connection.execute(_CHECKPOINT, values | {"first": first_token_at}).scalar_one_or_none()
    if asked is not None and lease.topic_id is not None:
        bump_topic_version(connection, lease.topic_id)
    if asked is not None and is_first:
        insert_event(connection, lease.llm_request_id, Happening.FIRST_TOKEN, at=first_token_at, run=lease.run)
    return asked


_SUCCEED = _FENCED.values(
    status=literal_column("'succeeded'"),
    finished_at=bindparam("now", type_=UtcDateTime()),
    lease_token=null(),
    lease_until=null(),
    cause=null(),
    cause_detail=null(),
    attempts=_c.attempts + literal_column("1"),
    usage=bindparam("usage_", type_=llm_requests.c.usage.type),
    finish_reason=bindparam("reason"),
    output_tokens=bindparam("tokens"),
    first_token_at=func.coalesce(_c.first_token_at, bindparam("first", type_=UtcDateTime())),
    reply_post_id=bindparam("reply", type_=Id),
)


@dataclass(frozen=True)
class Outcome:
    """How a run ended well. ``has_chunks``: there is a partial text to be dropped."""

    usage: Mapping[str, Any] | None
    finish_reason: str
    output_tokens: int
    has_chunks: bool
    first_token_at: datetime | None
    #: the first checkpoint has said already when the answer began
    is_first_token_noted: bool = False


def update_to_succeeded(
    connection: Connection, lease: Lease, outcome: Outcome, reply_post_id: int | None, *, now: datetime
) -> bool:
    """The end of a good run, in one transaction with its reply; False when the lease is lost."""
    result = connection.execute(
        _SUCCEED,
        {
            "id_": lease.llm_request_id,
            "token": lease.token,
            "usage_": dict(outcome.usage) if outcome.usage is not None else None,
            "reason": outcome.finish_reason,
            "tokens": outcome.output_tokens,
            "first": outcome.first_token_at,
            "reply": reply_post_id,
            "now": now,
        },
    )
    if result.rowcount != 1:
        return False
    if reply_post_id is not None:
        update_children_of_answered(connection, lease.llm_request_id, reply_post_id, now)
    if outcome.has_chunks:
        delete_chunks(connection, lease.llm_request_id)
    bump_versions(connection, lease.topic_id)
    begun_at = None if outcome.is_first_token_noted else outcome.first_token_at
    insert_success(connection, lease.llm_request_id, first_token_at=begun_at, at=now, run=lease.run)
    return True


_LOCK_CALLED_OFF = (
    select(_c.is_cancel_requested)
    .where(_c.id == bindparam("id_", type_=Id), text("status = 'running'"), _c.lease_token == bindparam("token"))
    .with_for_update()
)


def update_unfinished(connection: Connection, lease: Lease, decision: Decision, *, now: datetime) -> Decision | None:
    """End a run that gave no reply, as decided; the partial text stays. What was stored; None: the lease is lost.

    What a person has called off is not begun again, even when its run ended before it heard of that.
    """
    if decision.status in (Status.QUEUED, Status.WAITING):
        named = {"id_": lease.llm_request_id, "token": lease.token}
        if connection.execute(_LOCK_CALLED_OFF, named).scalar_one_or_none():
            decision = called_off(decision.attempts)
    result = connection.execute(
        _FENCED.values(**_decided(decision, now)), {"id_": lease.llm_request_id, "token": lease.token}
    )
    if result.rowcount != 1:
        return None
    _end_descendants(connection, lease.llm_request_id, decision, now)
    bump_versions(connection, lease.topic_id)
    name = _HAPPENINGS[decision.status]
    insert_event(connection, lease.llm_request_id, name, at=now, run=lease.run, detail=decision.detail)
    return decision


#: What it is called when a run ends in this state without a reply.
_HAPPENINGS = {
    Status.FAILED: Happening.FAILED,
    Status.CANCELLED: Happening.CANCELLED,
    Status.WAITING: Happening.RETRY_WAITS,
    Status.QUEUED: Happening.RELEASED,
}


def _end_descendants(connection: Connection, llm_request_id: int, decision: Decision, now: datetime) -> None:
    """What waits for this one's answer ends with it; before the versions, for all requests are locked before them."""
    if decision.status in (Status.FAILED, Status.CANCELLED):
        update_descendants_to_ended(connection, llm_request_id, decision.status, now)


def _decided(decision: Decision, now: datetime) -> dict[str, Any]:
    is_final = decision.status not in ("queued", "waiting")
    return {
        "status": decision.status.value,
        "attempts": decision.attempts,
        "due_at": decision.due_at,
        "cause": decision.cause.value,
        "cause_detail": decision.detail,
        "finished_at": now if is_final else None,
        "lease_token": None,
        "lease_until": None,
    }


def list_running(
    connection: Connection, *, expired_before: datetime | None = None, impossible_after: datetime | None = None
) -> list[LlmRequest]:
    """The running requests; with ``expired_before`` those whose lease ended before it.

    ``impossible_after``: and those whose lease ends later than any can, for the clock was set back since.
    """
    # In the order of their index: without it SQLite would read the whole history once statistics say that statuses
    # tell little apart, and this is asked every few seconds.
    query = select(*COLUMNS).where(text("status = 'running'")).order_by(_c.backend_id, _c.lease_until)
    if expired_before is not None:
        is_over = _c.lease_until < expired_before
        query = query.where(is_over if impossible_after is None else is_over | (_c.lease_until > impossible_after))
    return [from_row(row) for row in connection.execute(query).mappings()]


def list_cancel_flags(connection: Connection, llm_request_ids: Sequence[int]) -> dict[int, tuple[str | None, bool]]:
    """For each of these requests that still runs: (its lease's token, whether a cancel was asked for)."""
    rows = connection.execute(
        select(_c.id, _c.lease_token, _c.is_cancel_requested).where(
            _c.id.in_(llm_request_ids), text("status = 'running'")
        )
    )
    return {row.id: (row.lease_token, row.is_cancel_requested) for row in rows}


def update_abandoned(connection: Connection, request: LlmRequest, decision: Decision, *, now: datetime) -> bool:
    """Take a running request from a worker that is gone. Fenced by the dead lease's token: it may just have ended."""
    result = connection.execute(
        _FENCED.values(**_decided(decision, now)), {"id_": request.id, "token": request.lease_token}
    )
    if result.rowcount != 1:
        return False
    _end_descendants(connection, request.id, decision, now)
    bump_versions(connection, request.topic_id)
    rescued, ended = Happening.RESCUED, _HAPPENINGS[decision.status]
    insert_event(
        connection, request.id, rescued, at=now, run=request.run, worker=request.worker, detail=decision.detail
    )
    if decision.status is not Status.QUEUED:
        insert_event(connection, request.id, ended, at=now, run=request.run, detail=decision.detail)
    return True


_DUE = (
    update(llm_requests)
    .where(text("status = 'waiting'"), _c.due_at <= bindparam("now", type_=UtcDateTime()))
    .values(status="queued", queued_at=bindparam("now", type_=UtcDateTime()), due_at=None)
    .returning(_c.id, _c.topic_id)
)
_HAS_DUE = select(_c.id).where(text("status = 'waiting'"), _c.due_at <= bindparam("now", type_=UtcDateTime())).limit(1)


def has_due(connection: Connection, now: datetime) -> bool:
    return connection.execute(_HAS_DUE, {"now": now}).first() is not None


def update_due_to_queued(connection: Connection, now: datetime) -> int:
    """The stager: requests whose time has come join the queue. Returns how many."""
    due = connection.execute(_DUE, {"now": now}).all()
    for topic_id in sorted({row.topic_id for row in due if row.topic_id is not None}):
        bump_versions(connection, topic_id)
    insert_events(connection, [row.id for row in due], Happening.DUE, at=now)
    return len(due)
