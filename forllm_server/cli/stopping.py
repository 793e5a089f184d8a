"""Ctrl-C and SIGTERM: the first asks the process to end in order, the second ends it at once."""

import faulthandler
import gc
import os
import signal
import threading
from types import FrameType

from forllm_server import log

#: The whole of an orderly end takes no longer than this.
STOP_SECONDS = 4.0
#: After so long something that should have ended has not: it is told where it stands, and the process ends anyway.
LAST_SECONDS = 30.0


class Stop(SystemExit):
    """Raised in the main thread by the first signal; ends the web server's loop."""


def heed_signals() -> threading.Event:
    """Install the handlers (main thread only). The event is set by the first signal, which also raises Stop.

    Other threads may wait for the event, the main one may not: the handler runs in it, and would wait for a lock that
    the interrupted wait holds.
    """
    stopping = threading.Event()

    def heed(number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            os._exit(130)
        stopping.set()
        log.event("process.stopping", signal=signal.Signals(number).name)
        faulthandler.dump_traceback_later(LAST_SECONDS, exit=True)
        raise Stop(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, heed)
    return stopping


def end_lightly() -> None:
    """Let the interpreter end without its last search for garbage.

    The system takes the memory back anyway, and that search cost as much as everything else at the end together: on a
    machine that computes for a model, many seconds.
    """
    gc.freeze()
