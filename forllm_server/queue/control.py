"""What a person does to a queued LLM request: cancel, retry, hold, release, run now, give it to another model.

What is done to one that others wait for is done to its chain where that must be (chain_store.py).
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from forllm_server import clock
from forllm_server.db.lines import log_on_commit
from forllm_server.errors import Conflict, Invalid
from forllm_server.queue import chain_store
from forllm_server.queue.llm_request_store import (
    find_model_to_ask,
    get_llm_request,
    list_for_change,
    update_status,
)
from forllm_server.queue.model import Cause, Happening, Lane, LlmRequest, Status

_NOT_STARTED = (Status.QUEUED, Status.WAITING, Status.HELD)


def cancel_llm_request(connection: Connection, llm_request_id: int, now: datetime) -> LlmRequest:
    """Call a request off, and all that wait for its answer. One that runs is stopped by its worker within seconds; its
    partial text is kept, and those that wait for it are called off then."""
    list_for_change(connection, [llm_request_id])
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
    if cancelled is not None:
        chain_store.update_descendants_to_ended(connection, llm_request_id, Status.CANCELLED, now)
        note(connection, "cancelled", cancelled)
    stopping = cancelled or update_status(
        connection, llm_request_id, from_statuses=(Status.RUNNING,), values={"is_cancel_requested": True}
    )
    if stopping is not None and cancelled is None:
        note(connection, "cancel_asked", stopping)
    return stopping or _refuse(connection, llm_request_id, "cannot be cancelled any more", (Status.CANCELLED,))


def retry_llm_request(connection: Connection, llm_request_id: int, now: datetime) -> LlmRequest:
    """Queue a failed or cancelled request again with all its attempts; a waiting one is due at once.

    What ended with it waits for it again. Of a chain whose beginning was not answered, that is tried again first.
    """
    list_for_change(connection, [llm_request_id])
    if is_waiting_for_answer(connection, llm_request_id):
        return get_llm_request(connection, llm_request_id)
    retried = update_status(
        connection,
        llm_request_id,
        from_statuses=(Status.FAILED, Status.CANCELLED, Status.WAITING),
        values=_afresh(now) | place_in_chain(connection, llm_request_id, now),
        event=(Happening.RETRIED, now),
    )
    if retried is not None:
        chain_store.update_descendants_to_waiting(connection, llm_request_id, now)
        note(connection, "retried", retried)
    return retried or _refuse(connection, llm_request_id, "cannot be retried", (Status.QUEUED, Status.RUNNING))


def requeue_llm_request(connection: Connection, llm_request_id: int, *, model_id: int, now: datetime) -> LlmRequest:
    """Have another model answer: a failed or cancelled request, or one that has not begun. Raises Invalid (model_id).

    It begins afresh, with all its attempts; one that is held stays held.
    """
    list_for_change(connection, [llm_request_id])
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
        values=_afresh(now) | place_in_chain(connection, llm_request_id, now) | model,
        event=event,
    )
    if requeued is not None and held is None:
        chain_store.update_descendants_to_waiting(connection, llm_request_id, now)
    if requeued is not None:
        note(connection, "requeued", requeued, model=model_name)
    return requeued or _refuse(connection, llm_request_id, "cannot be given to another model", ())


def is_waiting_for_answer(connection: Connection, llm_request_id: int) -> bool:
    """Whether it waits for the reply that it is to answer: nothing makes it begin before."""
    request = get_llm_request(connection, llm_request_id)
    return request.status is Status.WAITING and request.cause is Cause.WAITS_FOR_ANSWER


def place_in_chain(connection: Connection, llm_request_id: int, now: datetime) -> dict[str, object]:
    """What beginning again means for a link of a chain: it answers the reply that is there, or waits for it.

    The one before it is tried again when it ended without an answer, or nothing would come to be waited for.
    """
    parent_id = get_llm_request(connection, llm_request_id).parent_llm_request_id
    if parent_id is None:
        return {}
    parent = get_llm_request(connection, parent_id)
    if parent.status is Status.SUCCEEDED:
        return {"post_id": parent.reply_post_id}
    if parent.status in (Status.FAILED, Status.CANCELLED):
        retry_llm_request(connection, parent_id, now)
    return {"status": Status.WAITING.value, "cause": Cause.WAITS_FOR_ANSWER.value}


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
    if held is not None:
        note(connection, "held", held)
    return held or _refuse(connection, llm_request_id, "cannot be held", (Status.HELD,))


def release_llm_request(connection: Connection, llm_request_id: int, now: datetime) -> LlmRequest:
    """Put a held request back into the queue."""
    list_for_change(connection, [llm_request_id])
    released = update_status(
        connection,
        llm_request_id,
        from_statuses=(Status.HELD,),
        values={"status": Status.QUEUED.value, "cause": None, "cause_detail": None, "queued_at": now}
        | place_in_chain(connection, llm_request_id, now),
        event=(Happening.RELEASED, now),
    )
    if released is not None:
        note(connection, "released", released)
    return released or _refuse(connection, llm_request_id, "cannot be released", (Status.QUEUED, Status.RUNNING))


def run_llm_request_now(connection: Connection, llm_request_id: int, now: datetime) -> LlmRequest:
    """Move a request to the live lane: it goes first and waits for no window. Those that wait for it go with it."""
    list_for_change(connection, [llm_request_id])
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
        }
        | place_in_chain(connection, llm_request_id, now),
        event=(Happening.RUN_NOW, now),
    )
    if moved is not None:
        chain_store.update_descendants_lane(connection, llm_request_id, Lane.LIVE.value)
        note(connection, "moved", moved, to="now")
    return moved or _refuse(connection, llm_request_id, "cannot be run now", (Status.RUNNING,))


def change_priority(connection: Connection, llm_request_id: int, priority: int) -> LlmRequest:
    """Higher goes first; 0 is usual."""
    changed = update_status(connection, llm_request_id, from_statuses=_NOT_STARTED, values={"priority": priority})
    if changed is not None:
        note(connection, "moved", changed, priority=priority)
    return changed or _refuse(connection, llm_request_id, "has no place in line any more", ())


def note(connection: Connection, what: str, request: LlmRequest, **more: object) -> None:
    """One line in the log of what a person did to a request, once it holds."""
    log_on_commit(connection, f"llm_request.{what}", **request.log_context(), **more)


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
