"""What a person can do with an LLM request in each of its states. Pure."""

from dataclasses import dataclass

from forllm_server.queue.model import Cause, Lane, LlmRequest, Status


@dataclass(frozen=True)
class Act:
    """``name`` is the sub-resource that is posted to, ``label`` what stands on the button."""

    name: str
    label: str


_RUN_NOW = Act("run-now", "Run now")
_RUN_TONIGHT = Act("run-tonight", "Run tonight")
_HOLD = Act("hold", "Hold")
_CANCEL = Act("cancellation", "Cancel")
_RETRY = Act("retry", "Try again")

_ACTS: dict[Status, tuple[Act, ...]] = {
    Status.QUEUED: (_RUN_NOW, _RUN_TONIGHT, _HOLD, _CANCEL),
    Status.WAITING: (Act("retry", "Try now"), _RUN_TONIGHT, _HOLD, _CANCEL),
    Status.HELD: (Act("release", "Release"), _RUN_TONIGHT, _CANCEL),
    Status.RUNNING: (_CANCEL,),
    Status.FAILED: (_RETRY,),
    Status.CANCELLED: (_RETRY,),
    Status.SUCCEEDED: (),
}


#: Of one that waits for the answer before it: trying it now would make no sense.
_IN_CHAIN = (_RUN_NOW, _RUN_TONIGHT, _HOLD, _CANCEL)


def acts_of(llm_request: LlmRequest) -> tuple[Act, ...]:
    """The acts that make sense now, the likeliest first."""
    if llm_request.status is Status.RUNNING and llm_request.is_cancel_requested:
        return ()
    acts = _IN_CHAIN if llm_request.cause is Cause.WAITS_FOR_ANSWER else _ACTS[llm_request.status]
    # Each lane offers the other one.
    needless = _RUN_NOW if llm_request.lane is Lane.LIVE else _RUN_TONIGHT
    return tuple(act for act in acts if act is not needless)
