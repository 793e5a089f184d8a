"""``/api/v1/backends``: the model servers."""

from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.api.contract import Noun, database, listing
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_setup import BackendChangeIn, BackendIn, BackendOut, BackendRemovalQuery, SuggestionOut
from forllm_server.catalog import backend_store, discovery, editing
from forllm_server.catalog.editing import BackendChange
from forllm_server.catalog.model import BackendRecord
from forllm_server.catalog.probing import probe_backend
from forllm_server.catalog.removing import delete_backend
from forllm_server.clock import now
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current, current_user_id

blueprint = Noun("Backends", "Model servers. An API key can be set and removed, but is never given out.")

#: A caller of the API waits for a probe no longer than this, however patient the forum is with slow replies.
LONGEST_PROBE_SECONDS = 30


@blueprint.route("/backends", methods=["GET"])
@blueprint.response(200, listing(BackendOut))
def show_list() -> dict[str, Any]:
    """List the backends."""
    with current().database.read() as connection:
        return {"items": backend_store.list_backends(connection), "next": None}


@blueprint.route("/backends", methods=["POST"])
@blueprint.arguments(BackendIn)
@blueprint.response(201, BackendOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add(values: dict[str, Any]) -> Response:
    """Add a backend. Nothing is sent to it yet: probe it next."""

    def work(connection: Connection) -> Any:
        record = editing.add_backend(
            connection, owner_id=current_user_id(), secret_key=current().secret_key, now=now(), **values
        )
        return BackendOut().dump(record)

    return create(work, location="/api/v1/backends/{id}")


@blueprint.route("/backends/suggestions", methods=["GET"])
@blueprint.response(200, listing(SuggestionOut))
def show_suggestions() -> dict[str, Any]:
    """Look at this machine's usual ports for model servers that are no backends yet. Takes a few seconds at most."""
    with current().database.read() as connection:
        known = backend_store.list_backends(connection)
    return {"items": discovery.look_at_loopback(known, ports=discovery.USUAL_PORTS), "next": None}


@blueprint.route("/backends/<int:backend_id>", methods=["GET"])
@blueprint.response(200, BackendOut)
def show(backend_id: int) -> BackendRecord:
    """Read one backend."""
    with current().database.read() as connection:
        return backend_store.get_backend(connection, backend_id)


@blueprint.route("/backends/<int:backend_id>", methods=["PATCH"])
@blueprint.arguments(BackendChangeIn)
@blueprint.response(200, BackendOut)
def change(values: dict[str, Any], backend_id: int) -> BackendRecord:
    """Change some fields of a backend. `api_key: null` removes the key."""
    with current().database.transaction() as connection:
        return editing.change_backend(
            connection, backend_id, BackendChange.of(**values), secret_key=current().secret_key
        )


@blueprint.route("/backends/<int:backend_id>", methods=["DELETE"])
@blueprint.arguments(BackendRemovalQuery, location="query")
@blueprint.response(204)
def delete(query: dict[str, Any], backend_id: int) -> str:
    """Delete a backend. Replies that it gave keep its models' names.

    While LLM requests wait for it, the answer is 409 `backend_in_use` with their number, unless it is said what shall
    become of them: `move_to_model_id` has another model answer them, `cancel=true` cancels them.
    """
    with current().database.transaction() as connection:
        delete_backend(
            connection,
            backend_id,
            now(),
            move_to_model_id=query.get("move_to_model_id"),
            cancels_waiting=query.get("cancel") == "true",
        )
    current().wake_worker()
    return ""


@blueprint.route("/backends/<int:backend_id>/probe", methods=["POST"])
@blueprint.response(200, BackendOut)
def probe(backend_id: int) -> BackendRecord:
    """Ask a backend who it is and which models it has. An unreachable one is a finding, not an error: see `probe`."""
    app = current()
    with app.database.read() as connection:
        silence_seconds = min(read_settings(connection).silence_seconds, LONGEST_PROBE_SECONDS)
    return probe_backend(
        database(),
        backend_id,
        secret_key=app.secret_key,
        silence_seconds=silence_seconds,
        now=now(),
    )
