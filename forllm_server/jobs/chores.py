"""What happens at a time rather than on request: finding a model for what had none, clearing up."""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.catalog.choosing import choose_model
from forllm_server.db import Database
from forllm_server.personas import version_store
from forllm_server.queue.llm_request_store import (
    list_ids_of_deleted_backends,
    list_without_backend,
    update_status,
)
from forllm_server.queue.model import Cause, Status
from forllm_server.queue.telling import tell_failed
from forllm_server.settings.values import read_settings


def find_models_for_waiting(database: Database, now: datetime) -> int:
    """Give the requests that were asked while no model was there one that is there now. Returns how many."""
    with database.read() as connection:
        if not list_without_backend(connection, limit=1):
            return 0
    with database.transaction() as connection:
        return _assign_models(connection)


def _assign_models(connection: Connection) -> int:
    settings = read_settings(connection)
    assigned = 0
    for request in list_without_backend(connection, limit=500):
        version = version_store.get_version(connection, request.persona_version_id or 0)
        chosen = choose_model(
            connection,
            asked_model_id=None,
            persona_model_id=version.model_id,
            fallback_model_ids=version.fallback_model_ids,
            default_model_id=settings.default_model_id,
        )
        if chosen is None:
            continue
        values = {"backend_id": chosen.backend.id, "model_id": chosen.model.id, "model_name": chosen.model.name}
        if update_status(connection, request.id, from_statuses=(Status.QUEUED,), values=values) is not None:
            assigned += 1
    return assigned


def fail_those_of_deleted_backends(database: Database, now: datetime) -> int:
    """A queued request whose backend was deleted can never run: it becomes a visible error. Returns how many."""
    with database.read() as connection:
        gone = list_ids_of_deleted_backends(connection)
    if not gone:
        return 0
    with database.transaction() as connection:
        return sum(_fail(connection, llm_request_id, now) for llm_request_id in gone)


def _fail(connection: Connection, llm_request_id: int, now: datetime) -> bool:
    detail = "Its backend was deleted while it waited. Ask another model."
    values = {
        "status": Status.FAILED.value,
        "cause": Cause.MODEL_GONE.value,
        "cause_detail": detail,
        "finished_at": now,
        "due_at": None,
    }
    statuses = (Status.QUEUED, Status.WAITING, Status.HELD)
    failed = update_status(connection, llm_request_id, from_statuses=statuses, values=values)
    if failed is not None:
        tell_failed(connection, failed, Cause.MODEL_GONE, detail, now)
    return failed is not None
