"""The same done to many LLM requests at once: what can be changed is changed, the rest is told with its reason."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from forllm_server.db.lines import savepoint
from forllm_server.errors import Conflict, NotFound
from forllm_server.queue import control, moving
from forllm_server.queue.llm_request_store import list_for_change
from forllm_server.queue.model import LlmRequest


class Action(StrEnum):
    """What can be done to many. ``UNPIN``: a place given by hand is taken back."""

    CANCEL = "cancel"
    HOLD = "hold"
    RELEASE = "release"
    RETRY = "retry"
    RUN_NOW = "run_now"
    RUN_TONIGHT = "run_tonight"
    UNPIN = "unpin"


@dataclass(frozen=True)
class Changes:
    """``changed``: the requests as they are now. ``refused``: id and the reason, for those that stayed as they were."""

    changed: tuple[LlmRequest, ...]
    refused: Mapping[int, str]


_ACTIONS: Mapping[Action, Callable[[Connection, int, datetime], LlmRequest]] = {
    Action.CANCEL: control.cancel_llm_request,
    Action.HOLD: control.hold_llm_request,
    Action.RELEASE: control.release_llm_request,
    Action.RETRY: control.retry_llm_request,
    Action.RUN_NOW: control.run_llm_request_now,
    Action.RUN_TONIGHT: moving.run_llm_request_tonight,
    Action.UNPIN: moving.unpin_llm_request,
}


def change_many(connection: Connection, action: Action, llm_request_ids: Sequence[int], now: datetime) -> Changes:
    """Do the same to each of these requests."""
    return _each(connection, llm_request_ids, lambda each: _ACTIONS[action](connection, each, now))


def requeue_many(connection: Connection, llm_request_ids: Sequence[int], *, model_id: int, now: datetime) -> Changes:
    """Have another model answer them. Raises Invalid (model_id)."""
    return _each(
        connection,
        llm_request_ids,
        lambda each: control.requeue_llm_request(connection, each, model_id=model_id, now=now),
    )


def _each(connection: Connection, llm_request_ids: Sequence[int], change: Callable[[int], LlmRequest]) -> Changes:
    changed: list[LlmRequest] = []
    refused: dict[int, str] = {}
    list_for_change(connection, llm_request_ids)
    for llm_request_id in dict.fromkeys(llm_request_ids):
        try:
            # PostgreSQL gives up a whole transaction for one row that collides with another.
            with savepoint(connection):
                changed.append(change(llm_request_id))
        except (Conflict, NotFound) as error:
            refused[llm_request_id] = error.message
    return Changes(tuple(changed), refused)
