"""The workers of one process: threads that claim and run LLM requests, and one that keeps their leases alive.

It imports nothing above the queue: the kinds of job and the plan (backends and windows) are handed in.
"""

import random
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from forllm_server import clock, log
from forllm_server.backends.faults import BackendError
from forllm_server.db import Database
from forllm_server.errors import ForllmError, Unavailable
from forllm_server.queue import backend_state_store, claiming, outcomes
from forllm_server.queue.claiming import ClaimableBackend, Claimed
from forllm_server.queue.dispatch import LastServed
from forllm_server.queue.identity import worker_identity
from forllm_server.queue.job import Hopeless, Interrupted, Interruption, Job
from forllm_server.queue.keeper import Keeper
from forllm_server.queue.lasting import LastingThread
from forllm_server.queue.model import Cause, LlmRequest
from forllm_server.queue.retry import Fault, breaker_seconds, decide
from forllm_server.queue.wakeup import Wakeup

#: How long an idle thread sleeps when nothing wakes it. The keeper looks for work more often and wakes all.
IDLE_SECONDS = 30.0
#: The hours and backends are read again after this long.
PLAN_SECONDS = 1.0


class Kind(Protocol):
    """What an LLM request asks for. ``run`` performs it and ends it by ``job.succeed`` or an error."""

    def run(self, job: Job) -> None: ...


class Plan(Protocol):
    """What may run when: made from backends and windows by whoever knows them."""

    def backends(self, connection: Connection, now: datetime) -> Sequence[ClaimableBackend]: ...

    def interruption(self, connection: Connection, now: datetime, request: LlmRequest) -> Interruption | None: ...


class _OwnLast(threading.local):
    """What this thread served last, by backend. Where a backend has several places, the one that its last request left
    is the one whose cache still holds that thread."""

    def __init__(self) -> None:
        self.served: dict[int, LastServed] = {}


_UNKNOWN_KIND = (
    "This FORLLM does not know LLM requests of the kind “{}”: a newer version has asked for it. "
    "Bring all workers up to date, then try again."
)


