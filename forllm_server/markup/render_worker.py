"""The parent's side of rendering in a child process that is killed when it takes too long."""

import atexit
import subprocess
import sys
import threading
from math import inf
from pathlib import Path
from typing import IO

import psutil

import forllm_server
from forllm_server import clock
from forllm_server.markup.faults import Unrenderable
from forllm_server.markup.render_child import read_message, write_message

#: A job's budget, of processor time: on a busy machine an ordinary text takes longer, but costs no more. Waiting for a
#: child to start is not counted.
JOB_SECONDS = 1.5
#: How often its budget may pass on the clock. Then it is over even for a child that waited for the processor.
_PATIENCE = 4
START_SECONDS = 30.0
#: Systems count processor time in hundredths or so.
_SHORTEST_LOOK_SECONDS = 0.02


class RenderWorker:
    """One child process, started with the first job and again after each kill. Threads take turns."""

    def __init__(self, *, job_seconds: float = JOB_SECONDS, start_seconds: float = START_SECONDS) -> None:
        self._job_seconds = job_seconds
        self._start_seconds = start_seconds
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._is_ready = False

    @property
    def process_id(self) -> int | None:
        """The child's process id, or None while there is none."""
        child = self._child
        return child.pid if child is not None else None

    def render(self, source: str, *, anchor_prefix: str) -> str:
        """The HTML. Raises Unrenderable when the child says so, takes too long or dies over it."""
        with self._lock:
            child = self._ready_child()
            budget = _Budget(child, self._job_seconds, self._job_seconds * _PATIENCE)
            answer = _talk(child, budget, {"source": source, "anchor_prefix": anchor_prefix})
            if answer is None:
                self._replace()
                raise Unrenderable("rendering it took too long or too much memory")
        if "html" not in answer:
            raise Unrenderable(str(answer["reason"]))
        return str(answer["html"])

    def stop(self) -> None:
        """End the child. A later job starts another one."""
        child = self._child
        if child is not None:
            # Whoever has the lock may be waiting for an answer, or for its start on a busy machine; now it is over.
            child.kill()
        with self._lock:
            self._kill()

    def _ready_child(self) -> "subprocess.Popen[bytes]":
        if self._child is not None and self._child.poll() is not None:
            self._kill()
        if self._child is None:
            self._start()
        child = self._child
        if child is None:
            raise Unrenderable("the process that renders could not be started")
        if not self._is_ready:
            if _talk(child, _Budget(child, self._start_seconds, self._start_seconds), None) is None:
                self._kill()
                raise Unrenderable("the process that renders did not start")
            self._is_ready = True
        return child

    def _replace(self) -> None:
        """Start the next child at once, so that it is ready when the next job comes."""
        self._kill()
        self._start()

    def _start(self) -> None:
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "forllm_server.markup.render_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=Path(forllm_server.__file__).parent.parent,
            )
        except OSError:
            self._child = None
        self._is_ready = False

    def _kill(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            _close(pipe)


class _Budget:
    """Ends a child that used more than ``cpu_seconds`` of processor time since now, or ``clock_seconds`` in all.

    A timer kills it: that ends both a blocked write and a blocked read on every system.
    """

    def __init__(self, child: "subprocess.Popen[bytes]", cpu_seconds: float, clock_seconds: float) -> None:
        self._child = child
        self._cpu_ends_at = _cpu_seconds(child) + cpu_seconds
        self._ends_at = clock.monotonic() + clock_seconds
        self._lock = threading.Lock()
        self._is_over = False
        self._timer = self._started_timer(min(cpu_seconds, clock_seconds))

    def close(self) -> None:
        """The job is done: the child lives on."""
        with self._lock:
            self._is_over = True
            self._timer.cancel()

    def _started_timer(self, seconds: float) -> threading.Timer:
        timer = threading.Timer(seconds, self._look)
        timer.daemon = True
        timer.start()
        return timer

    def _look(self) -> None:
        with self._lock:
            if self._is_over:
                return
            left = min(self._cpu_ends_at - _cpu_seconds(self._child), self._ends_at - clock.monotonic())
            if left > 0:
                self._timer = self._started_timer(max(left, _SHORTEST_LOOK_SECONDS))
            else:
                self._child.kill()


def _cpu_seconds(child: "subprocess.Popen[bytes]") -> float:
    """What the child has used so far; endlessly much when it is gone."""
    try:
        times = psutil.Process(child.pid).cpu_times()
    except psutil.Error:
        return inf
    return float(times.user + times.system)


def _talk(
    child: "subprocess.Popen[bytes]", budget: _Budget, message: dict[str, str] | None
) -> dict[str, object] | None:
    """Send the message, if any, and read the answer; None when the child is gone, or was killed over its budget."""
    try:
        if child.stdin is None or child.stdout is None:
            return None
        if message is not None:
            write_message(child.stdin, message)
        return read_message(child.stdout)
    except OSError:
        return None
    finally:
        budget.close()


def _close(pipe: IO[bytes] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except OSError:
        # What was not yet written goes down with the child that should have read it.
        return


WORKER = RenderWorker()
atexit.register(WORKER.stop)
