"""A program run within bounds of time and output, and ended with all that it started."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from forllm_server import clock

#: between the request to end and the kill
_GRACE_SECONDS = 0.2
#: how soon it is noticed that a program is to be ended
_LOOK_SECONDS = 0.1
#: for output that a process left behind in the pipe when it ended
_DRAIN_SECONDS = 0.2
_PIECE_BYTES = 8192
#: a console program must not flash a window on the screen
if sys.platform == "win32":
    _CREATION_FLAGS = subprocess.CREATE_NO_WINDOW
else:
    _CREATION_FLAGS = 0


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    #: negative: the signal that ended it; None: it was not started, or ran out of time
    exit_code: int | None
    #: the last part of what it wrote, stdout and stderr in one
    output: str
    is_truncated: bool
    is_timed_out: bool
    seconds: float
    #: why it could not be started, else empty
    problem: str = ""
    #: ended because it was called off
    is_called_off: bool = False


def run_bounded(
    argv: Sequence[str],
    *,
    timeout_seconds: float,
    output_bytes: int,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    has_errors: bool = True,
    given: bytes | None = None,
    called_off: threading.Event | None = None,
) -> Ended:
    """Run a program without a shell and wait for its end, ``timeout_seconds`` + 0.6 s at most. Never raises for what
    the program does; ``has_errors``: whether stderr belongs to the output. ``given``: what it can read from stdin.
    Once ``called_off`` is set, it is ended as if its time were over."""
    started = clock.monotonic()
    with contextlib.ExitStack() as stack:
        source: int | IO[bytes] = subprocess.DEVNULL
        if given is not None:
            # A file, not a pipe: a program that does not read holds nobody up.
            source = stack.enter_context(tempfile.TemporaryFile())
            source.write(given)
            source.seek(0)
        return _run(argv, source, started, timeout_seconds, output_bytes, environment, folder, has_errors, called_off)


def _run(
    argv: Sequence[str],
    source: int | IO[bytes],
    started: float,
    timeout_seconds: float,
    output_bytes: int,
    environment: Mapping[str, str] | None,
    folder: Path | None,
    has_errors: bool,
    called_off: threading.Event | None,
) -> Ended:
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if has_errors else subprocess.DEVNULL,
            env=dict(environment) if environment is not None else None,
            cwd=folder,
            # A group of its own: what it started ends with it, and Ctrl-C in the terminal does not reach it.
            start_new_session=True,
            creationflags=_CREATION_FLAGS,
        )
    except (OSError, ValueError) as error:
        return Ended(None, "", False, False, clock.monotonic() - started, _why(error))
    tail = _Tail(process.stdout, output_bytes)
    has_ended = _wait(process, timeout_seconds, called_off)
    if not has_ended:
        end_group(process)
    output, is_truncated = tail.text()
    is_called_off = not has_ended and called_off is not None and called_off.is_set()
    return Ended(
        process.returncode if has_ended else None,
        output,
        is_truncated,
        is_timed_out=not has_ended and not is_called_off,
        seconds=clock.monotonic() - started,
        is_called_off=is_called_off,
    )


def _wait(process: subprocess.Popen[bytes], timeout_seconds: float, called_off: threading.Event | None) -> bool:
    """Whether it ended by itself in time."""
    until = clock.monotonic() + timeout_seconds
    while (left := until - clock.monotonic()) > 0 and not (called_off is not None and called_off.is_set()):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(left if called_off is None else min(left, _LOOK_SECONDS))
            return True
    return process.poll() is not None


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads its own session, and its group: asked first, killed 0.2 s later. In 0.4 s at most."""
    if sys.platform == "win32":
        _end_tree(process)
    else:
        _signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
        # Also when the leader is gone: others of its group may have ignored the request.
        _signal_group(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)


def _signal_group(group: int, number: int) -> None:
    # Not permitted: macOS says so of a group of which only zombies are left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _end_tree(process: subprocess.Popen[bytes]) -> None:
    """Windows has no groups to signal: end the descendants one by one."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
    process.kill()


class _Tail:
    """The last bytes of a stream, read by a thread: the writer is never held up, the memory stays bounded."""

    def __init__(self, stream: IO[bytes] | None, most_bytes: int) -> None:
        self._stream = stream
        self._most_bytes = most_bytes
        self._pieces: deque[bytes] = deque()
        self._kept_bytes = 0
        self._is_truncated = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="program-output", daemon=True)
        self._thread.start()

    def text(self) -> tuple[str, bool]:
        """What there is, and whether the beginning was dropped. Something that was left running in the background
        may hold the stream open; it is not waited for."""
        self._thread.join(_DRAIN_SECONDS)
        with self._lock:
            whole = b"".join(self._pieces)
            is_truncated = self._is_truncated or len(whole) > self._most_bytes
        return whole[max(0, len(whole) - self._most_bytes) :].decode("utf-8", "replace"), is_truncated

    def _read(self) -> None:
        if self._stream is None:
            return
        with self._stream as stream:
            while piece := os.read(stream.fileno(), _PIECE_BYTES):
                self._keep(piece)

    def _keep(self, piece: bytes) -> None:
        with self._lock:
            self._pieces.append(piece)
            self._kept_bytes += len(piece)
            while self._kept_bytes - len(self._pieces[0]) >= self._most_bytes:
                self._kept_bytes -= len(self._pieces.popleft())
                self._is_truncated = True


def _why(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
