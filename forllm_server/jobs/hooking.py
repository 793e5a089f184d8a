"""Making the calls of hooks: beside the pages and the workers, so that neither waits for another program.

Of one hook one call is under way at a time, whichever process makes it, in the order of the events. A call is noted as
done after it was made: what a crash interrupts is made again, with the same id.
"""

import itertools
import ssl
import threading
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from forllm_server import clock, log
from forllm_server.db import Database
from forllm_server.errors import ForllmError, NotFound
from forllm_server.hooks import call_store, hook_store
from forllm_server.hooks.calling import Outcome, body_of, make_call
from forllm_server.hooks.keeping import open_secret
from forllm_server.hooks.model import TEST, Call, CallStatus, Hook, HookKind
from forllm_server.jobs.describing import describe
from forllm_server.outward.failure import SendFailed
from forllm_server.outward.pauses import wait_after
from forllm_server.queue.identity import is_gone, worker_identity

LOOK_EVERY_SECONDS = 1.0
#: hooks whose calls are under way at once, in this process
THREADS = 4
#: calls of one hook in a row, before another one that waits has its turn
IN_A_ROW = 20
#: Beyond a call's own time limit: after that another process may make it.
LEASE_SLACK = timedelta(seconds=60)


class HookRunner:
    """``start()``, then ``call_off()`` and ``stop()``; or ``tick()`` it by hand."""

    def __init__(
        self,
        database: Database,
        secret_key: bytes,
        *,
        may_run_commands: bool,
        forum_url: str,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``may_run_commands``: whether the process was told to run what pages name; commands wait otherwise.
        ``forum_url``: where a command reaches the API."""
        self._database = database
        self._secret_key = secret_key
        self._kinds = tuple(HookKind) if may_run_commands else (HookKind.WEBHOOK,)
        self._forum_url = forum_url
        self._tls = tls
        self._identity = worker_identity()
        self._called_off = threading.Event()
        self._serving: dict[int, threading.Thread] = {}
        self._turns: dict[int, int] = {}
        self._count = itertools.count(1)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._live, name="hooks", daemon=True)

    def start(self) -> None:
        rescue(self._database)
        self._thread.start()

    def call_off(self) -> None:
        """End what is under way: it is put back in line."""
        self._called_off.set()

    def stop(self, timeout_seconds: float = 1.0) -> None:
        """Wait for what was called off to be noted."""
        self.call_off()
        until = clock.monotonic() + timeout_seconds
        threads = [self._thread, *self._under_way()]
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(until - clock.monotonic(), 0))

    def tick(self) -> int:
        """Begin what is due and has room. Returns for how many hooks."""
        with self._lock:
            serving = set(self._serving)
        if len(serving) >= THREADS or self._called_off.is_set():
            return 0
        with self._database.read() as connection:
            ready = call_store.list_ready_hook_ids(connection, clock.now(), self._kinds)
        # Who had a turn longest ago goes first: a long line of one hook keeps no other one waiting.
        waiting = sorted((each for each in ready if each not in serving), key=lambda each: self._turns.get(each, 0))
        begun = waiting[: THREADS - len(serving)]
        for hook_id in begun:
            self._turns[hook_id] = next(self._count)
            thread = threading.Thread(target=self._serve, args=(hook_id,), name=f"hook-{hook_id}", daemon=True)
            with self._lock:
                self._serving[hook_id] = thread
            thread.start()
        return len(begun)

    def wait(self, timeout_seconds: float) -> None:
        """Wait for what ``tick`` has begun."""
        until = clock.monotonic() + timeout_seconds
        for thread in self._under_way():
            thread.join(max(until - clock.monotonic(), 0))

    def _under_way(self) -> list[threading.Thread]:
        with self._lock:
            return list(self._serving.values())

    def _live(self) -> None:
        while not self._called_off.wait(LOOK_EVERY_SECONDS):
            try:
                self.tick()
            except (ForllmError, SQLAlchemyError, OSError) as error:
                log.event("hooks.look_failed", level=log.WARNING, detail=str(error))

    def _serve(self, hook_id: int) -> None:
        try:
            for _ in range(IN_A_ROW):
                if self._called_off.is_set() or not self._perform_next(hook_id):
                    break
        except (ForllmError, SQLAlchemyError, OSError) as error:
            log.event("hook.call_unsettled", level=log.WARNING, hook=hook_id, detail=str(error))
        finally:
            with self._lock:
                self._serving.pop(hook_id, None)

    def _perform_next(self, hook_id: int) -> bool:
        """Make the next call of a hook; whether there was one."""
        taken = take_next(self._database, hook_id, by=self._identity)
        if taken is None:
            return False
        hook, call = taken
        now = clock.now()
        try:
            secret = open_secret(hook, self._secret_key)
        except SendFailed as failure:
            settle(self._database, hook, call, Outcome(0.0, None, "", False, failure.message, is_permanent=True))
            return True
        with self._database.read() as connection:
            body = body_of(hook, call, describe(connection, call.facts))
        # No transaction is open while the other program works.
        outcome = make_call(
            hook, call, body, secret, now, forum_url=self._forum_url, called_off=self._called_off, tls=self._tls
        )
        settle(self._database, hook, call, outcome)
        return True


def rescue(database: Database) -> int:
    """At start: free what processes of this machine had taken that no longer run. Returns how many hooks."""
    with database.transaction() as connection:
        lost = [hook for hook in hook_store.list_hooks(connection) if hook.busy_by and is_gone(hook.busy_by)]
        for hook in lost:
            if hook.busy_until is not None:
                call_store.update_due_of_lost(connection, hook.id, until=hook.busy_until, now=clock.now())
                hook_store.update_free(connection, hook.id, until=hook.busy_until)
    return len(lost)


def take_next(database: Database, hook_id: int, *, by: str) -> tuple[Hook, Call] | None:
    """Take a hook and its oldest call that is due, for as long as the call may last; None: there is none, or the hook
    is taken, switched off or gone."""
    with database.transaction() as connection:
        now = clock.now()
        try:
            seen = hook_store.get_hook(connection, hook_id)
        except NotFound:
            return None
        until = now + timedelta(seconds=seen.timeout_seconds) + LEASE_SLACK
        hook = hook_store.update_busy(connection, hook_id, until=until, by=by, now=now)
        if hook is None:
            return None
        call = call_store.update_next_taken(connection, hook_id, until=until, now=now)
        if call is None:
            hook_store.update_free(connection, hook_id, until=until)
            return None
    return hook, call


def settle(database: Database, hook: Hook, call: Call, outcome: Outcome) -> None:
    """Note how a call went, and what follows: done, tried again later, or given up."""
    with database.transaction() as connection:
        now = clock.now()
        if outcome.is_called_off:
            call_store.update_given_back(connection, call, now)
            is_ours, word = False, "hook.interrupted"
        elif outcome.is_ok:
            is_ours = call_store.update_ended(connection, call, CallStatus.DONE, problem=None, now=now)
            word = "hook.called"
        elif outcome.is_permanent or call.attempts >= hook.most_attempts or call.event == TEST:
            is_ours = call_store.update_ended(connection, call, CallStatus.FAILED, problem=outcome.problem, now=now)
            word = "hook.failed"
        else:
            due_at = now + wait_after(call.attempts)
            is_ours = call_store.update_postponed(connection, call, problem=outcome.problem, due_at=due_at)
            word = "hook.postponed"
        if is_ours:
            call_store.insert_attempt(
                connection,
                call.id,
                started_at=now - timedelta(seconds=outcome.seconds),
                seconds=outcome.seconds,
                is_ok=outcome.is_ok,
                code=outcome.code,
                output=outcome.output,
                is_truncated=outcome.is_truncated,
                problem=outcome.problem,
            )
        if hook.busy_until is not None:
            hook_store.update_free(connection, hook.id, until=hook.busy_until)
    log.event(
        word,
        level=log.INFO if outcome.is_ok or outcome.is_called_off else log.WARNING,
        hook=hook.name,
        about=call.event,
        call=call.id,
        attempt=call.attempts,
        seconds=round(outcome.seconds, 3),
        detail=outcome.problem,
    )
