"""``/api/v1/schedule``: when models may work."""

from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.api.contract import Noun, listing
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_setup import (
    ExceptionIn,
    ExceptionOut,
    ExtensionIn,
    ScheduleStatusOut,
    WindowIn,
    WindowOut,
)
from forllm_server.catalog.backend_store import list_backends
from forllm_server.clock import now
from forllm_server.schedule import exception_store, planning, window_store
from forllm_server.schedule.gate import Gate, read_gate
from forllm_server.schedule.model import ScheduleException, ScheduleWindow
from forllm_server.web.current import current, current_user_id

blueprint = Noun("Schedule", "Windows: the hours in which models may work. Without any they always may.")

_EXCEPTION_ADDRESS = "/api/v1/schedule/exceptions/{id}"


@blueprint.route("/schedule/windows", methods=["GET"])
@blueprint.response(200, listing(WindowOut))
def show_windows() -> dict[str, Any]:
    """List the windows."""
    with current().database.read() as connection:
        return {"items": window_store.list_windows(connection), "next": None}


@blueprint.route("/schedule/windows", methods=["POST"])
@blueprint.arguments(WindowIn)
@blueprint.response(201, WindowOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add_window(values: dict[str, Any]) -> Response:
    """Add a window."""

    def work(connection: Connection) -> Any:
        window = planning.new_window(**values)
        return WindowOut().dump(planning.add_window(connection, window, owner_id=current_user_id(), now=now()))

    return create(work, location="/api/v1/schedule/windows/{id}")


@blueprint.route("/schedule/windows/<int:window_id>", methods=["GET"])
@blueprint.response(200, WindowOut)
def show_window(window_id: int) -> ScheduleWindow:
    """Read one window."""
    with current().database.read() as connection:
        return window_store.get_window(connection, window_id)


@blueprint.route("/schedule/windows/<int:window_id>", methods=["PUT"])
@blueprint.arguments(WindowIn)
@blueprint.response(200, WindowOut)
def replace_window(values: dict[str, Any], window_id: int) -> ScheduleWindow:
    """Replace a window by another one."""
    with current().database.transaction() as connection:
        changed = planning.change_window(connection, window_id, planning.new_window(**values))
    current().wake_worker()
    return changed


@blueprint.route("/schedule/windows/<int:window_id>", methods=["DELETE"])
@blueprint.response(204)
def delete_window(window_id: int) -> str:
    """Delete a window."""
    with current().database.transaction() as connection:
        planning.delete_window(connection, window_id)
    current().wake_worker()
    return ""


@blueprint.route("/schedule/exceptions", methods=["GET"])
@blueprint.response(200, listing(ExceptionOut))
def show_exceptions() -> dict[str, Any]:
    """List the dates that differ from their week, past ones too."""
    with current().database.read() as connection:
        return {"items": exception_store.list_exceptions(connection), "next": None}


@blueprint.route("/schedule/exceptions", methods=["POST"])
@blueprint.arguments(ExceptionIn)
@blueprint.response(201, ExceptionOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add_exception(values: dict[str, Any]) -> Response:
    """Open or close on a date, for some hours or the whole of it."""
    note = values.pop("note", "")

    def work(connection: Connection) -> Any:
        item = planning.new_exception(day=values.pop("date"), **values)
        added = planning.add_exception(connection, item, owner_id=current_user_id(), now=now(), note=note)
        return ExceptionOut().dump(added)

    return create(work, location=_EXCEPTION_ADDRESS)


@blueprint.route("/schedule/exceptions/<int:exception_id>", methods=["GET"])
@blueprint.response(200, ExceptionOut)
def show_exception(exception_id: int) -> ScheduleException:
    """Read one exception."""
    with current().database.read() as connection:
        return exception_store.get_exception(connection, exception_id)


@blueprint.route("/schedule/exceptions/<int:exception_id>", methods=["DELETE"])
@blueprint.response(204)
def delete_exception(exception_id: int) -> str:
    """Take an exception back: the date follows its week again."""
    with current().database.transaction() as connection:
        planning.delete_exception(connection, exception_id)
    current().wake_worker()
    return ""


@blueprint.route("/schedule/extension", methods=["POST"])
@blueprint.arguments(ExtensionIn)
@blueprint.response(201, ExceptionOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def extend(values: dict[str, Any]) -> Response:
    """Open from now until the clock next shows `until`: "tonight also until 09:00". It is kept as an exception."""
    end_minute = planning.read_clock(values["until"], "until")

    def work(connection: Connection) -> Any:
        added = planning.open_until(
            connection, end_minute, owner_id=current_user_id(), now=now(), backend_id=values.get("backend_id")
        )
        return ExceptionOut().dump(added)

    return create(work, location=_EXCEPTION_ADDRESS)


@blueprint.route("/schedule/status", methods=["GET"])
@blueprint.response(200, ScheduleStatusOut)
def show_status() -> dict[str, Any]:
    """Whether models may work now, until when, or from when; for all and for each backend."""
    with current().database.read() as connection:
        gate = read_gate(connection, now())
        backends = list_backends(connection)
    return _status(gate, None) | {
        "now": gate.at,
        "timezone": gate.plan.default_zone.key,
        "backends": [{"backend_id": backend.id, **_status(gate, backend.id)} for backend in backends],
    }


def _status(gate: Gate, backend_id: int | None) -> dict[str, Any]:
    is_open, next_opening = gate.is_open(backend_id), gate.next_opening(backend_id)
    return {
        "is_open": is_open,
        "is_always_open": gate.is_always_open(backend_id),
        "open_until": gate.open_until(backend_id),
        "next_opening": next_opening,
        "words": gate.words(backend_id),
        "active": is_open,
        "next_start": next_opening,
    }
