"""The workers of a process, with all that they are handed, and the timer of its chores."""

from collections.abc import Callable, Collection
from dataclasses import asdict
from datetime import timedelta
from functools import partial

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import SQLAlchemyError

from forllm_server import clock, log
from forllm_server.accounts.idempotency_store import delete_responses_before
from forllm_server.catalog import backend_store
from forllm_server.catalog.probing import probe_backend
from forllm_server.cli.runtime import Installation
from forllm_server.config import Config
from forllm_server.errors import ForllmError
from forllm_server.hooks.keeping import clear_up
from forllm_server.jobs import Connections, JobContext, build_kinds
from forllm_server.jobs.chores import fail_those_of_deleted_backends, find_models_for_waiting
from forllm_server.jobs.discussing import tend_discussions
from forllm_server.jobs.erasing import erase_trash
from forllm_server.jobs.experiment_staging import tend_experiments
from forllm_server.jobs.forecast import estimate_waiting
from forllm_server.jobs.hooking import HookRunner
from forllm_server.jobs.ledger import Ledger
from forllm_server.jobs.neighbour import Neighbour
from forllm_server.jobs.nightfall import Nightfall
from forllm_server.jobs.planning import NightPlan
from forllm_server.jobs.recurring import run_due
from forllm_server.jobs.staging import tend_batches
from forllm_server.jobs.window_watch import watch_windows
from forllm_server.queue.wakeup import Wakeup
from forllm_server.queue.worker import WorkerPool
from forllm_server.settings.values import read_settings

PROBE_EVERY_SECONDS = 300
RECONSIDER_EVERY_SECONDS = 15
TEND_EVERY_SECONDS = 15
TEND_BATCHES_EVERY_SECONDS = 3
TEND_DISCUSSIONS_EVERY_SECONDS = 3
PURGE_EVERY_SECONDS = 6 * 3600
#: How long an Idempotency-Key is remembered.
RESPONSES_KEPT = timedelta(days=2)
_NEIGHBOUR_STOP_SECONDS = 0.5
_HOOKS_STOP_SECONDS = 1.0


class Workers:
    """``start()``, then ``stop()``. With ``threads`` 0 only the chores are done: another process works.

    ``backend_ids``: work of these backends only; None: of all.
    """

    def __init__(
        self,
        installation: Installation,
        *,
        threads: int,
        wakeup: Wakeup,
        backend_ids: Collection[int] | None = None,
    ) -> None:
        self._installation = installation
        self._database = installation.database
        self._wakeup = wakeup
        self._backend_ids = backend_ids
        self._connections = Connections(installation.secret_key)
        self._timer = BackgroundScheduler(timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1})
        self._ledger = Ledger()
        self._nightfall = Nightfall(installation.database, installation.secret_key)
        self._hooks = HookRunner(
            installation.database,
            installation.secret_key,
            may_run_commands=installation.config.allow_commands,
            forum_url=_forum_url(installation.config),
        )
        self._pool = self._make_pool(threads) if threads else None
        self._neighbour = self._make_neighbour(self._pool) if self._pool else None

    def start(self) -> None:
        if self._pool is not None:
            self._pool.start()
        if self._neighbour is not None:
            self._neighbour.start()
        self._hooks.start()
        for chore, seconds in (
            (self._probe, PROBE_EVERY_SECONDS),
            (self._reconsider, RECONSIDER_EVERY_SECONDS),
            (self._tend, TEND_EVERY_SECONDS),
            (self._tend_batches, TEND_BATCHES_EVERY_SECONDS),
            (self._tend_discussions, TEND_DISCUSSIONS_EVERY_SECONDS),
            (self._purge, PURGE_EVERY_SECONDS),
        ):
            self._timer.add_job(
                partial(_attempt, chore), "interval", seconds=seconds, next_run_time=clock.now(), id=chore.__name__
            )
        self._timer.start()

    def stop(self, timeout_seconds: float) -> bool:
        """Checkpoint and release what runs. Returns whether everything ended in time.

        Whoever is told to stop while it starts has begun only a part of it.
        """
        if self._timer.running:
            self._timer.shutdown(wait=False)
        self._hooks.call_off()
        is_clean = self._pool is None or self._pool.stop(timeout_seconds)
        if self._neighbour is not None:
            # After the pool, which needs the time more.
            self._neighbour.stop(_NEIGHBOUR_STOP_SECONDS)
        self._hooks.stop(_HOOKS_STOP_SECONDS)
        self._connections.close()
        return is_clean

    def _make_pool(self, threads: int) -> WorkerPool:
        kinds = build_kinds(JobContext(self._database, self._connections, self._ledger))
        return WorkerPool(
            self._database,
            kinds=kinds,
            plan=NightPlan(),
            threads=threads,
            wakeup=self._wakeup,
            backend_ids=self._backend_ids,
        )

    def _make_neighbour(self, pool: WorkerPool) -> Neighbour:
        return Neighbour(
            self._database,
            pool=pool,
            connections=self._connections,
            wakeup=self._wakeup,
            ledger=self._ledger,
            may_run_commands=self._installation.config.allow_commands,
        )

    def _probe(self) -> None:
        """Look at every enabled backend, one after another: a silent one delays nothing but this."""
        with self._database.read() as connection:
            silence_seconds = read_settings(connection).silence_seconds
            records = backend_store.list_backends(connection, is_enabled=True)
        for record in records:
            probe_backend(
                self._database,
                record.id,
                secret_key=self._installation.secret_key,
                silence_seconds=silence_seconds,
                now=clock.now(),
            )
        self._reconsider()

    def _reconsider(self) -> None:
        """Requests that wait for a model get the one that is there now; those of a deleted backend end."""
        now = clock.now()
        if find_models_for_waiting(self._database, now):
            self._wakeup.notify()
        fail_those_of_deleted_backends(self._database, now)
        estimate_waiting(self._database, now)
        if run_due(self._database, now):
            self._wakeup.notify()

    def _tend(self) -> None:
        """What belongs to the end of a night, and what is to be told elsewhere."""
        watch_windows(self._database, clock.now())
        if self._nightfall.tend(clock.now()):
            self._wakeup.notify()

    def _tend_batches(self) -> None:
        """The next lines of batches and pairs of experiments go into the queue."""
        if tend_batches(self._database, clock.now()) + tend_experiments(self._database, clock.now()):
            self._wakeup.notify()

    def _tend_discussions(self) -> None:
        """Debates and councils go on from a step that did not end well."""
        if tend_discussions(self._database, clock.now()):
            self._wakeup.notify()

    def _purge(self) -> None:
        with self._database.transaction() as connection:
            trash_days = self._installation.config.trash_days
            erased = erase_trash(connection, older_than_days=trash_days, now=clock.now())
            delete_responses_before(connection, clock.now() - RESPONSES_KEPT)
            clear_up(connection, clock.now())
        if any(asdict(erased).values()):
            log.event("trash.purged", **asdict(erased))


def _forum_url(config: Config) -> str:
    """Where programs of this machine reach the forum."""
    is_everywhere = config.host in ("", "0.0.0.0", "::")
    host = "127.0.0.1" if is_everywhere else f"[{config.host}]" if ":" in config.host else config.host
    return f"http://{host}:{config.port}"


def _attempt(chore: Callable[[], None]) -> None:
    """A chore that fails is tried again at its next time."""
    try:
        chore()
    except (ForllmError, SQLAlchemyError, OSError) as error:
        log.event("chore.failed", level=log.WARNING, chore=chore.__name__, detail=str(error))
