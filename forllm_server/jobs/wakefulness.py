"""The machine is kept awake while there is work that may be done, and not a moment longer."""

from collections.abc import Callable
from datetime import datetime, timedelta

from forllm_server import log
from forllm_server.machine.awake import Holder, KeepAwake

REASON = "FORLLM answers questions"
#: After this long it is tried again to keep the machine awake, where what held it was ended by others.
TRY_AGAIN_AFTER = timedelta(minutes=5)


class Wakefulness:
    """``heed`` it every few seconds, from one thread."""

    def __init__(self, hold: Callable[[str], Holder] = KeepAwake) -> None:
        self._hold = hold
        self._holder: Holder | None = None
        self._was_held = False
        self._tried_at: datetime | None = None
        self._said = ""

    def heed(self, is_wanted: bool, now: datetime) -> None:
        """Hold or let go; says so once at each change."""
        if not is_wanted:
            self.release()
            return
        if self._holder is not None and self._was_held and not self._holder.is_held:
            self._let_go("what kept it awake was ended by others")
        is_resting = self._tried_at is not None and timedelta(0) <= now - self._tried_at < TRY_AGAIN_AFTER
        if self._holder is None and not is_resting:
            self._take(now)

    def release(self) -> None:
        """Let the machine sleep."""
        self._tried_at = None
        if self._holder is not None:
            self._let_go("nothing is left to do now")

    def _take(self, now: datetime) -> None:
        self._tried_at = now
        self._holder = self._hold(REASON)
        self._was_held = self._holder.is_held
        detail = self._holder.detail
        if self._was_held:
            log.event("machine.kept_awake", detail=detail)
        elif detail != self._said:
            # It will be the same tomorrow: told once.
            log.event("machine.not_kept_awake", detail=detail)
            self._said = detail

    def _let_go(self, detail: str) -> None:
        if self._holder is None:
            return
        self._holder.close()
        self._holder = None
        if self._was_held:
            log.event("machine.released", detail=detail)
