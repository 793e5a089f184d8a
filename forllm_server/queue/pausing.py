"""Pausing the whole queue or one backend: nothing new is begun there, "run now" included; what runs goes on."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection

from forllm_server.db.lines import log_on_commit
from forllm_server.errors import Invalid, NotFound
from forllm_server.queue import pause_store
from forllm_server.queue.model import Pause
from forllm_server.queue.pause_store import WHOLE_QUEUE
from forllm_server.queue.version_store import bump_versions

LONGEST_REASON = 200
_FOREVER = datetime.max.replace(tzinfo=UTC)


def pause(
    connection: Connection,
    *,
    backend_id: int | None,
    until: datetime | None,
    reason: str,
    now: datetime,
    is_by_machine: bool = False,
) -> Pause:
    """Pause a backend, or with None the whole queue; ``until`` None: until it is resumed.

    What a machine pauses ("GPU in use") never replaces what a person paused. Returns the pause that holds now.
    Raises NotFound (backend), Invalid (until, reason).
    """
    scope = _scope(connection, backend_id)
    if until is not None and until <= now:
        raise Invalid("The pause would be over already. Give a time that is still to come.", field="until")
    if len(reason) > LONGEST_REASON:
        raise Invalid(f"The reason may have {LONGEST_REASON} characters.", field="reason")
    made = Pause(scope, until, reason.strip(), now, is_by_machine)
    while not pause_store.replace_pause(connection, made):
        if known := pause_store.list_pauses(connection).get(scope):
            return known
    bump_versions(connection, None)
    if not is_by_machine:
        # What the machine does by itself is told where it decides.
        log_on_commit(connection, "queue.paused", backend=backend_id, until=until)
    return made


def resume(connection: Connection, *, backend_id: int | None, is_by_machine: bool = False) -> bool:
    """End a pause. A machine ends only its own. Returns whether there was one to end. Raises NotFound (backend)."""
    scope = _scope(connection, backend_id)
    if not pause_store.delete_pause(connection, scope, is_by_machine=is_by_machine):
        return False
    bump_versions(connection, None)
    if not is_by_machine:
        log_on_commit(connection, "queue.resumed", backend=backend_id)
    return True


def find_pause(pauses: Mapping[int, Pause], backend_id: int | None, now: datetime) -> Pause | None:
    """The pause that keeps a backend from beginning anything: its own or the whole queue's, whichever ends later."""
    scopes = (WHOLE_QUEUE,) if backend_id is None else (WHOLE_QUEUE, backend_id)
    holding = [pauses[scope] for scope in scopes if scope in pauses and _holds(pauses[scope], now)]
    return max(holding, key=lambda each: each.until or _FOREVER, default=None)


def is_paused(connection: Connection, *, backend_id: int | None, now: datetime) -> bool:
    """Whether nothing new is begun on the backend; with None: in the whole queue."""
    return find_pause(pause_store.list_pauses(connection), backend_id, now) is not None


def _holds(held: Pause, now: datetime) -> bool:
    return held.until is None or held.until > now


def _scope(connection: Connection, backend_id: int | None) -> int:
    if backend_id is None:
        return WHOLE_QUEUE
    if not pause_store.has_backend(connection, backend_id):
        raise NotFound("There is no such backend. It may have been deleted.", field="backend_id")
    return backend_id
