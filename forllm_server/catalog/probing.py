"""Looking at a backend: what it is, whether it answers, and which models it has now."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.backends.base import ModelFound, Probe
from forllm_server.catalog import backend_store, model_store
from forllm_server.catalog.connecting import connect
from forllm_server.catalog.contexts import TOLD, Context, largest_context_tokens, merged_context
from forllm_server.catalog.model import BackendRecord, ContextSource, Model
from forllm_server.crypto.sealing import CannotOpen
from forllm_server.db import Database
from forllm_server.queue.backend_state_store import delete_failures
from forllm_server.queue.version_store import bump_versions
from forllm_server.settings.values import read_settings

#: More than this is a catalogue, not a server: the rest is left out.
MOST_MODELS = 2_000
_LONGEST_NAME = 500
_LONGEST_TEXT = 300
_LONGEST_DETAILS = 16_000


def probe_backend(
    database: Database, backend_id: int, *, secret_key: bytes, silence_seconds: int, now: datetime
) -> BackendRecord:
    """Look at a backend over the network, then store what was found; the record with its new ``probe``.

    No transaction is open while the server is waited for. A server that does not answer keeps its models: LLM requests
    wait for it. A server that answers without a model that it had makes that model unavailable, until it is back.
    Raises NotFound when the backend was deleted, also meanwhile.
    """
    with database.read() as connection:
        record = backend_store.get_backend(connection, backend_id)
        default_context_tokens = read_settings(connection).default_context_tokens
    found = look(
        record,
        secret_key=secret_key,
        silence_seconds=silence_seconds,
        default_context_tokens=default_context_tokens,
    )
    with database.transaction() as connection:
        present = backend_store.get_backend(connection, backend_id)
        if (present.kind, present.base_url) == (record.kind, record.base_url):
            store_probe(connection, present, found, now)
        return backend_store.get_backend(connection, backend_id)


def look(
    record: BackendRecord, *, secret_key: bytes, silence_seconds: int, default_context_tokens: int | None = None
) -> Probe:
    """Ask the server behind a row; what went wrong is in the answer."""
    try:
        backend = connect(
            record,
            secret_key=secret_key,
            silence_seconds=silence_seconds,
            default_context_tokens=default_context_tokens,
        )
    except CannotOpen:
        return Probe(
            is_reachable=False,
            error="The API key cannot be read with this key file. Enter it again.",
            error_code=CannotOpen.code,
        )
    try:
        return backend.probe()
    finally:
        backend.close()


def store_probe(connection: Connection, record: BackendRecord, found: Probe, now: datetime) -> None:
    """Keep a probe's result and bring the backend's models in line with it."""
    cleaned = (_cleaned(model) for model in found.models[:MOST_MODELS] if 0 < len(model.name) <= _LONGEST_NAME)
    models = {model.name: model for model in cleaned}
    summary = {name: _storable(value) for name, value in asdict(found).items() if name != "models"}
    summary["model_count"] = len(models)
    backend_store.update_probe(connection, record.id, summary, now)
    if found.is_reachable and found.error is None and delete_failures(connection, record.id):
        # It answers again: requests that waited for its circuit to close need not wait any longer.
        bump_versions(connection, None)
    if not found.is_reachable or (found.error is not None and not models):
        return
    known = {model.name: model for model in model_store.list_models_of(connection, record.id)}
    for model in models.values():
        _store_model(connection, record, known.get(model.name), model, now)
    model_store.update_all_unavailable(connection, record.id, except_names=models.keys())


def _store_model(
    connection: Connection, record: BackendRecord, before: Model | None, found: ModelFound, now: datetime
) -> None:
    details = dict(found.details)
    held = (None, ContextSource.GUESSED) if before is None else (before.context_tokens, before.context_source)
    told = None if before is None else before.details.get(TOLD)
    most = largest_context_tokens(record.kind, _context(found), details)
    context_tokens, context_source = merged_context(held, _context(found), told=told, most=most)
    values: dict[str, Any] = {
        "label": found.label or found.name,
        "context_tokens": context_tokens,
        "context_source": context_source.value,
        "size_bytes": found.size_bytes,
        "digest": found.digest,
        "details": details if told is None else details | {TOLD: told},
        "is_available": True,
        "last_seen_at": now,
    }
    if before is None:
        values |= {"backend_id": record.id, "name": found.name, "first_seen_at": now}
        model_store.insert_model(connection, values)
    else:
        model_store.update_model(connection, before.id, values)


def _context(found: ModelFound) -> Context:
    if found.context_tokens is None or found.context_tokens <= 0:
        return None, ContextSource.GUESSED
    return min(found.context_tokens, 2**31 - 1), ContextSource(found.context_source)


def _cleaned(found: ModelFound) -> ModelFound:
    """The model with texts and numbers that every database can hold: a server may send anything."""
    details = _storable(dict(found.details))
    if len(json.dumps(details)) > _LONGEST_DETAILS:
        details = {}
    size_bytes = found.size_bytes if found.size_bytes is not None and 0 <= found.size_bytes < 2**63 else None
    return ModelFound(
        name=_text(found.name, _LONGEST_NAME),
        label=_text(found.label, _LONGEST_NAME),
        context_tokens=found.context_tokens,
        context_source=found.context_source,
        size_bytes=size_bytes,
        digest=None if found.digest is None else _text(found.digest, _LONGEST_TEXT),
        details=details,
    )


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value, _LONGEST_DETAILS)
    if isinstance(value, dict):
        return {_text(str(name), _LONGEST_TEXT): _storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(item) for item in value]
    return value


def _text(text: str, longest: int) -> str:
    # PostgreSQL holds no NUL, and no database a lone surrogate.
    return text[:longest].replace("\x00", "\ufffd").encode("utf-8", errors="replace").decode("utf-8")
