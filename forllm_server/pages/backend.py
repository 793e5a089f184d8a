"""Backends and their models: what is there, adding, testing, changing, disabling. Keys are never shown."""

from typing import Any

from flask import Blueprint, Response, request

from forllm_server.catalog import discovery
from forllm_server.catalog.backend_store import get_backend, list_backends
from forllm_server.catalog.editing import (
    BackendChange,
    add_backend,
    change_backend,
    disable_backend,
    enable_backend,
)
from forllm_server.catalog.model import BackendKind, BackendRecord
from forllm_server.catalog.model_store import list_models, list_models_of
from forllm_server.catalog.options import options_of
from forllm_server.catalog.probing import probe_backend
from forllm_server.catalog.removing import delete_backend
from forllm_server.clock import now
from forllm_server.errors import Invalid
from forllm_server.pages.database import database
from forllm_server.pages.frame import current_settings
from forllm_server.pages.naming import model_label
from forllm_server.pages.words import counted
from forllm_server.queue.backend_state_store import list_backend_states
from forllm_server.queue.llm_request_store import list_ids_waiting_for_backend
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("backend", __name__)

KIND_WORDS = (
    (BackendKind.OLLAMA.value, "Ollama"),
    (BackendKind.LLAMA_CPP.value, "llama.cpp: llama-server or a llamafile"),
    (BackendKind.OPENAI_COMPATIBLE.value, "OpenAI-compatible: LM Studio, vLLM, LiteLLM, hosted"),
)
#: where each kind usually listens
USUAL_ADDRESSES = {
    "ollama": "http://127.0.0.1:11434",
    "llama_cpp": "http://127.0.0.1:8080",
    "openai_compatible": "http://127.0.0.1:1234/v1",
}
#: What the choice says that has the waiting requests cancelled.
_CANCEL = "cancel"
#: A test must answer while a person looks on; the backend's own patience is for replies.
PROBE_SECONDS = 20


@blueprint.get("/backends")
def show_list() -> Response:
    """All backends with their models."""
    with current().database.read() as connection:
        backends = list_backends(connection)
        models = list_models(connection)
        states = list_backend_states(connection)
    by_backend = {b.id: [m.model for m in models if m.model.backend_id == b.id] for b in backends}
    return page("backend/list.html", backends=backends, models=by_backend, states=states, moment_now=now())


@blueprint.get("/backends/offers")
def show_offers() -> Response:
    """Model servers that answer on this machine and were not added yet. ``is_found``: nothing where there are none."""
    with current().database.read() as connection:
        known = list_backends(connection)
    is_found_only = request.args.get("is_found") == "yes"
    offers = discovery.look_at_loopback(known, ports=discovery.USUAL_PORTS)
    return page("backend/offers.html", block="offers", offers=offers, is_found_only=is_found_only)


@blueprint.get("/backends/new")
def show_new() -> Response:
    """The form of a new backend, filled in from an offer where there is one."""
    kind = request.args.get("kind", BackendKind.OLLAMA.value)
    offered = {
        "kind": kind,
        "base_url": request.args.get("base_url", USUAL_ADDRESSES.get(kind, "")),
        "name": request.args.get("name", ""),
    }
    return page("backend/new.html", kinds=KIND_WORDS, offered=offered, addresses=USUAL_ADDRESSES)


@blueprint.post("/backends/new")
@shows_again(show_new)
def create() -> Response:
    """Add a backend and look at it at once."""
    form = Form.of_request()
    with current().database.transaction() as connection:
        record = add_backend(
            connection,
            owner_id=current_user_id(),
            name=form.text("name"),
            kind=form.text("kind"),
            base_url=form.text("base_url").strip(),
            secret_key=current().secret_key,
            now=now(),
            api_key=form.text("api_key").strip() or None,
            concurrency=form.integer("concurrency"),
        )
    _probe(record.id)
    return see_other(f"/backends/{record.id}")


@blueprint.get("/backends/<int:backend_id>")
def show(backend_id: int) -> Response:
    """A backend: how it is, what it has."""
    with current().database.read() as connection:
        backend = get_backend(connection, backend_id)
        models = list_models_of(connection, backend_id)
        state = list_backend_states(connection).get(backend_id)
    return page("backend/show.html", backend=backend, models=models, state=state, kinds=dict(KIND_WORDS))


