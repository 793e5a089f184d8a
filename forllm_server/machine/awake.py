"""Keep the machine awake while there is work, and not a moment longer.

    with KeepAwake("answers until 06:00") as awake:
        log.event("machine.kept_awake", is_held=awake.is_held, detail=awake.detail)

Linux: a lock of logind's, held by ``systemd-inhibit`` (systemd.io/INHIBITOR_LOCKS). macOS: ``caffeinate``. Both hold
it while a child of theirs runs; the child reads a pipe from this process and ends with it, however this process
ends. Windows: ``SetThreadExecutionState``, which the system forgets with the thread that called it.
A lid that is closed still does what it is set to do.
"""

import ctypes
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from forllm_server import clock
from forllm_server.machine.bounded import end_group
from forllm_server.machine.model import NotAvailable

#: for all that is tried, together with ending what did not work within 2 s
_START_SECONDS = 1.4
_CLOSE_SECONDS = 0.5
_WORDS = 200
_HELD = "held"
#: Reports that the lock is there (it is taken before this runs), then waits for the end of the pipe.
_WAIT = ("sh", "-c", f"echo {_HELD}; exec cat >/dev/null")

_ES_CONTINUOUS = 0x80000000
_ES_SYSTEM_REQUIRED = 0x00000001


class Holder(Protocol):
    """Whatever keeps the machine awake until it is closed."""

    @property
    def detail(self) -> str:
        """How, for people; or why not."""

    @property
    def is_held(self) -> bool: ...

    def close(self) -> None: ...


class KeepAwake:
    """Awake from here to ``close()``. Takes 2 s at most. ``detail`` says how, or why it is not available."""

    def __init__(self, reason: str, *, platform: str = sys.platform) -> None:
        """``reason``: what the system shows to whoever asks why it does not sleep."""
        self._holder = _hold(reason, platform)

    @property
    def is_held(self) -> bool:
        """Whether the machine is kept awake just now: what keeps it may have been ended by others."""
        return self._holder.is_held

    @property
    def detail(self) -> str:
        return self._holder.detail

    def close(self) -> None:
        """Let it sleep. May be called again."""
        self._holder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _hold(reason: str, platform: str) -> Holder:
    if platform == "win32":
        return ThreadHolder(set_execution_state)
    tried = []
    deadline = clock.monotonic() + _START_SECONDS
    for way in _ways(reason, platform):
        if clock.monotonic() >= deadline:
            break
        held = _start(way, deadline)
        if isinstance(held, ChildHolder):
            return held
        tried.append(held)
    why = "; ".join(dict.fromkeys(tried)) or f"FORLLM knows no way on {platform}"
    return NothingHolds(str(NotAvailable(why)))


@dataclass(frozen=True)
class NothingHolds:
    """Nothing keeps the machine awake."""

    detail: str
    is_held: bool = False

    def close(self) -> None:
        """There is nothing to end."""


@dataclass(frozen=True)
class _Way:
    argv: tuple[str, ...]
    detail: str


def _ways(reason: str, platform: str) -> list[_Way]:
    """The programs to try, best first."""
    if platform == "darwin":
        return [_Way(("caffeinate", "-i", "-s"), "kept awake by caffeinate")]
    if not platform.startswith("linux"):
        return []
    about = ("--who=FORLLM", f"--why={reason}", "--mode=block")
    return [
        _Way(("systemd-inhibit", "--what=sleep:idle", *about), "kept awake by systemd-inhibit"),
        # A service without a session on the screen may be allowed only this much.
        _Way(
            ("systemd-inhibit", "--what=idle", *about),
            "kept from sleeping when idle by systemd-inhibit; a person or a program may still send it to sleep",
        ),
        _Way(("elogind-inhibit", "--what=sleep:idle", *about), "kept awake by elogind-inhibit"),
    ]


class ChildHolder:
    """A process that keeps the machine awake while the pipe to it is open."""

    def __init__(self, process: subprocess.Popen[bytes], detail: str) -> None:
        self._process = process
        self.detail = detail

    @property
    def is_held(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        _let_go(self._process)


def _start(way: _Way, deadline: float) -> ChildHolder | str:
    """Whoever holds the machine awake now, or why not."""
    name = way.argv[0]
    found = shutil.which(name)
    if found is None:
        return f"{name} is not installed"
    try:
        process = subprocess.Popen(
            [found, *way.argv[1:], *_WAIT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            # Ctrl-C in the terminal is this process's to answer: it still works until it has checkpointed.
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return f"{name} cannot be started: {error}"
    said = _first_line(process, deadline)
    if said == _HELD:
        return ChildHolder(process, way.detail)
    _let_go(process)
    return f"{name} did not answer in time" if said is None else f"{name}: {said or 'it ended without a word'}"


def _first_line(process: subprocess.Popen[bytes], deadline: float) -> str | None:
    """What it says first, as a line; None when it says nothing until the deadline."""
    heard: list[str] = []

    def listen() -> None:
        if process.stdout is not None:
            heard.append(process.stdout.readline(_WORDS).decode("utf-8", "replace").strip())

    # A thread, because a wait for a pipe with a limit is not the same on every system.
    listener = threading.Thread(target=listen, name="awake", daemon=True)
    listener.start()
    listener.join(max(0.0, deadline - clock.monotonic()))
    if not heard:
        end_group(process)
        listener.join(_CLOSE_SECONDS)
        return None
    return heard[0]


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """The end of the pipe ends it; one that does not heed that is ended with its group."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(_CLOSE_SECONDS)
    except subprocess.TimeoutExpired:
        end_group(process)
    if process.stdout is not None:
        process.stdout.close()


class ThreadHolder:
    """A thread that has told Windows that the system is required, and tells it the contrary at the end."""

    def __init__(self, set_state: Callable[[int], int]) -> None:
        """``set_state``: ``SetThreadExecutionState``; it returns 0 when it failed."""
        self.detail = "kept awake by SetThreadExecutionState"
        self._set_state = set_state
        self._is_set = threading.Event()
        self._may_end = threading.Event()
        self._has_worked = False
        self._thread = threading.Thread(target=self._hold, name="awake", daemon=True)
        self._thread.start()
        self._is_set.wait(_START_SECONDS)
        if not self._has_worked:
            self.detail = "not available: SetThreadExecutionState failed"

    @property
    def is_held(self) -> bool:
        return self._has_worked and self._thread.is_alive()

    def close(self) -> None:
        self._may_end.set()
        self._thread.join(_CLOSE_SECONDS)

    def _hold(self) -> None:
        self._has_worked = self._set_state(_ES_CONTINUOUS | _ES_SYSTEM_REQUIRED) != 0
        self._is_set.set()
        self._may_end.wait()
        self._set_state(_ES_CONTINUOUS)


def set_execution_state(state: int) -> int:
    """Windows' own function, for the calling thread; 0, its sign of failure, elsewhere."""
    if sys.platform == "win32":
        return int(ctypes.windll.kernel32.SetThreadExecutionState(ctypes.c_uint(state)))
    return 0
