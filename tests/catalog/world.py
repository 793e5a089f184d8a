"""A few backends and models that the catalog's tests share."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.catalog import model_store
from forllm_server.catalog.editing import add_backend
from forllm_server.catalog.model import BackendRecord, Model

NOW = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
SECRET = bytes(range(32))


def add(connection: Connection, **values: Any) -> BackendRecord:
    """A backend called Workshop, unless ``values`` say otherwise."""
    filled = {"owner_id": 1, "name": "Workshop", "kind": "ollama", "base_url": "http://workshop.lan:11434"}
    return add_backend(connection, secret_key=SECRET, now=NOW, **{**filled, **values})


def add_model(connection: Connection, backend_id: int, name: str, **values: Any) -> Model:
    """An available model of a backend."""
    filled: dict[str, Any] = {
        "backend_id": backend_id,
        "name": name,
        "label": name,
        "context_source": "guessed",
        "details": {},
        "is_available": True,
        "first_seen_at": NOW,
        "last_seen_at": NOW,
    }
    return model_store.insert_model(connection, {**filled, **values})
