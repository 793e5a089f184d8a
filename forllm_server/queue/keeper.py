"""The thread that keeps the workers alive and honest: leases, cancels, closing windows, due requests, rescues."""

import random
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from forllm_server import clock, log
from forllm_server.db.listening import Listener
from forllm_server.errors import ForllmError
from forllm_server.queue import chain_store, claiming, lease_store, worker_store
from forllm_server.queue.claiming import LEASE
from forllm_server.queue.job import Interruption, Job
from forllm_server.queue.lasting import LastingThread
from forllm_server.queue.llm_request_store import has_queued
from forllm_server.queue.mending import mend_chains
from forllm_server.queue.version_store import CHANNEL

if TYPE_CHECKING:
    from forllm_server.queue.worker import WorkerPool

TICK_SECONDS = 1.0
RENEW_AFTER_SECONDS = LEASE.total_seconds() / 3
RESCUE_EVERY_SECONDS = 5.0
MEND_EVERY_SECONDS = 5.0
HEARTBEAT_EVERY_SECONDS = 10.0
#: The wall clock was set, and has not just run, when it differs by more than this from the seconds that have passed.
JUMP_SECONDS = 5.0
#: How often it is looked for work: PostgreSQL tells of new work by itself, but not of a window that opens.
WAKE_EVERY_SECONDS = {"sqlite": 0.0, "postgresql": 5.0}


