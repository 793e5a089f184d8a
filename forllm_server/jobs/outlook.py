"""What there is to do just now and soon, backend by backend: what yielding, staying awake and commands go by."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from forllm_server.catalog import backend_store
from forllm_server.catalog.model import BackendRecord
from forllm_server.jobs.locality import is_on_this_machine
from forllm_server.queue.lease_store import list_running
from forllm_server.queue.model import Lane, LlmRequest, Pause, Status
from forllm_server.queue.pause_store import list_pauses
from forllm_server.queue.pausing import find_pause
from forllm_server.queue.plan_store import list_in_line, list_queued
from forllm_server.schedule.gate import Gate, read_gate
from forllm_server.settings.values import Settings, read_settings

#: How long before an opening it is looked at what others do, so that nothing has to be begun to find out.
SOON = timedelta(seconds=60)


@dataclass(frozen=True)
class BackendOutlook:
    """One enabled backend."""

    record: BackendRecord
    is_here: bool
    #: whether it has hours at all; without, it is always open
    has_hours: bool
    is_open: bool
    opens_soon: bool
    is_paused: bool
    #: the lane of the first request that is queued or backs off; None: there is none
    lane: Lane | None
    running: tuple[LlmRequest, ...]

    @property
    def id(self) -> int:
        return self.record.id

    @property
    def is_left_with_work(self) -> bool:
        """Whether anything runs, waits or backs off."""
        return bool(self.running) or self.lane is not None

    @property
    def may_begin(self) -> bool:
        """Whether anything may be begun by the hours, pauses aside."""
        return self.lane is Lane.LIVE or (self.lane is not None and self.is_open)

    @property
    def is_at_work(self) -> bool:
        """Whether anything runs, or may be begun."""
        return bool(self.running) or (self.may_begin and not self.is_paused)


@dataclass(frozen=True)
class Outlook:
    """All enabled backends, and what holds for them at ``at``."""

    at: datetime
    settings: Settings
    gate: Gate
    backends: tuple[BackendOutlook, ...]
    pauses: Mapping[int, Pause]

    @property
    def here(self) -> tuple[BackendOutlook, ...]:
        """Those whose models work on this machine."""
        return tuple(backend for backend in self.backends if backend.is_here)

    @property
    def is_at_work(self) -> bool:
        return any(backend.is_at_work for backend in self.backends)

    def machine_pauses(self) -> dict[int, Pause]:
        """Pauses that a machine began and that hold."""
        return {
            scope: pause
            for scope, pause in self.pauses.items()
            if pause.is_by_machine and (pause.until is None or pause.until > self.at)
        }


def read_outlook(connection: Connection, now: datetime, backend_ids: Collection[int] | None = None) -> Outlook:
    """``backend_ids``: of these backends only; None: of all."""
    settings = read_settings(connection)
    gate = read_gate(connection, now, settings.zone)
    pauses = list_pauses(connection)
    running = list_running(connection)
    return Outlook(
        now,
        settings,
        gate,
        tuple(
            _backend(connection, record, gate, pauses, running)
            for record in backend_store.list_backends(connection, is_enabled=True)
            if backend_ids is None or record.id in backend_ids
        ),
        pauses,
    )


def _backend(
    connection: Connection,
    record: BackendRecord,
    gate: Gate,
    pauses: Mapping[int, Pause],
    running: Collection[LlmRequest],
) -> BackendOutlook:
    lane = _lane(connection, record.id)
    is_open = gate.is_open(record.id)
    opening = gate.next_opening(record.id) if lane is not None and not is_open else None
    return BackendOutlook(
        record,
        is_here=is_on_this_machine(record),
        has_hours=not gate.is_always_open(record.id),
        is_open=is_open,
        opens_soon=opening is not None and opening - gate.at <= SOON,
        is_paused=find_pause(pauses, record.id, gate.at) is not None,
        lane=lane,
        running=tuple(request for request in running if request.backend_id == record.id),
    )


def _lane(connection: Connection, backend_id: int) -> Lane | None:
    """The live lane stands first in the line, so that one look at its head tells."""
    first = [
        *list_queued(connection, backend_id, limit=1),
        *list_in_line(connection, [Status.WAITING], limit=1, backend_id=backend_id),
    ]
    lanes = {each.candidate.lane for each in first}
    return Lane.LIVE if Lane.LIVE in lanes else next(iter(lanes), None)
