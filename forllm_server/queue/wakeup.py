"""Waking the workers of this process when there is something new to do, instead of letting them sleep on."""

import threading


class Wakeup:
    """``notify()`` from anywhere ends every ``wait()`` that began before it."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._calls = 0

    def notify(self) -> None:
        with self._condition:
            self._calls += 1
            self._condition.notify_all()

    def calls(self) -> int:
        """To be read before looking for work, and handed to :meth:`wait`: nothing is missed in between."""
        with self._condition:
            return self._calls

    def wait(self, seen_calls: int, timeout_seconds: float) -> bool:
        """Whether it was woken (True) or the time ran out."""
        with self._condition:
            return self._condition.wait_for(lambda: self._calls != seen_calls, timeout_seconds)
