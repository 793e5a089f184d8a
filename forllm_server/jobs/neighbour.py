"""FORLLM as one of several on its machine: makes way, keeps it awake, runs the commands around a window, meters energy.

One thread, where workers run. Each tick is safe to lose: what it missed, the next one does.
"""

import threading
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from forllm_server import clock, log
from forllm_server.db import Database
from forllm_server.errors import ForllmError
from forllm_server.jobs.context import Connections
from forllm_server.jobs.errands import Errands
from forllm_server.jobs.ledger import Ledger
from forllm_server.jobs.making_way import MakingWay
from forllm_server.jobs.outlook import Outlook, read_outlook
from forllm_server.jobs.wakefulness import Wakefulness
from forllm_server.machine.awake import Holder, KeepAwake
from forllm_server.machine.load import LoadReader
from forllm_server.machine.yielding import SAMPLE_SECONDS
from forllm_server.queue.wakeup import Wakeup
from forllm_server.queue.worker import WorkerPool


class Neighbour:
    """``start()`` it, and ``stop()`` it; or ``tick`` it by hand."""

    def __init__(
        self,
        database: Database,
        *,
        pool: WorkerPool,
        connections: Connections,
        wakeup: Wakeup,
        ledger: Ledger,
        may_run_commands: bool = False,
        reader: LoadReader | None = None,
        hold: Callable[[str], Holder] = KeepAwake,
    ) -> None:
        """``may_run_commands``: whether the process was told to run what the settings name; a page alone never may.
        ``reader`` and ``hold``: how the machine's load is read and how it is kept awake."""
        self._database = database
        self._pool = pool
        self._ledger = ledger
        self._may_run_commands = may_run_commands
        self._stopping = threading.Event()
        self._making_way = MakingWay(
            database, pool=pool, connections=connections, wakeup=wakeup, stopping=self._stopping, reader=reader
        )
        self._wakefulness = Wakefulness(hold)
        self._errands = Errands(database)
        self._thread = threading.Thread(target=self._live, name="neighbour", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_seconds: float = 2.0) -> None:
        """Let the machine sleep. A pause stays: the next start takes it over, or any worker whose machine is quiet."""
        self._stopping.set()
        self._ledger.begun.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        self._wakefulness.release()

    def tick(self, now: datetime) -> None:
        """One round of everything; some seconds at most, longer only while a server is asked to unload a model."""
        outlook = self._outlook(now)
        if outlook is None:
            return
        duties: tuple[tuple[str, Callable[[], None]], ...] = (
            ("make way", lambda: self._making_way.heed(outlook, now)),
            ("run commands", lambda: self._run_commands(outlook, now)),
            ("keep awake", lambda: self._keep_awake(outlook, now)),
            ("meter energy", lambda: self._meter(outlook)),
        )
        for name, duty in duties:
            _attempt(name, duty)

    def _outlook(self, now: datetime) -> Outlook | None:
        found: list[Outlook] = []

        def look() -> None:
            with self._database.read() as connection:
                found.append(read_outlook(connection, now, self._pool.backend_ids))

        _attempt("look", look)
        return found[0] if found else None

    def _keep_awake(self, outlook: Outlook, now: datetime) -> None:
        if not self._stopping.is_set():
            self._wakefulness.heed(outlook.settings.keeps_awake and outlook.is_at_work, now)

    def _run_commands(self, outlook: Outlook, now: datetime) -> None:
        if self._may_run_commands:
            self._errands.heed(outlook, now)

    def _meter(self, outlook: Outlook) -> None:
        self._ledger.use(outlook.settings.meter_command if self._may_run_commands else "")
        self._ledger.tick()

    def _live(self) -> None:
        due = clock.monotonic()
        while not self._stopping.is_set():
            self.tick(clock.now())
            due = max(due + SAMPLE_SECONDS, clock.monotonic())
            while not self._stopping.is_set() and (left := due - clock.monotonic()) > 0:
                if self._ledger.begun.wait(left) and not self._stopping.is_set():
                    self._ledger.begun.clear()
                    _attempt("meter energy", self._ledger.tick)


def _attempt(name: str, duty: Callable[[], None]) -> None:
    try:
        duty()
    except (ForllmError, SQLAlchemyError, OSError) as error:
        log.event("neighbour.duty_failed", level=log.WARNING, duty=name, detail=str(error))
