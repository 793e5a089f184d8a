"""Making way for others on this machine: pause its backends, park their replies, free the memory; and go on later.

The pause is the queue's own, begun by the machine: it is shown wherever pauses are, and a person who ends it has the
last word until the machine has been quiet once.
"""

import threading
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from forllm_server import clock, log
from forllm_server.db import Database
from forllm_server.errors import ForllmError, NotFound
from forllm_server.jobs.context import Connections
from forllm_server.jobs.locality import find_model_servers, list_worker_process_ids
from forllm_server.jobs.outlook import BackendOutlook, Outlook
from forllm_server.machine.load import LoadReader
from forllm_server.machine.model import Load, ModelServers
from forllm_server.machine.yielding import Busy, YieldRules, YieldState, advance
from forllm_server.queue.job import Interruption, Job
from forllm_server.queue.lease_store import list_running
from forllm_server.queue.llm_request_store import list_llm_requests
from forllm_server.queue.model import Lane, Status
from forllm_server.queue.pausing import LONGEST_REASON, pause, resume
from forllm_server.queue.wakeup import Wakeup
from forllm_server.queue.worker import WorkerPool
from forllm_server.settings.values import Settings

#: The text is kept, no attempt is spent, and the request goes back into the line.
PARKED = Interruption.MACHINE_BUSY
#: A limit is less than the whole: use over 100 % does not exist.
_MOST_PERCENT = 99
#: How long replies are waited for to be parked before their models are unloaded; else at the next tick.
_SETTLE_SECONDS = 3.0
_SERVERS_SECONDS = 30.0
#: Among so many of the latest replies it is looked for the models that may be loaded.
_LATEST = 50


