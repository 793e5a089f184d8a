"""``/api/v1/queue``: the line as a whole, its pauses and its order, and doing the same to many LLM requests."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Response, jsonify
from sqlalchemy import Connection

from forllm_server.api.contract import Noun, listing
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_llm import LlmRequestOut
from forllm_server.api.schemas_queue import (
    MOST_AT_ONCE,
    ChangesIn,
    ChangesOut,
    CountsOut,
    HistoryQuery,
    ListedOut,
    MoveIn,
    PauseIn,
    PauseOut,
    PauseQuery,
    PlannedOut,
    PlanQuery,
    QueueOut,
)
from forllm_server.catalog.backend_store import list_backends
from forllm_server.clock import now
from forllm_server.errors import Invalid, NotFound
from forllm_server.jobs.forecast import forecast
from forllm_server.jobs.listing import list_in_words
from forllm_server.queue import bulk, line_store, llm_request_store, moving, pausing, plan_store
from forllm_server.queue.backend_state_store import list_backend_states
from forllm_server.queue.bulk import Action, Changes
from forllm_server.queue.history_store import HistoryFilter, list_history
from forllm_server.queue.model import LlmRequest, Pause, Status
from forllm_server.queue.pause_store import list_pauses
from forllm_server.schedule.gate import read_gate
from forllm_server.web.current import current
from forllm_server.web.paging import decode_cursor

#: So much of a question is shown in a list.
QUESTION_CHARACTERS = 120

blueprint = Noun("Queue", "The line of LLM requests as a whole.")


@blueprint.route("/queue", methods=["GET"])
@blueprint.response(200, QueueOut)
def show() -> dict[str, Any]:
    """Read the queue as a whole: how much there is, when it will be done, and what keeps it waiting."""
    at = now()
    with current().database.read() as connection:
        foretold = forecast(connection, at)
        pauses = list_pauses(connection)
        backends = _backends(connection, pauses, at)
    return {
        "at": at,
        "counts": {status: foretold.counts.get(Status(status), 0) for status in CountsOut().fields},
        "is_paused": pausing.find_pause(pauses, None, at) is not None,
        "pauses": _holding(pauses, at),
        "done_by": foretold.known_done_by,
        "unknown_count": foretold.unknown_count,
        "machine_seconds": foretold.machine_seconds,
        "score": foretold.score,
        "groups": foretold.groups,
        "backends": backends,
    }


@blueprint.route("/queue/plan", methods=["GET"])
@blueprint.arguments(PlanQuery, location="query")
@blueprint.response(200, listing(PlannedOut))
def show_plan(query: dict[str, Any]) -> dict[str, Any]:
    """List what runs and what comes next, in the order of work, with the times foretold.

    The line moves on between two pages: one LLM request may be met twice, or missed. The first 2,000 of each backend
    are laid out; all of them stand in the history.
    """
    after = decode_cursor(query.get("after"), int)
    start = max(0, after[0]) if after else 0
    stop = start + query["limit"]
    with current().database.read() as connection:
        foretold = forecast(connection, now())
        running = plan_store.list_in_line(connection, [Status.RUNNING], limit=MOST_AT_ONCE)
        ids = [*(each.id for each in running), *(placed.id for placed in foretold.plan)]
        items = _listed(connection, line_store.list_llm_requests_by_ids(connection, ids[start:stop]))
    for item in items:
        llm_request_id = item["llm_request"].id
        item["starts_at"] = foretold.starts_at.get(llm_request_id)
        item["done_by"] = foretold.done_by.get(llm_request_id)
    return {"items": items, "next": (stop,) if stop < len(ids) else None}


@blueprint.route("/queue/history", methods=["GET"])
@blueprint.arguments(HistoryQuery, location="query")
@blueprint.response(200, listing(ListedOut))
def show_history(query: dict[str, Any]) -> dict[str, Any]:
    """List all LLM requests, newest first, by what they were about.

    A page may hold fewer than asked for, or nothing, and yet have a `next`: a filter is not let look further at once.
    """
    after = decode_cursor(query.pop("after", None), int)
    limit, statuses = query.pop("limit"), query.pop("status", ())
    with current().database.read() as connection:
        wanted = HistoryFilter(statuses=statuses, **query)
        found = list_history(connection, wanted, before_id=after[0] if after else None, limit=limit)
        items = _listed(connection, found.llm_requests)
    return {"items": items, "next": (found.next_id,) if found.next_id is not None else None}


def _listed(connection: Connection, requests: Sequence[LlmRequest]) -> list[dict[str, Any]]:
    positions = llm_request_store.list_positions(connection)
    listed = list_in_words(connection, requests, now(), question_characters=QUESTION_CHARACTERS)
    return [vars(each) | {"position": positions.get(each.llm_request.id)} for each in listed]


@blueprint.route("/queue/pauses", methods=["GET"])
@blueprint.response(200, listing(PauseOut))
def show_pauses() -> dict[str, Any]:
    """List the pauses that hold now: of the whole queue, and of single backends."""
    with current().database.read() as connection:
        return {"items": _holding(list_pauses(connection), now()), "next": None}


@blueprint.route("/queue/pauses", methods=["POST"])
@blueprint.arguments(PauseIn)
@blueprint.response(201, PauseOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def pause(values: dict[str, Any]) -> Response:
    """Begin nothing new, on a backend or anywhere; what runs goes on. It replaces the pause that was there."""

    def work(connection: Connection) -> Any:
        return PauseOut().dump(
            pausing.pause(
                connection,
                backend_id=values.get("backend_id"),
                until=values.get("until"),
                reason=values.get("reason", ""),
                now=now(),
            )
        )

    return create(work)


@blueprint.route("/queue/pauses", methods=["DELETE"])
@blueprint.arguments(PauseQuery, location="query")
@blueprint.response(204)
def resume(query: dict[str, Any]) -> str:
    """End the pause of a backend; without `backend_id` that of the whole queue."""
    with current().database.transaction() as connection:
        if not pausing.resume(connection, backend_id=query.get("backend_id")):
            raise NotFound("Nothing is paused there.")
    current().wake_worker()
    return ""


@blueprint.route("/queue/moves", methods=["POST"])
@blueprint.arguments(MoveIn)
@blueprint.response(200, listing(LlmRequestOut))
def move(values: dict[str, Any]) -> Response:
    """Put LLM requests, in the order given, right before another one of their line, or at the top."""
    with current().database.transaction() as connection:
        moved = moving.move_llm_requests(connection, values["ids"], before_id=values["before_id"], now=now())
        items = _described(connection, moved)
    current().wake_worker()
    return jsonify(items=items, next=None)


@blueprint.route("/queue/moves/<int:llm_request_id>", methods=["DELETE"])
@blueprint.response(200, LlmRequestOut)
def move_back(llm_request_id: int) -> Response:
    """Take a place given by hand back: the LLM request stands where the plan puts it."""
    with current().database.transaction() as connection:
        moved = moving.unpin_llm_request(connection, llm_request_id, now())
        (item,) = _described(connection, [moved])
    current().wake_worker()
    return jsonify(item)


@blueprint.route("/queue/changes", methods=["POST"])
@blueprint.arguments(ChangesIn)
@blueprint.response(200, ChangesOut)
def change(values: dict[str, Any]) -> Response:
    """Do the same to many LLM requests: what can be changed is, the rest is told with its reason."""
    with current().database.transaction() as connection:
        changes = _change(connection, values)
        changed = _described(connection, changes.changed)
    current().wake_worker()
    refused = [{"id": each, "reason": reason} for each, reason in changes.refused.items()]
    return jsonify(changed=changed, refused=refused)


def _change(connection: Connection, values: dict[str, Any]) -> Changes:
    ids, model_id = values["ids"], values.get("model_id")
    if values["action"] != "requeue":
        if model_id is not None:
            raise Invalid("Only a requeue takes a model.", field="model_id")
        return bulk.change_many(connection, Action(values["action"]), ids, now())
    if model_id is None:
        raise Invalid("Name the model that shall answer.", field="model_id")
    return bulk.requeue_many(connection, ids, model_id=model_id, now=now())


def _described(connection: Connection, found: list[LlmRequest] | tuple[LlmRequest, ...]) -> Any:
    positions = llm_request_store.list_positions(connection)
    items = [{"llm_request": item, "position": positions.get(item.id)} for item in found]
    return LlmRequestOut(many=True).dump(items)


def _holding(pauses: Mapping[int, Pause], at: datetime) -> list[Pause]:
    return [pause for _, pause in sorted(pauses.items()) if pause.until is None or pause.until > at]


def _backends(connection: Connection, pauses: Mapping[int, Pause], at: datetime) -> list[dict[str, Any]]:
    gate = read_gate(connection, at)
    states = list_backend_states(connection)
    queued: Counter[int] = Counter()
    for crowd in plan_store.list_crowds(connection):
        queued[crowd.backend_id] += crowd.number
    running = Counter(
        each.backend_id for each in plan_store.list_in_line(connection, [Status.RUNNING], limit=MOST_AT_ONCE)
    )
    found = []
    for backend in list_backends(connection):
        state = states.get(backend.id)
        found.append(
            {
                "backend_id": backend.id,
                "name": backend.name,
                "is_enabled": backend.is_enabled,
                "concurrency": backend.concurrency,
                "is_open": gate.is_open(backend.id),
                "is_paused": pausing.find_pause(pauses, backend.id, at) is not None,
                "queued": queued[backend.id],
                "running": running[backend.id],
                "failures": state.failures if state else 0,
                "next_try_at": state.open_until if state else None,
                "last_error": state.last_error if state else None,
            }
        )
    return found
