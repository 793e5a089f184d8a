"""The embedded engine's process as seen by its parent: started on first use, stopped when idle, started again."""

import atexit
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from weakref import WeakSet

from forllm_server import clock, log
from forllm_server.backends import embedded_child
from forllm_server.backends.faults import BackendError, Cancelled, EngineCrashed, EngineFailed

#: a process that ends so soon after its start did not merely have bad luck
_QUICK_SECONDS = 60.0
_MOST_QUICK_CRASHES = 3
#: after so long another try is fair: a file was replaced, memory came free
_FORGIVE_SECONDS = 600.0
_STOP_SECONDS = 2.0
_POLL_SECONDS = 0.2
_LOG_LINES = 20
#: illegal instruction, on POSIX and as Windows reports it
_ILLEGAL_INSTRUCTION = frozenset({-4, -1073741795, 3221225501})


@dataclass(frozen=True)
class EngineSettings:
    """How the engine is started. Two backends with equal settings share one process."""

    gguf_path: Path
    name: str
    context_tokens: int
    threads: int
    batch_threads: int
    batch_tokens: int = 256
    cache_mib: int = 256
    #: replies at once; each slot has the whole context to itself
    slots: int = 1
    start_seconds: float = 120.0


@dataclass(frozen=True)
class EngineAddress:
    """Where a running engine listens, and the key that it asks for."""

    url: str
    api_key: str


