"""Threads that must not end: a queue that stands still without a word is the worst that it can do."""

import threading
from collections.abc import Callable

from forllm_server import log

#: An error that comes at once again shall not keep a processor busy.
REST_SECONDS = 5.0


class LastingThread:
    """A daemon thread whose work begins anew after an error that nobody foresaw, until ``stopping`` is set.

    The error itself goes where Python tells those of threads (``threading.excepthook``), with its traceback.
    """

    def __init__(
        self, target: Callable[[], None], *, name: str, stopping: threading.Event, rest_seconds: float = REST_SECONDS
    ) -> None:
        self._target = target
        self._name = name
        self._stopping = stopping
        self._rest_seconds = rest_seconds
        self._thread = self._make(self._live)

    def start(self) -> None:
        self._thread.start()

    @property
    def has_started(self) -> bool:
        return self._thread.ident is not None

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def join(self, timeout_seconds: float) -> None:
        """Wait for its end; ``stopping`` must be set."""
        self._thread.join(timeout_seconds)

    def _live(self) -> None:
        try:
            self._target()
        finally:
            # Without an error the work ends because it shall stop.
            if not self._stopping.is_set():
                log.event("thread.begins_anew", level=log.ERROR, thread=self._name, after_seconds=self._rest_seconds)
                self._thread = self._make(self._live_again)
                self._thread.start()

    def _live_again(self) -> None:
        if not self._stopping.wait(self._rest_seconds):
            self._live()

    def _make(self, target: Callable[[], None]) -> threading.Thread:
        return threading.Thread(target=target, name=self._name, daemon=True)
