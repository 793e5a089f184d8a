"""What a person does to a queued LLM request: cancel, retry, hold, release, run now, move in the order."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import Conflict
from forllm_server.queue.llm_request_store import get_llm_request, update_status
from forllm_server.queue.model import Cause, Lane, LlmRequest, Status

_NOT_STARTED = (Status.QUEUED, Status.WAITING, Status.HELD)


def cancel_llm_request(connection: Connection, llm_request_id: int, now: datetime) -> LlmRequest:
    """Call a request off. One that runs is stopped by its worker within seconds; its partial text is kept."""
    cancelled = update_status(
        connection,
        llm_request_id,
        from_statuses=_NOT_STARTED,
        values={
            "status": Status.CANCELLED.value,
            "cause": Cause.CANCELLED.value,
            "cause_detail": "Cancelled.",
            "finished_at": now,
            "due_at": None,
        },
    )
    stopping = cancelled or update_status(
        connection, llm_request_id, from_statuses=(Status.RUNNING,), values={"is_cancel_requested": True}
    )
    return stopping or _refuse(connection, llm_request_id, "cannot be cancelled any more", (Status.CANCELLED,))


def retry_llm_request(connection: Connection, llm_request_id: int, now: datetime) -> LlmRequest:
    """Queue a failed or cancelled request again with all its attempts; a waiting one is due at once."""
    retried = update_status(
        connection,
        llm_request_id,
        from_statuses=(Status.FAILED, Status.CANCELLED, Status.WAITING),
        values={
            "status": Status.QUEUED.value,
            "attempts": 0,
            "cause": None,
            "cause_detail": None,
            "queued_at": now,
            "due_at": None,
            "finished_at": None,
            "is_cancel_requested": False,
        },
    )
    return retried or _refuse(connection, llm_request_id, "cannot be retried", (Status.QUEUED, Status.RUNNING))


def hold_llm_request(connection: Connection, llm_request_id: int) -> LlmRequest:
    """Set a request aside until it is released."""
    held = update_status(
        connection,
        llm_request_id,
        from_statuses=(Status.QUEUED, Status.WAITING),
        values={"status": Status.HELD.value, "cause": Cause.HELD.value, "cause_detail": None, "due_at": None},
    )
    return held or _refuse(connection, llm_request_id, "cannot be held", (Status.HELD,))


def release_llm_request(connection: Connection, llm_request_id: int, now: datetime) -> LlmRequest:
    """Put a held request back into the queue."""
    released = update_status(
        connection,
        llm_request_id,
        from_statuses=(Status.HELD,),
        values={"status": Status.QUEUED.value, "cause": None, "cause_detail": None, "queued_at": now},
    )
    return released or _refuse(connection, llm_request_id, "cannot be released", (Status.QUEUED, Status.RUNNING))


def run_llm_request_now(connection: Connection, llm_request_id: int, now: datetime) -> LlmRequest:
    """Move a request to the live lane: it goes first and waits for no window."""
    moved = update_status(
        connection,
        llm_request_id,
        from_statuses=_NOT_STARTED,
        values={
            "status": Status.QUEUED.value,
            "lane": Lane.LIVE.value,
            "cause": None,
            "cause_detail": None,
            "queued_at": now,
            "due_at": None,
        },
    )
    return moved or _refuse(connection, llm_request_id, "cannot be run now", (Status.RUNNING,))


def change_priority(connection: Connection, llm_request_id: int, priority: int) -> LlmRequest:
    """Higher goes first; 0 is usual."""
    changed = update_status(connection, llm_request_id, from_statuses=_NOT_STARTED, values={"priority": priority})
    return changed or _refuse(connection, llm_request_id, "has no place in line any more", ())


def _refuse(connection: Connection, llm_request_id: int, what: str, is_fine_when: Sequence[Status]) -> LlmRequest:
    """The request as it stands when it is in the wished-for state already, else a clear refusal."""
    request = get_llm_request(connection, llm_request_id)
    if request.status in is_fine_when:
        return request
    raise Conflict(f"This LLM request {what}: it {_STATE_WORDS[request.status]}.", status=request.status.value)


_STATE_WORDS = {
    Status.QUEUED: "is in the queue",
    Status.WAITING: "waits for its next try",
    Status.HELD: "is on hold",
    Status.RUNNING: "is being answered right now",
    Status.SUCCEEDED: "has been answered",
    Status.FAILED: "has failed",
    Status.CANCELLED: "was cancelled",
}
