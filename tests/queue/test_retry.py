from datetime import UTC, datetime, timedelta

import pytest

from forllm_server.queue.model import Cause, Status
from forllm_server.queue.retry import (
    LONGEST_BACKOFF_SECONDS,
    LONGEST_RETRY_AFTER_SECONDS,
    Fault,
    backoff_seconds,
    breaker_seconds,
    decide,
)

NOW = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
MIDDLE = 0.5


def test_a_transient_fault_is_tried_again_after_half_a_minute() -> None:
    decision = decide(Fault(Cause.ERROR, "cut"), attempts=0, max_attempts=3, now=NOW, dice=MIDDLE)
    assert (decision.status, decision.attempts) == (Status.WAITING, 1)
    assert decision.due_at == NOW + timedelta(seconds=30)


def test_the_last_attempt_ends_in_a_visible_failure() -> None:
    decision = decide(Fault(Cause.ERROR, "cut"), attempts=2, max_attempts=3, now=NOW, dice=MIDDLE)
    assert (decision.status, decision.attempts, decision.detail) == (Status.FAILED, 3, "cut")


def test_a_permanent_fault_is_not_tried_again() -> None:
    fault = Fault(Cause.MODEL_GONE, "no such model", is_permanent=True)
    assert decide(fault, attempts=0, max_attempts=3, now=NOW, dice=MIDDLE).status is Status.FAILED


def test_a_backend_that_is_down_spends_no_attempt_however_often() -> None:
    fault = Fault(Cause.BACKEND_DOWN, "refused", is_blameless=True, backend_failures=50)
    decision = decide(fault, attempts=2, max_attempts=3, now=NOW, dice=1.0)
    assert (decision.status, decision.attempts) == (Status.WAITING, 2)
    assert decision.due_at is not None
    assert decision.due_at - NOW <= timedelta(minutes=16.5)


def test_retry_after_is_obeyed_but_never_until_2037() -> None:
    short = Fault(Cause.ERROR, "busy", retry_after_seconds=7)
    assert decide(short, attempts=0, max_attempts=3, now=NOW, dice=MIDDLE).due_at == NOW + timedelta(seconds=7)
    endless = Fault(Cause.ERROR, "busy", retry_after_seconds=3e8)
    assert decide(endless, attempts=0, max_attempts=3, now=NOW, dice=MIDDLE).due_at == NOW + timedelta(
        seconds=LONGEST_RETRY_AFTER_SECONDS
    )


def test_a_graceful_stop_puts_the_request_back_at_once() -> None:
    fault = Fault(Cause.WORKER_STOPPED, "stopped", is_immediate=True)
    decision = decide(fault, attempts=1, max_attempts=3, now=NOW, dice=MIDDLE)
    assert (decision.status, decision.attempts, decision.due_at) == (Status.QUEUED, 1, None)


@pytest.mark.parametrize("failures", [1, 2, 5, 8, 60, 5000])
def test_backoff_doubles_up_to_an_hour_and_is_spread_by_a_tenth(failures: int) -> None:
    plain = min(30.0 * 2 ** min(failures - 1, 16), LONGEST_BACKOFF_SECONDS)
    assert backoff_seconds(failures, 0.0) == pytest.approx(plain * 0.9)
    assert backoff_seconds(failures, 1.0) == pytest.approx(plain * 1.1)


def test_the_circuit_opens_at_the_third_failure_and_never_for_more_than_a_quarter_hour_or_so() -> None:
    assert breaker_seconds(1, MIDDLE) is None
    assert breaker_seconds(2, MIDDLE) is None
    assert breaker_seconds(3, MIDDLE) == pytest.approx(30)
    assert breaker_seconds(4, MIDDLE) == pytest.approx(60)
    assert breaker_seconds(99, MIDDLE) == pytest.approx(900)
