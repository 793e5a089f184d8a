"""What a batch is: its template, its lines, whom each of them is asked of, and what became of each cell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from forllm_server.batches.checks import Check


class State(StrEnum):
    """What a person lets a batch do."""

    OPEN = "open"  #: its lines go into the queue, a part at a time
    PAUSED = "paused"  #: nothing of it goes into the queue; what is there already waits
    CANCELLED = "cancelled"  #: nothing more of it is asked


class Place(StrEnum):
    """Where the lines stand in the forum."""

    GRID = "grid"  #: all in one topic, each a reply to its first post
    TOPICS = "topics"  #: each is a topic of its own


class Verdict(StrEnum):
    """What a judge made of an answer. Only the first two decide anything."""

    PASS = "pass"  #: the judge says that the answer does what the rubric asks
    FAIL = "fail"  #: the judge says that it does not
    UNREADABLE = "unreadable"  #: the judge said neither of the two words
    AWAITED = "awaited"  #: the judge is asked and has not answered yet
    MISSING = "missing"  #: the judge's LLM request failed, was called off or erased


#: Verdicts that decide nothing: somebody has to look, or to ask again.
UNDECIDED = (Verdict.UNREADABLE, Verdict.MISSING)


@dataclass(frozen=True)
class Judge:
    """Who says of each answer whether it does what ``rubric`` asks. The version is the one the persona had then."""

    persona_id: int
    persona_version_id: int
    persona_words: str
    rubric: str


@dataclass(frozen=True)
class BatchAsk:
    """One column of the grid. ``model_id`` None: the persona's own model, else the forum's."""

    persona_id: int
    persona_version_id: int
    persona_words: str
    model_id: int | None
    model_words: str
    #: 1, 2 … among those of the same persona and model
    repeat: int = 1

    @property
    def label(self) -> str:
        """``Skeptic v4 on qwen3:8b (2)``."""
        number = f" ({self.repeat})" if self.repeat > 1 else ""
        return f"{self.persona_words} on {self.model_words}{number}"


@dataclass(frozen=True)
class Batch:
    """One row of ``batches``."""

    id: int
    owner_id: int
    subforum_id: int
    #: of the grid; None when each line is a topic of its own
    topic_id: int | None
    root_post_id: int | None
    place: Place
    title: str
    template: str
    columns: tuple[str, ...]
    asks: tuple[BatchAsk, ...]
    checks: tuple[Check, ...]
    is_run_now: bool
    state: State
    problem: str | None
    line_count: int
    #: lines 1 to this one have been put into the queue
    asked_count: int
    #: of the lines up to this one every cell has an end, and is checked
    settled_count: int
    created_at: datetime
    finished_at: datetime | None
    fingerprint: str
    judge: Judge | None

    @property
    def cell_count(self) -> int:
        return self.line_count * len(self.asks)


@dataclass(frozen=True)
class NewBatch:
    """What is known of a batch when it is made."""

    owner_id: int
    subforum_id: int
    place: Place
    title: str
    template: str
    columns: tuple[str, ...]
    asks: tuple[BatchAsk, ...]
    checks: tuple[Check, ...]
    is_run_now: bool
    fingerprint: str
    judge: Judge | None = None


@dataclass(frozen=True)
class Line:
    """One line, with the values of the batch's columns."""

    number: int
    values: tuple[str, ...]
    post_id: int | None


@dataclass(frozen=True)
class Cell:
    """A line asked of one persona on one model. ``status`` is its LLM request's; ``gone`` when that was erased.

    ``text`` is the reply, or its beginning where only that was asked for. ``failed_checks``: None while not checked.
    ``verdict``: None where no judge was asked; ``verdict_said``: what it said when that was unreadable.
    """

    number: int
    ask: int
    llm_request_id: int
    status: str
    reply_post_id: int | None
    text: str | None
    detail: str | None
    failed_checks: tuple[str, ...] | None
    verdict: Verdict | None = None
    verdict_said: str = ""
    verdict_llm_request_id: int | None = None

    @property
    def verdict_words(self) -> str:
        """``pass``, ``unreadable: “It is nice.”``; empty where no judge was asked."""
        if self.verdict is None:
            return ""
        return f"{self.verdict.value}: {self.verdict_said}" if self.verdict_said else self.verdict.value


@dataclass(frozen=True)
class Progress:
    """How many cells are in which state. ``unasked`` have not been put into the queue yet.

    ``by_verdict``: the same by what the judge made of the answers, where there is one.
    """

    total: int
    unasked: int
    by_status: Mapping[str, int]
    failed_checks: int
    by_verdict: Mapping[Verdict, int] = field(default_factory=dict)

    @property
    def judged_pass(self) -> int:
        return self.by_verdict.get(Verdict.PASS, 0)

    @property
    def judged_fail(self) -> int:
        return self.by_verdict.get(Verdict.FAIL, 0)

    @property
    def undecided(self) -> int:
        """Judged, and yet neither: unreadable or missing."""
        return sum(self.by_verdict.get(verdict, 0) for verdict in UNDECIDED)

    @property
    def unjudged(self) -> int:
        """Of the answers that came, those that the judge has still to look at."""
        return self.answered - self.judged_pass - self.judged_fail - self.undecided

    @property
    def answered(self) -> int:
        return self.by_status.get("succeeded", 0)

    @property
    def failed(self) -> int:
        return self.by_status.get("failed", 0) + self.by_status.get("gone", 0)

    @property
    def running(self) -> int:
        return self.by_status.get("running", 0)

    @property
    def queued(self) -> int:
        return sum(self.by_status.get(status, 0) for status in ("queued", "waiting", "held"))

    @property
    def cancelled(self) -> int:
        return self.by_status.get("cancelled", 0)

    @property
    def remaining(self) -> int:
        return self.unasked + self.queued + self.running

    @property
    def percent(self) -> int:
        """Of the cells that have an end, rounded down."""
        return 100 * (self.total - self.remaining) // max(self.total, 1)
