"""How a run ended: from errors and interruptions to the state that is stored, and the one log line of each."""

from datetime import datetime, timedelta

from forllm_server import log
from forllm_server.backends.faults import BackendError
from forllm_server.errors import Unavailable
from forllm_server.queue.job import SETTLE_PAUSES_SECONDS, Interruption, Job
from forllm_server.queue.model import Cause, LlmRequest, Status
from forllm_server.queue.retry import Decision, Fault, called_off

_PERMANENT_CAUSES = {"model_missing": Cause.MODEL_GONE, "context_exceeded": Cause.PROMPT_TOO_LONG}


#: Faults of the server that no attempt is spent on: it is not there, or has no room yet. The rest (cut, silent) may be
#: the request's own doing, so they are counted, and end.
_BLAMELESS_CODES = ("unreachable", "busy")


def fault_of(error: BackendError, backend_failures: int) -> Fault:
    """What the decision needs to know of a backend's error."""
    if error.code in _BLAMELESS_CODES:
        return Fault(
            Cause.BACKEND_DOWN,
            error.message,
            is_blameless=True,
            retry_after_seconds=error.retry_after_seconds,
            backend_failures=backend_failures,
        )
    cause = _PERMANENT_CAUSES.get(error.code, Cause.ERROR)
    return Fault(cause, error.message, is_permanent=error.permanent, retry_after_seconds=error.retry_after_seconds)


def decision_of(why: Interruption, request: LlmRequest) -> Decision:
    """Where an interrupted run goes. No attempt is spent: it was not the request's fault."""
    if why is Interruption.CANCELLED:
        return called_off(request.attempts)
    cause, detail = {
        Interruption.STOPPING: (Cause.WORKER_STOPPED, "FORLLM was stopped while this was being answered."),
        Interruption.MACHINE_BUSY: (Cause.MACHINE_BUSY, "It made way for something else on this machine."),
        Interruption.WINDOW_PAUSED: (Cause.WINDOW_CLOSED, "The window closed while this was being answered."),
        Interruption.WINDOW_STOPPED: (Cause.WINDOW_CLOSED, "The window closed while this was being answered."),
    }[why]
    return Decision(Status.QUEUED, request.attempts, None, cause, detail)


def settle(job: Job, decision: Decision, *, keeps_partial: bool = True) -> None:
    """Store how a run ended without a reply. If even that cannot be written for a while, the lease will run out."""
    stored = _store(job, decision, keeps_partial=keeps_partial)
    if stored is None:
        return
    decision, is_ours = stored
    name = {Status.FAILED: "failed", Status.CANCELLED: "cancelled"}.get(decision.status, "released")
    log.event(
        f"llm_request.{name}" if is_ours else "llm_request.lease_lost",
        level=log.WARNING if decision.status is Status.FAILED else log.INFO,
        cause=decision.cause.value,
        detail=decision.detail,
        due_at=decision.due_at,
        **job.request.log_context(),
    )


def _store(job: Job, decision: Decision, *, keeps_partial: bool) -> tuple[Decision, bool] | None:
    """What was decided in the end, and whether the request was still ours; None when nothing could be written.

    The last piece of the text needs room that a full disk does not have; how it ended fits into the row that is there.
    """
    for pause_seconds in (*SETTLE_PAUSES_SECONDS, None):
        try:
            if keeps_partial:
                _keep_last_piece(job)
            stored = job.settle(decision, keeps_partial=keeps_partial)
            return stored or decision, stored is not None
        except Unavailable as error:
            if pause_seconds is None or job.wait(pause_seconds):
                log.event("llm_request.unsettled", level=log.WARNING, detail=error.message, **job.request.log_context())
                return None
    return None


def _keep_last_piece(job: Job) -> None:
    try:
        job.checkpoint_quietly()
    except Unavailable as error:
        log.event("checkpoint.lost", level=log.WARNING, detail=error.message, **job.request.log_context())


def log_success(job: Job) -> None:
    log.event("llm_request.succeeded", tokens=job.output_tokens, **job.request.log_context())


def later(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=seconds)