class MakingWay:
    """``heed`` it every few seconds, from one thread."""

    def __init__(
        self,
        database: Database,
        *,
        pool: WorkerPool,
        connections: Connections,
        wakeup: Wakeup,
        stopping: threading.Event,
        reader: LoadReader | None = None,
    ) -> None:
        """``stopping``: ends every wait."""
        self._database = database
        self._pool = pool
        self._connections = connections
        self._wakeup = wakeup
        self._stopping = stopping
        self._reader = reader or LoadReader()
        self._state = YieldState()
        self._has_begun = False
        #: backends paused since others use the machine, whoever has resumed them since
        self._paused: set[int] = set()
        self._to_unload: set[int] = set()
        self._told_until: datetime | None = None
        self._was_working = False
        self._servers: tuple[float, ModelServers] = (float("-inf"), ModelServers())

    def heed(self, outlook: Outlook, now: datetime) -> None:
        """Look at the machine and act; returns within some seconds. May raise ForllmError; the next call mends it."""
        if not self._has_begun:
            self._take_over(outlook)
        rules = rules_of(outlook.settings)
        if not rules.is_on:
            self._state = YieldState()
        elif self._is_wanted(outlook):
            self._state = advance(self._state, rules, self._read(outlook, rules, now))
        if isinstance(self._state.decision, Busy):
            self._make_way(outlook, self._state.decision, now)
        elif self._paused:
            self._go_on()
        self._unload(outlook)

    def _take_over(self, outlook: Outlook) -> None:
        """What was paused before a restart ends by the same rule as if there had been none."""
        self._has_begun = True
        pauses = outlook.machine_pauses()
        self._paused = set(pauses)
        first = min(pauses.values(), key=lambda each: each.created_at, default=None)
        if first is not None:
            self._state = YieldState(Busy(first.reason, first.created_at))

    def _is_wanted(self, outlook: Outlook) -> bool:
        """Reading keeps some cards from sleeping: only when there is something to pause or to resume."""
        return bool(self._paused) or any(
            backend.is_left_with_work and (backend.running or backend.may_begin or backend.opens_soon)
            for backend in outlook.here
        )

    def _read(self, outlook: Outlook, rules: YieldRules, now: datetime) -> Load:
        is_working = any(backend.running for backend in outlook.here)
        load = self._reader.read(
            rules.programs,
            servers=self._model_servers(outlook),
            # What a card did a moment ago may still be our model's work.
            is_working=is_working or self._was_working,
            has_gpu_wish=rules.gpu_share_limit is not None,
        )
        self._was_working = is_working
        return replace(load, at=now)

    def _model_servers(self, outlook: Outlook) -> ModelServers:
        read_at, servers = self._servers
        if clock.monotonic() - read_at >= _SERVERS_SECONDS:
            with self._database.read() as connection:
                workers = list_worker_process_ids(connection)
            servers = find_model_servers((backend.record for backend in outlook.here), workers)
            self._servers = (clock.monotonic(), servers)
        return servers

    def _make_way(self, outlook: Outlook, busy: Busy, now: datetime) -> None:
        held = outlook.machine_pauses()
        new = [backend for backend in outlook.here if backend.id not in self._paused]
        if new:
            self._pause(new, held, busy, now)
        elif busy.resumes_at != self._told_until:
            self._tell_until(self._paused & held.keys(), busy)
        self._told_until = busy.resumes_at
        # Not those that a person has resumed: these work although others do.
        stopped = {backend.id for backend in new} | (self._paused & held.keys())
        self._to_unload |= self._park(stopped)

    def _pause(self, new: Collection[BackendOutlook], held: Collection[int], busy: Busy, now: datetime) -> None:
        with self._database.transaction() as connection:
            for backend in new:
                # Another process of this machine may have been quicker.
                if backend.id not in held:
                    pause(
                        connection,
                        backend_id=backend.id,
                        until=busy.resumes_at,
                        reason=_short(busy.reason),
                        now=now,
                        is_by_machine=True,
                    )
        ids = {backend.id for backend in new}
        self._paused |= ids
        self._to_unload |= ids
        self._pool.forget_plan()
        log.event("machine.made_way", reason=busy.reason, backends=_names(new))

    def _tell_until(self, ids: Iterable[int], busy: Busy) -> None:
        """Say when it goes on, as soon as that is known; the beginning stays."""
        with self._database.transaction() as connection:
            for backend_id in sorted(ids):
                pause(
                    connection,
                    backend_id=backend_id,
                    until=busy.resumes_at,
                    reason=_short(busy.reason),
                    now=busy.since,
                    is_by_machine=True,
                )

    def _park(self, backend_ids: Collection[int]) -> set[int]:
        """Stop the night's replies there and wait a little for their texts to be saved; where any was stopped."""
        stopped: set[int] = set()
        deadline = clock.monotonic() + _SETTLE_SECONDS
        while jobs := self._running_at_night(backend_ids):
            for job in jobs:
                job.interrupt(PARKED)
                stopped.add(job.request.backend_id or 0)
            if clock.monotonic() >= deadline or self._stopping.wait(0.05):
                break
        return stopped

    def _running_at_night(self, backend_ids: Collection[int]) -> list[Job]:
        """ "Run now" goes on: a person wanted it now."""
        return [
            job
            for job in self._pool.running_jobs()
            if job.request.backend_id in backend_ids and job.request.lane is Lane.NIGHT
        ]

    def _go_on(self) -> None:
        with self._database.transaction() as connection:
            resumed = [backend_id for backend_id in sorted(self._paused) if _resume(connection, backend_id)]
        self._paused.clear()
        self._to_unload.clear()
        self._told_until = None
        self._pool.forget_plan()
        self._wakeup.notify()
        log.event("machine.went_on", backends=len(resumed))

    def _unload(self, outlook: Outlook) -> None:
        """Free the memory of models that rest now; where a reply is still being written, at a later tick."""
        if not self._to_unload:
            return
        with self._database.read() as connection:
            at_work = {request.backend_id for request in list_running(connection)}
            served = list_llm_requests(connection, statuses=[Status.SUCCEEDED], limit=_LATEST)
        for backend in outlook.here:
            if backend.id not in self._to_unload or backend.id in at_work:
                continue
            self._to_unload.discard(backend.id)
            names = {request.model_name for request in (*served, *backend.running) if request.backend_id == backend.id}
            self._unload_all(backend, sorted(name for name in names if name), outlook.settings)

    def _unload_all(self, backend: BackendOutlook, names: Collection[str], settings: Settings) -> None:
        try:
            reached = self._connections.to(backend.record, settings)
            unloaded = [name for name in names if reached.unload(name)]
        except ForllmError as error:
            # It makes way all the same: nothing runs there.
            name = backend.record.name
            log.event("model.not_unloaded", level=log.WARNING, backend=name, detail=error.message)
            return
        if unloaded:
            log.event("model.unloaded", backend=backend.record.name, models=", ".join(unloaded))


def rules_of(settings: Settings) -> YieldRules:
    """When others' use counts, by the settings."""
    return YieldRules(
        cpu_share_limit=_limit(settings.yields_cpu_percent),
        gpu_share_limit=_limit(settings.yields_gpu_percent),
        programs=settings.programs,
        busy_seconds=settings.busy_seconds,
        quiet_minutes=settings.quiet_minutes,
    )


def _limit(percent: int | None) -> float | None:
    return None if percent is None else min(percent, _MOST_PERCENT) / 100


def _resume(connection: Connection, backend_id: int) -> bool:
    try:
        return resume(connection, backend_id=backend_id, is_by_machine=True)
    except NotFound:
        # Deleted meanwhile.
        return False


def _short(reason: str) -> str:
    return reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 1]}…"


def _names(backends: Iterable[BackendOutlook]) -> str:
    return ", ".join(backend.record.name for backend in backends)
