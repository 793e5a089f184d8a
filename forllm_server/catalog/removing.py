"""Removing a backend, and what becomes of the LLM requests that wait for it: a person decides, never we."""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.catalog import backend_store, model_store
from forllm_server.errors import Conflict, Invalid, NotAllowed
from forllm_server.queue.bulk import Action, change_many, requeue_many
from forllm_server.queue.llm_request_store import find_model_to_ask, list_ids_waiting_for_backend


class BackendInUse(Conflict):
    """LLM requests wait for this backend. Choose another model for them, or have them cancelled."""

    code = "backend_in_use"


def delete_backend(
    connection: Connection,
    backend_id: int,
    now: datetime,
    *,
    move_to_model_id: int | None = None,
    cancels_waiting: bool = False,
) -> int:
    """Remove a backend: its key is forgotten and its models are no longer there; old replies still name them.

    While LLM requests wait for it, it is refused with their number, unless they are to be answered by another backend's
    model or cancelled. A question that the other model was asked already is cancelled here. What runs just now goes on
    to its end. Returns how many were moved or cancelled. Raises NotFound, NotAllowed (the embedded one), BackendInUse,
    and Invalid (``move_to_model_id``).
    """
    record = backend_store.get_backend(connection, backend_id)
    if record.is_embedded:
        raise NotAllowed("The embedded backend cannot be deleted. Disable it, and it is not used.")
    if move_to_model_id is not None and cancels_waiting:
        raise Invalid("They can be moved or cancelled, not both.", field="move_to_model_id")
    if move_to_model_id is not None:
        _refuse_unfit(connection, backend_id, move_to_model_id)
    waiting = list_ids_waiting_for_backend(connection, backend_id)
    if waiting and move_to_model_id is None and not cancels_waiting:
        raise BackendInUse(_in_use(len(waiting)), field="move_to_model_id", waiting=len(waiting))
    if waiting:
        _empty(connection, waiting, move_to_model_id, now)
    model_store.update_all_unavailable(connection, backend_id)
    backend_store.update_backend(
        connection, backend_id, {"api_key_sealed": None, "is_enabled": False, "deleted_at": now}
    )
    return len(waiting)


def _refuse_unfit(connection: Connection, backend_id: int, model_id: int) -> None:
    found = find_model_to_ask(connection, model_id)
    if found is None:
        raise Invalid("This model cannot be asked now. Choose one that is there.", field="move_to_model_id")
    if found[0] == backend_id:
        raise Invalid("This model goes with its backend. Choose one of another.", field="move_to_model_id")


def _empty(connection: Connection, waiting: list[int], model_id: int | None, now: datetime) -> None:
    left = waiting
    if model_id is not None:
        # The other model may have been asked the same already: then one answer is enough.
        left = list(requeue_many(connection, waiting, model_id=model_id, now=now).refused)
    if left:
        change_many(connection, Action.CANCEL, left, now)


def _in_use(number: int) -> str:
    wait = "1 LLM request waits" if number == 1 else f"{number:,} LLM requests wait"
    them = "it" if number == 1 else "them"
    return f"{wait} for this backend. Choose another model for {them}, or have {them} cancelled."
