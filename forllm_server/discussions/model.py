"""What a discussion is: who takes part, what was asked of whom, and why it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from forllm_server.queue.model import LIVE, Status

#: The place of the one who closes a discussion: who sums up a debate, who chairs a council.
CLOSER = -1


class Kind(StrEnum):
    """How personas discuss."""

    DEBATE = "debate"  #: one after another, each answering the one before it
    COUNCIL = "council"  #: each for itself, then all rank all answers, then one answers for all


class StepKind(StrEnum):
    """What one LLM request of a discussion is for."""

    TURN = "turn"  #: a debate: says something to what was said last
    SUMMARY = "summary"  #: a debate: sums it up
    OPINION = "opinion"  #: a council: an answer without knowing the others
    RANKING = "ranking"  #: a council: all answers in an order, without names
    ANSWER = "answer"  #: a council: the chair's answer that cites the others


class Ending(StrEnum):
    """Why nothing more is asked of a discussion."""

    TURNS = "turns"  #: its turns are done
    TOKENS = "tokens"  #: its tokens are used up
    MINUTES = "minutes"  #: its models have worked as long as they may
    ANSWERED = "answered"  #: the chair has answered
    STOPPED = "stopped"  #: a person stopped it
    CALLED_OFF = "called_off"  #: one of its LLM requests was called off
    LOCKED = "locked"  #: its topic was locked
    GONE = "gone"  #: its topic, or a post that was to be answered, was deleted
    PERSONA_GONE = "persona_gone"  #: a persona whose turn it was had been deleted
    MODEL_GONE = "model_gone"  #: a model that was asked for is no longer there
    TOO_FEW = "too_few"  #: fewer than two opinions came


@dataclass(frozen=True)
class Seat:
    """Who takes part, with the version of its persona when the discussion began.

    ``model_id`` None: the persona's own model, else the forum's.
    """

    persona_id: int
    persona_version_id: int
    name: str
    number: int
    model_id: int | None = None
    role: str = ""

    @property
    def label(self) -> str:
        """``Skeptic (against)``."""
        return f"{self.name} ({self.role})" if self.role else self.name

    def as_dict(self) -> dict[str, Any]:
        """For storing; :meth:`of` reads it back."""
        return dict(vars(self))

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Seat":
        return cls(**stored)


@dataclass(frozen=True)
class Limits:
    """Where a debate ends; None: it does not end for that. Minutes are those that its models work."""

    turns: int | None = None
    tokens: int | None = None
    minutes: int | None = None


@dataclass(frozen=True)
class NewDiscussion:
    """What is known of a discussion when it begins. ``seed`` makes the orders in which answers are ranked."""

    owner_id: int
    kind: Kind
    post_id: int
    group_id: str
    seats: tuple[Seat, ...]
    closer: Seat | None
    motion: str
    limits: Limits
    is_run_now: bool
    seed: int


@dataclass(frozen=True)
class Discussion(NewDiscussion):
    """One row of ``discussions``. ``topic_id`` None: its first post was erased.

    With ``ending`` and without ``ended_at`` it is being summed up.
    """

    id: int
    topic_id: int | None
    created_at: datetime
    ending: Ending | None
    ending_detail: str
    ended_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.ended_at is None

    def seat(self, place: int) -> Seat:
        """Who sits there; :data:`CLOSER` is who closes it."""
        if place == CLOSER:
            assert self.closer is not None
            return self.closer
        return self.seats[place]


@dataclass(frozen=True)
class Step:
    """One LLM request of a discussion, with what became of it.

    ``shown``: of a ranking, the places of the answers in the order in which they were shown; ``ranked``: the best
    first, None as long as there is none; ``reason``: why an answer of the model is no ranking. ``status`` None: the LLM
    request is not there any more. ``seconds``: of the model's work.
    """

    number: int
    kind: StepKind
    seat: int
    attempt: int
    llm_request_id: int
    shown: tuple[int, ...] = ()
    ranked: tuple[int, ...] | None = None
    reason: str = ""
    status: Status | None = None
    post_id: int | None = None
    is_post_there: bool = False
    output_tokens: int = 0
    seconds: float = 0.0
    detail: str = ""

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def is_done(self) -> bool:
        return self.status is Status.SUCCEEDED


@dataclass(frozen=True)
class Part:
    """A step with the discussion that it belongs to, and all steps of that."""

    discussion: Discussion
    step: Step
    steps: tuple[Step, ...]


class AutomaticEnding(StrEnum):
    """Why automatic replies stopped."""

    COUNT = "count"  #: so many were asked for as were allowed
    TIME = "time"  #: their time is over
    STOPPED = "stopped"  #: a person stopped them
    LOCKED = "locked"  #: the topic was locked
    NOBODY = "nobody"  #: none of the personas is there any more
    QUEUE_FULL = "queue_full"  #: more LLM requests wait than one person may have


@dataclass(frozen=True)
class AutomaticReplies:
    """Personas that answer in a topic by themselves, within limits. One row of ``automatic_replies``.

    Each answers every new post by a person; with ``is_each_other`` they also take turns in answering one another, up to
    ``most_deep`` replies below the person's post.
    """

    topic_id: int
    owner_id: int
    persona_ids: tuple[int, ...]
    is_each_other: bool
    most_deep: int
    most_replies: int
    until_at: datetime | None
    asked_count: int
    created_at: datetime
    ending: AutomaticEnding | None = None
    ended_at: datetime | None = None

    @property
    def is_on(self) -> bool:
        return self.ended_at is None