class WorkerPool:
    """``start()`` it, and ``stop()`` it: running generations are checkpointed and released."""

    def __init__(
        self,
        database: Database,
        *,
        kinds: Mapping[str, Kind],
        plan: Plan,
        threads: int,
        wakeup: Wakeup,
        backend_ids: Collection[int] | None = None,
    ) -> None:
        """``backend_ids``: work of these backends only; None: of all."""
        self.database = database
        self.kinds = kinds
        self.plan = plan
        self.wakeup = wakeup
        self.threads = threads
        self.backend_ids = None if backend_ids is None else frozenset(backend_ids)
        self.identity = worker_identity()
        self._stopping = threading.Event()
        self._jobs: dict[int, Job] = {}
        self._guard = threading.Lock()
        self._own = _OwnLast()
        self._planned: tuple[float, Sequence[ClaimableBackend]] = (float("-inf"), ())
        self._threads = [
            LastingThread(self._work, name=f"worker-{number + 1}", stopping=self._stopping) for number in range(threads)
        ]
        self._keeper = Keeper(self)

    def start(self) -> None:
        """Register, take back what a dead process of this host left, then begin."""
        self._keeper.register()
        self._keeper.rescue_orphans()
        self._keeper.start()
        for thread in self._threads:
            thread.start()
        log.event("worker.started", worker=self.identity, threads=len(self._threads))

    def stop(self, timeout_seconds: float = 4.0) -> bool:
        """Release what runs and end. Returns whether all threads ended in time."""
        self._stopping.set()
        self.wakeup.notify()
        for job in self.running_jobs():
            job.interrupt(Interruption.STOPPING)
        deadline = clock.monotonic() + timeout_seconds
        for thread in self._threads:
            if thread.has_started:
                thread.join(max(deadline - clock.monotonic(), 0.0))
        self._keeper.stop(max(deadline - clock.monotonic(), 0.2))
        is_clean = not any(thread.is_alive() for thread in self._threads)
        log.event("worker.stopped", worker=self.identity, is_clean=is_clean)
        return is_clean

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def running_jobs(self) -> list[Job]:
        with self._guard:
            return list(self._jobs.values())

    def run_next(self) -> bool:
        """Claim and run one request in this thread. False when there is nothing to run now."""
        claimed = self._claim()
        if claimed is None:
            return False
        self._run(claimed)
        return True

    def run_all(self) -> int:
        """Claim and run requests in this thread until there is nothing more to run now; how many there were."""
        number = 0
        claimed = self._claim()
        while claimed is not None:
            number += 1
            claimed = self._run(claimed, goes_on=True) or (None if self.is_stopping else self._claim())
        return number

    def _run(self, claimed: Claimed, *, goes_on: bool = False) -> Claimed | None:
        """Run a request. With ``goes_on`` the next one is taken in the transaction that ends this one well, if there
        is one: two transactions a request would wait for the disk twice. It has been taken and must be run."""
        request = claimed.request
        job = Job(self.database, request, backend_failures=claimed.failures)
        following: list[Claimed] = []
        # Where writers are not alone (PostgreSQL) a claim locks its backend first, and the end of a run comes too late.
        if goes_on and self.database.is_sqlite:
            job.and_then = lambda connection: self._take(connection, following)
        with self._guard:
            self._jobs[request.id] = job
        if self.is_stopping:
            job.interrupt(Interruption.STOPPING)
        try:
            self._attempt(job)
        finally:
            with self._guard:
                self._jobs.pop(request.id, None)
        return following[0] if following else None

    def _take(self, connection: Connection, following: list[Claimed]) -> Callable[[], None]:
        """Claim the next request in somebody's transaction; it is added to ``following`` when that is committed."""
        now = clock.now()
        read_at, backends = self._planned
        is_fresh = clock.monotonic() - read_at < PLAN_SECONDS
        claimed = self._claim_in(connection, backends, now) if is_fresh and not self.is_stopping else None
        return lambda: following.extend([] if claimed is None else [self._remember(claimed)])

    def _work(self) -> None:
        while not self.is_stopping:
            seen = self.wakeup.calls()
            try:
                has_run = self.run_all() > 0
            except (ForllmError, SQLAlchemyError) as error:
                log.event("worker.database_unavailable", level=log.WARNING, worker=self.identity, detail=str(error))
                has_run = False
                self._stopping.wait(1.0)
            if not has_run and not self.is_stopping:
                self.wakeup.wait(seen, IDLE_SECONDS)

    def _claim(self) -> Claimed | None:
        now = clock.now()
        backends = self._claimable(now)
        if not backends:
            return None
        with self.database.transaction() as connection:
            claimed = self._claim_in(connection, backends, now)
        return None if claimed is None else self._remember(claimed)

    def _claim_in(self, connection: Connection, backends: Sequence[ClaimableBackend], now: datetime) -> Claimed | None:
        return claiming.claim(connection, backends=backends, worker=self.identity, now=now, own_last=self._own.served)

    def _remember(self, claimed: Claimed) -> Claimed:
        request = claimed.request
        if request.backend_id is not None:
            served = LastServed(request.model_id, request.persona_version_id, request.topic_id, request.owner_id)
            self._own.served[request.backend_id] = served
        return claimed

    def _claimable(self, now: datetime) -> Sequence[ClaimableBackend]:
        read_at, backends = self._planned
        if clock.monotonic() - read_at >= PLAN_SECONDS:
            with self.database.read() as connection:
                backends = [each for each in self.plan.backends(connection, now) if self._may_work_on(each.id)]
            self._planned = (clock.monotonic(), backends)
        return backends

    def _may_work_on(self, backend_id: int) -> bool:
        return self.backend_ids is None or backend_id in self.backend_ids

    def forget_plan(self) -> None:
        """Have the hours and backends read again at the next claim."""
        self._planned = (float("-inf"), ())

    def _attempt(self, job: Job) -> None:
        """The boundary of an attempt: whatever goes wrong inside becomes a visible state, never a lost request."""
        try:
            job.raise_if_interrupted()
            kind = self.kinds.get(job.request.kind)
            if kind is None:
                # Not for good: another worker, or this one once it is up to date, may know it.
                self._end_faulty(job, Fault(Cause.INTERNAL, _UNKNOWN_KIND.format(job.request.kind)))
                return
            kind.run(job)
            if not job.is_settled:
                raise RuntimeError(f"a job of kind {job.request.kind!r} ended without an answer or an error")
            outcomes.log_success(job)
        except Interrupted:
            self._end_interrupted(job)
        except BackendError as error:
            self._end_faulty(job, self._fault_of(job, error))
        except Hopeless as error:
            self._end_faulty(job, Fault(error.cause, error.message, is_permanent=True))
        except Unavailable as error:
            self._end_faulty(job, Fault(Cause.RETRY, error.message, is_blameless=True))
        except Exception as error:  # noqa: BLE001 - the worker's attempt boundary: nothing may end a worker
            log.event("llm_request.stumbled", level=log.ERROR, **job.request.log_context())
            detail = f"FORLLM itself stumbled over this ({type(error).__name__}). Its log tells where."
            self._end_faulty(job, Fault(Cause.INTERNAL, detail))

    def _fault_of(self, job: Job, error: BackendError) -> Fault:
        failures = 0
        if error.is_backend_down and job.request.backend_id is not None and job.interruption is None:
            failures = self._count_failure(job.request.backend_id, error.message)
        return outcomes.fault_of(error, failures)

    def _count_failure(self, backend_id: int, error: str) -> int:
        now = clock.now()
        with self.database.transaction() as connection:
            failures = backend_state_store.insert_failure(connection, backend_id, error=error, now=now)
            pause_seconds = breaker_seconds(failures, random.random())
            if pause_seconds is not None:
                open_until = outcomes.later(now, pause_seconds)
                backend_state_store.update_open_until(connection, backend_id, open_until=open_until)
        return failures

    def _end_faulty(self, job: Job, fault: Fault) -> None:
        if job.interruption is not None:
            self._end_interrupted(job)
            return
        decision = decide(
            fault,
            attempts=job.request.attempts,
            max_attempts=job.request.max_attempts,
            now=clock.now(),
            dice=random.random(),
        )
        outcomes.settle(job, decision)

    def _end_interrupted(self, job: Job) -> None:
        why = job.interruption or Interruption.STOPPING
        if why is Interruption.LEASE_LOST:
            log.event("llm_request.lease_lost", level=log.WARNING, **job.request.log_context())
            return
        # What stopped it may hold for all: the hours are read again, or it would be begun once more at once.
        self.forget_plan()
        decision = outcomes.decision_of(why, job.request)
        outcomes.settle(job, decision, keeps_partial=why is not Interruption.WINDOW_STOPPED)
