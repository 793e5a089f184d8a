"""What a person does to a queued LLM request: cancel, retry, hold, release, run now, give it to another model."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from forllm_server import clock
from forllm_server.errors import Conflict, Invalid
from forllm_server.queue.llm_request_store import find_model_to_ask, get_llm_request, update_status
from forllm_server.queue.model import Cause, Happening, Lane, LlmRequest, Status

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
        event=(Happening.CANCELLED, now),
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
        values=_afresh(now),
        event=(Happening.RETRIED, now),
    )
    return retried or _refuse(connection, llm_request_id, "cannot be retried", (Status.QUEUED, Status.RUNNING))


def requeue_llm_request(connection: Connection, llm_request_id: int, *, model_id: int, now: datetime) -> LlmRequest:
    """Have another model answer: a failed or cancelled request, or one that has not begun. Raises Invalid (model_id).

    It begins afresh, with all its attempts; one that is held stays held.
    """
    found = find_model_to_ask(connection, model_id)
    if found is None:
        raise Invalid("This model cannot be asked now. Choose one that is there.", field="model_id")
    backend_id, model_name = found
    model = {"backend_id": backend_id, "model_id": model_id, "model_name": model_name}
    event = (Happening.MODEL_CHANGED, now)
    held = update_status(connection, llm_request_id, from_statuses=(Status.HELD,), values=model, event=event)
    requeued = held or update_status(
        connection,
        llm_request_id,
        from_statuses=(Status.FAILED, Status.CANCELLED, Status.WAITING, Status.QUEUED),
        values=_afresh(now) | model,
        event=event,
    )
    return requeued or _refuse(connection, llm_request_id, "cannot be given to another model", ())


def _afresh(now: datetime) -> dict[str, object]:
    return {
        "status": Status.QUEUED.value,
        "attempts": 0,
        "cause": None,
        "cause_detail": None,
        "queued_at": now,
        "due_at": None,
        "finished_at": None,
        "is_cancel_requested": False,
    }


def hold_llm_request(connection: Connection, llm_request_id: int, now: datetime | None = None) -> LlmRequest:
    """Set a request aside until it is released."""
    held = update_status(
        connection,
        llm_request_id,
        from_statuses=(Status.QUEUED, Status.WAITING),
        values={"status": Status.HELD.value, "cause": Cause.HELD.value, "cause_detail": None, "due_at": None},
        event=(Happening.HELD, now or clock.now()),
    )
    return held or _refuse(connection, llm_request_id, "cannot be held", (Status.HELD,))


def release_llm_request(connection: Connection, llm_request_id: int, now: datetime) -> LlmRequest:
    """Put a held request back into the queue."""
    released = update_status(
        connection,
        llm_request_id,
        from_statuses=(Status.HELD,),
        values={"status": Status.QUEUED.value, "cause": None, "cause_detail": None, "queued_at": now},
        event=(Happening.RELEASED, now),
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
            # A place given by hand was one among those of the night.
            "pinned": None,
        },
        event=(Happening.RUN_NOW, now),
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
