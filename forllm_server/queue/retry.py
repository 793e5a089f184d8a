"""What becomes of an LLM request whose attempt ended badly. Pure: the time and the dice are handed in."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from forllm_server.queue.model import Cause, Status

FIRST_BACKOFF_SECONDS = 30.0
LONGEST_BACKOFF_SECONDS = 3600.0
LONGEST_DOWN_SECONDS = 900.0
#: A server that asks to be left alone for longer than this is asked again anyway.
LONGEST_RETRY_AFTER_SECONDS = 900.0


@dataclass(frozen=True)
class Fault:
    """How an attempt ended: what the decision needs to know of the error."""

    cause: Cause
    detail: str
    is_permanent: bool = False
    #: not the request's fault (backend down, window closed, graceful stop): no attempt is spent
    is_blameless: bool = False
    retry_after_seconds: float | None = None
    #: how many times in a row the backend has failed, this one included; spaces out the tries of a server that is down
    backend_failures: int = 0
    #: try again at once, without a pause (graceful stop, window closed)
    is_immediate: bool = False


@dataclass(frozen=True)
class Decision:
    """The state an LLM request goes to, and when it is due again."""

    status: Status
    attempts: int
    due_at: datetime | None
    cause: Cause
    detail: str


def decide(fault: Fault, *, attempts: int, max_attempts: int, now: datetime, dice: float) -> Decision:
    """``attempts``: those spent before this one; ``dice``: 0 to 1, spreads the waits by ±10 %."""
    if fault.is_immediate:
        return Decision(Status.QUEUED, attempts, None, fault.cause, fault.detail)
    if fault.is_blameless:
        wait = backoff_seconds(max(fault.backend_failures, 1), dice, longest=LONGEST_DOWN_SECONDS)
        return _again(fault, attempts, now, wait)
    spent = attempts + 1
    if fault.is_permanent or spent >= max_attempts:
        return Decision(Status.FAILED, spent, None, fault.cause, fault.detail)
    return _again(fault, spent, now, backoff_seconds(spent, dice))


def called_off(attempts: int) -> Decision:
    """What becomes of one that a person has cancelled, with the ``attempts`` that were spent."""
    return Decision(Status.CANCELLED, attempts, None, Cause.CANCELLED, "Cancelled.")


def _again(fault: Fault, attempts: int, now: datetime, wait_seconds: float) -> Decision:
    asked = fault.retry_after_seconds
    if asked is not None:
        wait_seconds = min(max(asked, 0.0), LONGEST_RETRY_AFTER_SECONDS)
    due_at = now + timedelta(seconds=wait_seconds)
    return Decision(Status.WAITING, attempts, due_at, fault.cause, fault.detail)


def backoff_seconds(failures: int, dice: float, *, longest: float = LONGEST_BACKOFF_SECONDS) -> float:
    """30 s, 60 s, 120 s … up to ``longest``, ±10 % by ``dice`` (0 to 1)."""
    plain = min(FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 16), longest)
    return plain * (0.9 + 0.2 * dice)


def breaker_seconds(failures: int, dice: float) -> float | None:
    """How long a backend is left alone after ``failures`` transport failures in a row: None for the first two,
    then min(30 s · 2^k, 15 min) ± 20 %."""
    if failures < BREAKER_FAILURES:
        return None
    plain = min(30.0 * 2.0 ** min(failures - BREAKER_FAILURES, 16), LONGEST_DOWN_SECONDS)
    return plain * (0.8 + 0.4 * dice)


BREAKER_FAILURES = 3