class Engine:
    """One child process at most. Safe to use from any thread."""

    def __init__(self, settings: EngineSettings, idle_seconds: float) -> None:
        self.settings = settings
        self.idle_seconds = idle_seconds
        self._lock = threading.RLock()
        self._process: subprocess.Popen[str] | None = None
        self._address: EngineAddress | None = None
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._users = 0
        self._holders: WeakSet[object] = WeakSet()
        self._idle_timer: threading.Timer | None = None
        self._started_at = self._last_crash_at = 0.0
        self._quick_crashes = 0
        self._is_stopping = threading.Event()

    @property
    def is_running(self) -> bool:
        """Whether there is a process just now."""
        with self._lock:
            return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int | None:
        """The child's process id while there is one."""
        with self._lock:
            return self._process.pid if self._process is not None else None

    def address(self, check: Callable[[], None] | None = None) -> EngineAddress:
        """Where the engine listens; it is started when it does not run.

        `check` is called while the model loads, and raises to give up. Raises EngineCrashed, EngineFailed.
        """
        with self._lock:
            self._is_stopping.clear()
            self._rest_idle_timer()
            if self._process is not None and self._process.poll() is not None:
                self.note_crash()
            if self._address is None:
                self._refuse_to_loop()
                self._address = self._start(check)
            if not self._users:
                self._plan_idle_stop()
            return self._address

    @contextmanager
    def use(self) -> Iterator[None]:
        """While inside, the engine is not stopped for being idle."""
        with self._lock:
            self._users += 1
            self._rest_idle_timer()
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users and self._process is not None:
                    self._plan_idle_stop()

    def hold(self, holder: object) -> None:
        """Whoever may use the engine again, so that another one's end does not stop it."""
        with self._lock:
            self._holders.add(holder)

    def release(self, holder: object) -> None:
        """The end of a hold; the last one stops the engine, unless it answers just now."""
        with self._lock:
            self._holders.discard(holder)
            if not self._holders:
                self.stop_if_idle()

    def stop_if_idle(self) -> bool:
        """Stop the engine unless it answers just now; whether it did."""
        with self._lock:
            if self._users:
                return False
            self.stop()
            return True

    def note_success(self) -> None:
        """An answer came: earlier crashes no longer count."""
        with self._lock:
            self._quick_crashes = 0

    def note_crash(self, patience_seconds: float = 0.5) -> EngineCrashed | None:
        """The error of a process that ended by itself, once; None while it runs or when it was stopped."""
        with self._lock:
            process = self._process
            if process is None:
                return None
            try:
                status = process.wait(timeout=patience_seconds)
            except subprocess.TimeoutExpired:
                return None
            self._forget(process)
            now = clock.monotonic()
            is_quick = now - self._started_at < _QUICK_SECONDS
            self._quick_crashes = self._quick_crashes + 1 if is_quick else 1
            self._last_crash_at = now
            cause = _cause(status, self._log)
            log.event("embedded_engine.crashed", status=status, crashes=self._quick_crashes)
            message = f"The embedded engine stopped unexpectedly: {cause}. It is started again with the next attempt."
            return EngineCrashed(message, cause=cause)

    def stop(self) -> None:
        """End the process, if there is one, also while it loads its model."""
        self._is_stopping.set()
        with self._lock:
            self._rest_idle_timer()
            process = self._process
            if process is None:
                return
            self._forget(process)
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.event("embedded_engine.stopped", process=process.pid)

    def _start(self, check: Callable[[], None] | None) -> EngineAddress:
        self._log.clear()
        self._started_at = clock.monotonic()
        key = secrets.token_urlsafe(24)
        process = subprocess.Popen(
            [sys.executable, "-P", str(Path(embedded_child.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._process = process
        answers: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=self._read_log, args=(process,), name="engine-log", daemon=True).start()
        threading.Thread(target=_read_answer, args=(process, answers), name="engine-answer", daemon=True).start()
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(self._orders(key)) + "\n")
            process.stdin.flush()
            answer = json.loads(self._await(answers, check) or "{}")
        except (OSError, ValueError):
            answer = {}
        except BackendError:
            self.stop()
            raise
        if "url" in answer:
            log.event("embedded_engine.started", process=process.pid, model=self.settings.name)
            return EngineAddress(url=answer["url"], api_key=key)
        raise self._failed_start(process, answer.get("error"))

    def _await(self, answers: "SimpleQueue[str]", check: Callable[[], None] | None) -> str:
        """The child's line, or an empty text when none comes in time. Raises what `check` raises, and Cancelled."""
        ends_at = clock.monotonic() + self.settings.start_seconds
        while clock.monotonic() < ends_at:
            try:
                return answers.get(timeout=_POLL_SECONDS)
            except Empty:
                if check is not None:
                    check()
                if self._is_stopping.is_set():
                    raise Cancelled() from None
        return ""

    def _failed_start(self, process: subprocess.Popen[str], said: str | None) -> EngineCrashed:
        if said:
            self._log.append(said)
        error = self.note_crash(_STOP_SECONDS)
        if error is not None:
            return error
        self.stop()
        seconds = self.settings.start_seconds
        return EngineCrashed(f"The embedded engine did not load its model within {seconds:g} seconds.")

    def _orders(self, key: str) -> dict[str, object]:
        settings = self.settings
        return {
            "gguf_path": str(settings.gguf_path),
            "name": settings.name,
            "api_key": key,
            "context_tokens": settings.context_tokens,
            "threads": settings.threads,
            "batch_threads": settings.batch_threads,
            "batch_tokens": settings.batch_tokens,
            "cache_mib": settings.cache_mib,
            "slots": settings.slots,
        }

    def _refuse_to_loop(self) -> None:
        if self._quick_crashes < _MOST_QUICK_CRASHES:
            return
        if clock.monotonic() - self._last_crash_at > _FORGIVE_SECONDS:
            self._quick_crashes = 0
            return
        cause = _cause(None, self._log)
        raise EngineFailed(f"The embedded engine stopped {self._quick_crashes} times in a row: {cause}.", cause=cause)

    def _forget(self, process: subprocess.Popen[str]) -> None:
        self._process = self._address = None
        if process.stdin is not None:
            try:
                process.stdin.close()
            except OSError:
                return

    def _read_log(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                if line.strip():
                    self._log.append(line.strip()[:500])

    def _plan_idle_stop(self) -> None:
        self._rest_idle_timer()
        self._idle_timer = threading.Timer(self.idle_seconds, self.stop_if_idle)
        self._idle_timer.daemon = True
        self._idle_timer.start()

    def _rest_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None


def engine_for(settings: EngineSettings, idle_seconds: float) -> Engine:
    """The engine of this process for these settings: one, however many backends ask."""
    with _engines_lock:
        key = (os.getpid(), settings)
        engine = _engines.get(key)
        if engine is None:
            engine = _engines[key] = Engine(settings, idle_seconds)
        engine.idle_seconds = idle_seconds
        return engine


def stop_all() -> None:
    """End every engine of this process."""
    with _engines_lock:
        own = [engine for (process, _), engine in _engines.items() if process == os.getpid()]
    for engine in own:
        engine.stop()


def _read_answer(process: subprocess.Popen[str], answers: "SimpleQueue[str]") -> None:
    assert process.stdout is not None
    with process.stdout as lines:
        answers.put(lines.readline())


def _cause(status: int | None, lines: deque[str]) -> str:
    """Why the process ended, in words for people."""
    if status in _ILLEGAL_INSTRUCTION:
        lines.append(_NO_AVX2)
        return _NO_AVX2
    if status is not None and status < 0:
        name = next((known.name for known in signal.Signals if known == -status), str(-status))
        lines.append(f"it was ended by the system ({name}), which short memory can cause")
        return lines[-1]
    if lines:
        errors = [line for line in lines if "rror" in line or "fail" in line.lower()]
        return _LOG_PREFIX.sub("", (errors or list(lines))[-1]).rstrip(".")
    return f"it ended with status {status}" if status is not None else "no reason was given"


_LOG_PREFIX = re.compile(r"^[\d.]+ [A-Z] +")
_NO_AVX2 = "this processor lacks an instruction that the engine needs (AVX2 on x86), so it cannot run here"
_engines: dict[tuple[int, EngineSettings], Engine] = {}
_engines_lock = threading.Lock()
atexit.register(stop_all)
