"""``/api/v1/hooks`` and ``/api/v1/hook-calls``: calling other programs, and how that went."""

from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.api.contract import Noun, PageQuery, listing, page_of
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.fields import QueryId, one_of
from forllm_server.api.schemas_hooks import HookCallInFullOut, HookCallOut, HookChange, HookIn, HookOut
from forllm_server.clock import now
from forllm_server.hooks import call_store, hook_store
from forllm_server.hooks.keeping import add_hook, ask_test, call_again, change_hook, delete_hook
from forllm_server.hooks.model import Call, CallStatus, Hook
from forllm_server.web.current import current, current_user_id
from forllm_server.web.paging import decode_cursor

blueprint = Noun("Hooks", "Commands and webhooks that are called when something happens, and the log of their calls.")


class CallQuery(PageQuery):
    """Which calls."""

    hook_id = QueryId(metadata={"description": "Of this hook only."})
    status = one_of(CallStatus, metadata={"description": "Only those that stand so."})


@blueprint.route("/hooks", methods=["GET"])
@blueprint.response(200, listing(HookOut))
def show_hooks() -> dict[str, Any]:
    """List the hooks, those that are switched off too."""
    with current().database.read() as connection:
        return {"items": hook_store.list_hooks(connection), "next": None}


@blueprint.route("/hooks", methods=["POST"])
@blueprint.arguments(HookIn)
@blueprint.response(201, HookOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add(values: dict[str, Any]) -> Response:
    """Add a hook. Commands are run only where FORLLM was started with --allow-commands."""

    def work(connection: Connection) -> Any:
        added = add_hook(connection, owner_id=current_user_id(), secret_key=current().secret_key, now=now(), **values)
        return HookOut().dump(added)

    return create(work, location="/api/v1/hooks/{id}")


@blueprint.route("/hooks/<int:hook_id>", methods=["GET"])
@blueprint.response(200, HookOut)
def show(hook_id: int) -> Hook:
    """Read one hook."""
    with current().database.read() as connection:
        return hook_store.get_hook(connection, hook_id)


@blueprint.route("/hooks/<int:hook_id>", methods=["PATCH"])
@blueprint.arguments(HookChange)
@blueprint.response(200, HookOut)
def change(values: dict[str, Any], hook_id: int) -> Hook:
    """Change some fields of a hook."""
    with current().database.transaction() as connection:
        return change_hook(
            connection, hook_id, secret_key=current().secret_key, changes_secret="secret" in values, **values
        )


@blueprint.route("/hooks/<int:hook_id>", methods=["DELETE"])
@blueprint.response(204)
def delete(hook_id: int) -> str:
    """Delete a hook with the log of its calls."""
    with current().database.transaction() as connection:
        delete_hook(connection, hook_id)
    return ""


@blueprint.route("/hooks/<int:hook_id>/tests", methods=["POST"])
@blueprint.response(201, HookCallOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def test(hook_id: int) -> Response:
    """Put a test in line. It is made within seconds; read the call to see how it went."""

    def work(connection: Connection) -> Any:
        return HookCallOut().dump(ask_test(connection, hook_id, now()))

    return create(work, location="/api/v1/hook-calls/{id}")


@blueprint.route("/hook-calls", methods=["GET"])
@blueprint.arguments(CallQuery, location="query")
@blueprint.response(200, listing(HookCallOut))
def show_calls(query: dict[str, Any]) -> dict[str, Any]:
    """List what was called and is to be called, newest first."""
    after = decode_cursor(query.get("after"), int)
    with current().database.read() as connection:
        rows = call_store.list_calls(
            connection,
            hook_id=query.get("hook_id"),
            status=CallStatus(query["status"]) if "status" in query else None,
            before_id=after[0] if after else None,
            limit=query["limit"] + 1,
        )
    return page_of(rows, query["limit"], lambda call: (call.id,))


@blueprint.route("/hook-calls/<int:call_id>", methods=["GET"])
@blueprint.response(200, HookCallInFullOut)
def show_call(call_id: int) -> dict[str, Any]:
    """Read one call with every attempt."""
    with current().database.read() as connection:
        call = call_store.get_call(connection, call_id)
        log = call_store.list_attempts(connection, call_id)
    return {**vars(call), "log": log}


@blueprint.route("/hook-calls/<int:call_id>/retry", methods=["POST"])
@blueprint.response(200, HookCallOut)
def retry(call_id: int) -> Call:
    """Have a call that was given up made after all, within a few seconds."""
    with current().database.transaction() as connection:
        return call_again(connection, call_id, now())
