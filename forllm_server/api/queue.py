"""``/api/v1/queue``: the line as a whole, its pauses and its order, and doing the same to many LLM requests."""

from typing import Any

from flask import Response, jsonify
from sqlalchemy import Connection

from forllm_server.api.contract import Noun, listing
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_llm import LlmRequestOut
from forllm_server.api.schemas_queue import ChangesIn, ChangesOut, MoveIn, PauseIn, PauseOut, PauseQuery
from forllm_server.clock import now
from forllm_server.errors import Invalid, NotFound
from forllm_server.queue import bulk, llm_request_store, moving, pausing
from forllm_server.queue.bulk import Action, Changes
from forllm_server.queue.model import LlmRequest
from forllm_server.queue.pause_store import list_pauses
from forllm_server.web.current import current

blueprint = Noun("Queue", "The line of LLM requests as a whole.")


@blueprint.route("/queue/pauses", methods=["GET"])
@blueprint.response(200, listing(PauseOut))
def show_pauses() -> dict[str, Any]:
    """List the pauses that hold now: of the whole queue, and of single backends."""
    at = now()
    with current().database.read() as connection:
        pauses = list_pauses(connection).values()
    return {"items": [pause for pause in pauses if pause.until is None or pause.until > at], "next": None}


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
