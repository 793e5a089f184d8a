"""``/api/v1/llm-requests``: what was asked of models, and what became of it."""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Response, jsonify

from forllm_server.api.asking import describe, describe_group
from forllm_server.api.contract import Noun, listing, page_of
from forllm_server.api.schemas_forum import PostOut
from forllm_server.api.schemas_llm import (
    AskedTogetherOut,
    LlmRequestChange,
    LlmRequestEventOut,
    LlmRequestOut,
    LlmRequestQuery,
    LlmRequestWholeOut,
    RequeueIn,
)
from forllm_server.clock import now
from forllm_server.jobs.fanning import cancel_group, get_group
from forllm_server.jobs.partial_reply import post_partial_reply
from forllm_server.jobs.standing import list_standings
from forllm_server.queue import control, event_store, llm_request_store
from forllm_server.queue.model import LlmRequest
from forllm_server.web.current import current
from forllm_server.web.paging import decode_cursor

blueprint = Noun("LLM requests", "Questions to models: queued, running, answered or failed.")


@blueprint.route("/llm-requests", methods=["GET"])
@blueprint.arguments(LlmRequestQuery, location="query")
@blueprint.response(200, listing(LlmRequestOut))
def show_list(query: dict[str, Any]) -> dict[str, Any]:
    """List LLM requests, newest first."""
    after = decode_cursor(query.get("after"), int)
    with current().database.read() as connection:
        found = llm_request_store.list_llm_requests(
            connection,
            statuses=query.get("status", ()),
            topic_id=query.get("topic_id"),
            post_id=query.get("post_id"),
            before_id=after[0] if after else None,
            limit=query["limit"] + 1,
        )
        positions = llm_request_store.list_positions(connection)
        standings = list_standings(connection, found, now())
    items = [
        {"llm_request": item, "position": positions.get(item.id), "standing": standings[item.id]} for item in found
    ]
    return page_of(items, query["limit"], lambda item: (item["llm_request"].id,))


@blueprint.route("/llm-requests/<int:llm_request_id>", methods=["GET"])
@blueprint.response(200, LlmRequestWholeOut)
def show(llm_request_id: int) -> Response:
    """Read one LLM request, with its exact prompt and what is written so far."""
    with current().database.read() as connection:
        return jsonify(describe(connection, llm_request_store.get_llm_request(connection, llm_request_id)))


@blueprint.route("/llm-requests/<int:llm_request_id>/events", methods=["GET"])
@blueprint.response(200, listing(LlmRequestEventOut))
def show_events(llm_request_id: int) -> dict[str, Any]:
    """List what happened to an LLM request, the oldest first; the last two hundred."""
    with current().database.read() as connection:
        llm_request_store.get_llm_request(connection, llm_request_id)
        return {"items": event_store.list_events(connection, llm_request_id), "next": None}


@blueprint.route("/llm-requests/<int:llm_request_id>", methods=["PATCH"])
@blueprint.arguments(LlmRequestChange)
@blueprint.response(200, LlmRequestWholeOut)
def change(values: dict[str, Any], llm_request_id: int) -> Response:
    """Give an LLM request another priority."""
    with current().database.transaction() as connection:
        described = describe(
            connection, control.change_priority(connection, llm_request_id, priority=values["priority"])
        )
    return jsonify(described)


@blueprint.route("/llm-requests/<int:llm_request_id>/cancellation", methods=["POST"])
@blueprint.response(200, LlmRequestWholeOut)
def cancel(llm_request_id: int) -> Response:
    """Call an LLM request off. A running one stops within seconds and keeps what it has written."""
    return _act(llm_request_id, control.cancel_llm_request)


@blueprint.route("/llm-requests/<int:llm_request_id>/retry", methods=["POST"])
@blueprint.response(200, LlmRequestWholeOut)
def retry(llm_request_id: int) -> Response:
    """Queue a failed or cancelled LLM request again."""
    return _act(llm_request_id, control.retry_llm_request)


@blueprint.route("/llm-requests/<int:llm_request_id>/hold", methods=["POST"])
@blueprint.response(200, LlmRequestWholeOut)
def hold(llm_request_id: int) -> Response:
    """Set an LLM request aside until it is released."""
    return _act(llm_request_id, control.hold_llm_request)


@blueprint.route("/llm-requests/<int:llm_request_id>/release", methods=["POST"])
@blueprint.response(200, LlmRequestWholeOut)
def release(llm_request_id: int) -> Response:
    """Put a held LLM request back into the queue."""
    return _act(llm_request_id, control.release_llm_request)


@blueprint.route("/llm-requests/<int:llm_request_id>/run-now", methods=["POST"])
@blueprint.response(200, LlmRequestWholeOut)
def run_now(llm_request_id: int) -> Response:
    """Let an LLM request go first, and wait for no window."""
    return _act(llm_request_id, control.run_llm_request_now)


@blueprint.route("/llm-requests/<int:llm_request_id>/requeue", methods=["POST"])
@blueprint.arguments(RequeueIn)
@blueprint.response(200, LlmRequestWholeOut)
def requeue(values: dict[str, Any], llm_request_id: int) -> Response:
    """Let another model answer: instead of one that failed, or before one has begun."""
    return _act(llm_request_id, partial(control.requeue_llm_request, model_id=values["model_id"]))


@blueprint.route("/llm-requests/<int:llm_request_id>/partial-reply", methods=["POST"])
@blueprint.response(201, PostOut)
def post_partial(llm_request_id: int) -> Response:
    """Post what a failed or cancelled LLM request had written, as a reply marked partial. It has succeeded with it.

    Done twice, the reply that is there is given again.
    """
    with current().database.transaction() as connection:
        reply = post_partial_reply(connection, llm_request_id, now())
    response = jsonify(PostOut().dump(reply))
    response.status_code = 201
    response.headers["Location"] = f"/api/v1/posts/{reply.id}"
    return response


@blueprint.route("/groups/<group_id>", methods=["GET"])
@blueprint.response(200, AskedTogetherOut)
def show_group(group_id: str) -> Any:
    """Read the LLM requests that were asked together."""
    with current().database.read() as connection:
        return jsonify(describe_group(connection, get_group(connection, group_id)))


@blueprint.route("/groups/<group_id>/cancellation", methods=["POST"])
@blueprint.response(200, AskedTogetherOut)
def cancel_whole_group(group_id: str) -> Any:
    """Call off all of a group that is not answered yet."""
    with current().database.transaction() as connection:
        cancel_group(connection, group_id, now())
        described = describe_group(connection, get_group(connection, group_id))
    current().wake_worker()
    return jsonify(described)


def _act(llm_request_id: int, rule: Callable[..., LlmRequest]) -> Response:
    """Do to the LLM request what ``rule`` does, and tell how it stands then."""
    with current().database.transaction() as connection:
        described = describe(connection, rule(connection, llm_request_id, now=now()))
    current().wake_worker()
    return jsonify(described)
