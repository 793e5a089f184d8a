"""What may run when: the catalog's backends under the schedule's windows, as the workers need it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.catalog import backend_store
from forllm_server.catalog.model import BackendKind, BackendRecord
from forllm_server.queue.backend_state_store import list_last_served
from forllm_server.queue.claiming import ClaimableBackend
from forllm_server.queue.context_sql import LOADS_BY_CONTEXT
from forllm_server.queue.dispatch import LastServed, may_fan_out
from forllm_server.queue.job import Interruption
from forllm_server.queue.model import Lane, LlmRequest
from forllm_server.queue.pause_store import list_pauses
from forllm_server.queue.pausing import find_pause
from forllm_server.queue.rate_store import find_habit, find_rates
from forllm_server.schedule.gate import Gate, read_gate
from forllm_server.schedule.windows import Closing
from forllm_server.settings.values import read_settings

#: Servers that are llama.cpp, or run it: each of its slots holds a thread of its own.
_HELD_BY_PLACE = (BackendKind.LLAMA_CPP, BackendKind.EMBEDDED, BackendKind.OLLAMA)
_INTERRUPTIONS = {Closing.PAUSE: Interruption.WINDOW_PAUSED, Closing.STOP: Interruption.WINDOW_STOPPED}


class NightPlan:
    """The plan handed to the workers (see ``forllm_server.queue.worker.Plan``)."""

    def backends(self, connection: Connection, now: datetime) -> Sequence[ClaimableBackend]:
        """The enabled backends that are not paused, with their concurrency and whether their window is open."""
        gate = _gate(connection, now)
        pauses = list_pauses(connection)
        records = backend_store.list_backends(connection, is_enabled=True)
        served = list_last_served(connection) if any(each.replies_at_once > 1 for each in records) else {}
        return [
            ClaimableBackend(
                record.id,
                record.replies_at_once,
                gate.is_open(record.id),
                fans_out=_may_fan_out(connection, record, served.get(record.id)),
                loads_by_context=record.kind.value in LOADS_BY_CONTEXT,
            )
            for record in records
            if find_pause(pauses, record.id, now) is None
        ]

    def interruption(self, connection: Connection, now: datetime, request: LlmRequest) -> Interruption | None:
        """Whether a running request must stop because its window has closed. "Run now" goes on."""
        if request.lane is Lane.LIVE or request.backend_id is None:
            return None
        gate = _gate(connection, now)
        if gate.is_open(request.backend_id):
            return None
        return _INTERRUPTIONS.get(gate.closing(request.backend_id))


def _may_fan_out(connection: Connection, record: BackendRecord, last: LastServed | None) -> bool:
    """Of the model that the backend has loaded."""
    if record.replies_at_once == 1 or record.kind not in _HELD_BY_PLACE:
        return True
    if last is None or last.model_id is None:
        return False
    rates = find_rates(connection, last.model_id)
    return may_fan_out(rates, find_habit(connection, model_id=last.model_id, persona_id=None), is_held_by_place=True)


def _gate(connection: Connection, now: datetime) -> Gate:
    return read_gate(connection, now, read_settings(connection).zone)