@blueprint.get("/backends/<int:backend_id>/edit")
def show_edit(backend_id: int) -> Response:
    """The form that changes a backend."""
    with current().database.read() as connection:
        backend = get_backend(connection, backend_id)
    return page("backend/edit.html", backend=backend, options=options_of(backend.kind))


@blueprint.post("/backends/<int:backend_id>/edit")
@shows_again(show_edit)
def change(backend_id: int) -> Response:
    """Change a backend. An empty key field leaves the key as it is; a tick removes it."""
    form = Form.of_request()
    with current().database.transaction() as connection:
        backend = get_backend(connection, backend_id)
        change_backend(
            connection, backend_id, BackendChange.of(**_changes(form, backend)), secret_key=current().secret_key
        )
    _probe(backend_id)
    return see_other(f"/backends/{backend_id}")


@blueprint.post("/backends/<int:backend_id>/probe")
def probe(backend_id: int) -> Response:
    """Look at a backend now."""
    _probe(backend_id)
    return see_other(f"/backends/{backend_id}")


@blueprint.post("/backends/<int:backend_id>/state")
def change_state(backend_id: int) -> Response:
    """Enable or disable a backend."""
    is_enabled = Form.of_request().flag("is_enabled")
    with current().database.transaction() as connection:
        (enable_backend if is_enabled else disable_backend)(connection, backend_id)
    current().wake_worker()
    return see_other(f"/backends/{backend_id}")


@blueprint.get("/backends/<int:backend_id>/delete")
def show_delete(backend_id: int) -> Response:
    """Ask before a backend is deleted."""
    with current().database.read() as connection:
        backend = get_backend(connection, backend_id)
        waiting = len(list_ids_waiting_for_backend(connection, backend_id))
        models = list_models(connection, is_available=True) if waiting else []
    others = [each for each in models if each.may_be_asked and each.model.backend_id != backend_id]
    choices = [("", "Choose…"), *((str(each.model.id), model_label(each)) for each in others), (_CANCEL, "Cancel them")]
    return page("backend/delete.html", backend=backend, waiting=waiting, choices=choices)


@blueprint.post("/backends/<int:backend_id>/delete")
@shows_again(show_delete)
def delete(backend_id: int) -> Response:
    """Delete a backend; replies that its models wrote still name them. What waits for it is moved or cancelled."""
    form = Form.of_request()
    cancels_waiting = form.text("move_to_model_id") == _CANCEL
    model_id = None if cancels_waiting else form.integer("move_to_model_id", least=1, most=2**63 - 1)
    with current().database.transaction() as connection:
        backend = get_backend(connection, backend_id)
        number = delete_backend(
            connection, backend_id, now(), move_to_model_id=model_id, cancels_waiting=cancels_waiting
        )
    current().wake_worker()
    what = "cancelled" if cancels_waiting else "given to the other model"
    notice(f"The backend {backend.name} was deleted." + (f" {counted(number, 'request')} {what}." if number else ""))
    return see_other("/backends")


def _probe(backend_id: int) -> None:
    record = probe_backend(
        database(),
        backend_id,
        secret_key=current().secret_key,
        silence_seconds=min(PROBE_SECONDS, current_settings().silence_seconds),
        now=now(),
    )
    current().wake_worker()
    found = record.probe or {}
    if record.is_reachable:
        notice(f"{record.name} answers and has {found.get('model_count', 0):,} models.")
    else:
        # Why stands on the page that is shown next.
        notice(f"{record.name} does not answer{'' if found.get('error') else ', and says no reason'}.", kind="warning")


def _changes(form: Form, backend: BackendRecord) -> dict[str, Any]:
    values: dict[str, Any] = {
        "name": form.text("name"),
        "concurrency": form.integer("concurrency"),
        "silence_seconds": form.integer("silence_seconds"),
        "options": _options(form, backend),
    }
    if not backend.is_embedded:
        values["base_url"] = form.text("base_url").strip()
        api_key = form.text("api_key").strip()
        if api_key or form.flag("removes_api_key"):
            values["api_key"] = api_key or None
    return values


def _options(form: Form, backend: BackendRecord) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option in options_of(backend.kind):
        text = form.text(f"option_{option.name}", longest=5_000).strip()
        if not text:
            continue
        found[option.name] = int(text) if text.removeprefix("-").isdecimal() and len(text) < 12 else text
        if not option.fits(found[option.name]):
            raise Invalid(f"This {option.demand}.", field=f"option_{option.name}")
    return found