class Keeper:
    """One per pool. Every tick is safe to lose: what it missed, the next one does."""

    def __init__(self, pool: "WorkerPool") -> None:
        self._pool = pool
        self._performed_at: dict[str, float] = {}
        self._seen_at = (clock.now(), clock.monotonic())
        self._rescues_from = float("-inf")
        self._stopped = threading.Event()
        self._thread = LastingThread(self._keep, name="keeper", stopping=self._stopped)
        self._listener = Listener(pool.database, CHANNEL, pool.wakeup.notify)

    def start(self) -> None:
        self._thread.start()
        self._listener.start()

    def stop(self, timeout_seconds: float) -> None:
        self._stopped.set()
        self._listener.stop()
        if self._thread.has_started:
            self._thread.join(timeout_seconds)

    def register(self) -> None:
        """Say that this worker has begun."""
        pool = self._pool
        backend_ids = None if pool.backend_ids is None else sorted(pool.backend_ids)
        with pool.database.transaction() as connection:
            worker_store.replace_worker(
                connection, pool.identity, threads=pool.threads, backend_ids=backend_ids, now=clock.now()
            )
        self._performed_at["heartbeat"] = clock.monotonic()

    def _deregister(self) -> None:
        with self._pool.database.transaction() as connection:
            worker_store.update_stopped(connection, self._pool.identity, clock.now())

    def _beat(self) -> None:
        if not self._is_time("heartbeat", HEARTBEAT_EVERY_SECONDS) or self._stopped.is_set():
            return
        with self._pool.database.transaction() as connection:
            is_known = worker_store.update_heartbeat(connection, self._pool.identity, clock.now())
        if not is_known:
            self.register()

    def rescue_orphans(self) -> None:
        with self._pool.database.transaction() as connection:
            rescued = claiming.rescue_orphans(connection, clock.now(), random.random)
        for request in rescued:
            log.event("llm_request.rescued", **request.log_context())

    def tick(self) -> None:
        """One round of everything."""
        jobs = self._pool.running_jobs()
        self._heed_clock(jobs)
        for duty in (lambda: self._heed_flags(jobs), lambda: self._renew(jobs), self._stage, self._rescue, self._mend):
            self._try("keeper.duty", duty)
        self._try("keeper.windows", lambda: self._heed_windows(jobs))
        self._try("keeper.wake", self._wake)
        if self._thread.has_started:
            self._try("keeper.heartbeat", self._beat)

    def _keep(self) -> None:
        while not self._stopped.wait(TICK_SECONDS):
            self.tick()
        # In this thread, which nobody waits for longer than for a moment: another process may have the database to
        # itself and stand still.
        self._try("keeper.deregister", self._deregister)

    def _try(self, name: str, duty: Callable[[], None]) -> None:
        try:
            duty()
        except (ForllmError, SQLAlchemyError, OSError) as error:
            log.event("keeper.duty_failed", level=log.WARNING, duty=name, detail=str(error))

    def _is_time(self, name: str, every_seconds: float) -> bool:
        now = clock.monotonic()
        if now - self._performed_at.get(name, float("-inf")) < every_seconds:
            return False
        self._performed_at[name] = now
        return True

    def _heed_clock(self, jobs: Sequence[Job]) -> None:
        """A clock that was set forward makes every lease look over, one that was set back as if it lasted for hours.

        Ours are renewed at once. Nothing is rescued for as long as a lease lasts: until then every live worker has
        renewed its own, for each sees the same clock.
        """
        seen_at, now = self._seen_at, (clock.now(), clock.monotonic())
        self._seen_at = now
        jump_seconds = (now[0] - seen_at[0]).total_seconds() - (now[1] - seen_at[1])
        if abs(jump_seconds) < JUMP_SECONDS:
            return
        log.event("clock.jumped", level=log.WARNING, seconds=round(jump_seconds))
        self._rescues_from = now[1] + LEASE.total_seconds()
        for job in jobs:
            job.renewed_at = float("-inf")

    def _heed_flags(self, jobs: Sequence[Job]) -> None:
        """Cancels asked for anywhere, and leases that are no longer ours, reach the running generation here."""
        if not jobs:
            return
        with self._pool.database.read() as connection:
            flags = lease_store.list_cancel_flags(connection, [job.request.id for job in jobs])
        for job in jobs:
            token, is_cancel_requested = flags.get(job.request.id, (None, False))
            if token != job.lease.token:
                job.interrupt(Interruption.LEASE_LOST)
            elif is_cancel_requested:
                job.interrupt(Interruption.CANCELLED)

    def _renew(self, jobs: Sequence[Job]) -> None:
        """Leases of jobs whose backend has been silent for a while; the others renew by their checkpoints."""
        for job in jobs:
            if clock.monotonic() - job.renewed_at < RENEW_AFTER_SECONDS or job.is_settled:
                continue
            with self._pool.database.transaction() as connection:
                asked = lease_store.update_lease(connection, job.lease, until=clock.now() + LEASE)
            job.renewed_at = clock.monotonic()
            if asked is None:
                job.interrupt(Interruption.LEASE_LOST)

    def _heed_windows(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        with self._pool.database.read() as connection:
            interruptions = [(job, self._pool.plan.interruption(connection, clock.now(), job.request)) for job in jobs]
        for job, why in interruptions:
            if why is not None:
                job.interrupt(why)

    def _stage(self) -> None:
        now = clock.now()
        with self._pool.database.read() as connection:
            is_due = lease_store.has_due(connection, now)
        if is_due:
            with self._pool.database.transaction() as connection:
                lease_store.update_due_to_queued(connection, now)

    def _rescue(self) -> None:
        if clock.monotonic() < self._rescues_from or not self._is_time("rescue", RESCUE_EVERY_SECONDS):
            return
        now = clock.now()
        with self._pool.database.read() as connection:
            has_expired = bool(claiming.list_expired(connection, now))
        if has_expired:
            with self._pool.database.transaction() as connection:
                rescued = claiming.rescue_expired(connection, now, random.random)
            for request in rescued:
                log.event("llm_request.rescued", level=log.WARNING, **request.log_context())

    def _mend(self) -> None:
        if not self._is_time("mend", MEND_EVERY_SECONDS):
            return
        with self._pool.database.read() as connection:
            is_broken = bool(chain_store.list_stranded(connection))
        if is_broken:
            with self._pool.database.transaction() as connection:
                mended = mend_chains(connection, clock.now())
            log.event("chains.mended", number=mended)

    def _wake(self) -> None:
        if not self._is_time("wake", WAKE_EVERY_SECONDS.get(self._pool.database.dialect, 0.0)):
            return
        with self._pool.database.read() as connection:
            has_work = has_queued(connection)
        if has_work:
            self._pool.wakeup.notify()
