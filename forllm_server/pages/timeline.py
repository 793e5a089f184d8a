"""What happened to an LLM request, in words. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from forllm_server.queue.model import Happening, LlmRequestEvent
from forllm_server.schedule.words import took_words

_WORDS: dict[Happening, str] = {
    Happening.QUEUED: "asked",
    Happening.CLAIMED: "a worker took it",
    Happening.FIRST_TOKEN: "the first word",
    Happening.SUCCEEDED: "answered",
    Happening.FAILED: "failed",
    Happening.CANCELLED: "called off",
    Happening.RETRY_WAITS: "the attempt failed; the next one waits",
    Happening.RELEASED: "back in the queue",
    Happening.RESCUED: "its worker was gone; taken back",
    Happening.DUE: "due again",
    Happening.HELD: "set aside",
    Happening.RETRIED: "tried again by hand",
    Happening.RUN_NOW: "to be run now",
    Happening.MOVED: "moved in line",
    Happening.MODEL_CHANGED: "given to another model",
}
_BAD = (Happening.FAILED, Happening.RETRY_WAITS, Happening.RESCUED)


@dataclass(frozen=True)
class Step:
    """Something that happened; ``after`` how long after the step before, in words."""

    at: datetime
    words: str
    detail: str
    after: str
    is_bad: bool


def timeline(events: Sequence[LlmRequestEvent]) -> list[Step]:
    """The steps, oldest first."""
    steps = []
    before: datetime | None = None
    for event in events:
        after = took_words((event.at - before).total_seconds()) if before is not None and event.at > before else ""
        detail = " ".join(filter(None, (event.detail, f"({event.worker})" if event.worker else "")))
        steps.append(Step(event.at, _WORDS[event.name], detail, after, event.name in _BAD))
        before = event.at
    return steps
