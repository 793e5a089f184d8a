"""What an experiment is: which answers are asked for again, of whom, and what became of each pair of old and new."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256


class State(StrEnum):
    """What a person lets an experiment do."""

    DRAFT = "draft"  #: chosen and counted; nothing is asked
    OPEN = "open"  #: its questions go into the queue, a part at a time
    PAUSED = "paused"  #: nothing of it goes into the queue; what is there already waits
    CANCELLED = "cancelled"  #: nothing more of it is asked


class Choice(StrEnum):
    """What a person found, comparing the old answer with the new one."""

    NEW = "new"  #: the new answer is better
    OLD = "old"  #: the old answer is better
    TIE = "tie"  #: both are equally good
    BAD = "bad"  #: neither is any good
    SKIP = "skip"  #: no vote: the names were asked for first


class LeftOut(StrEnum):
    """Why an answer that was chosen is not asked for again."""

    SAME = "same"  #: this very version on this very model gave it
    MODEL_GONE = "model_gone"  #: the model that gave it is no longer there
    PERSONA_DELETED = "persona_deleted"  #: the persona that gave it was deleted


class Stage(StrEnum):
    """How far a pair is."""

    UNASKED = "unasked"  #: not in the queue yet
    WAITING = "waiting"  #: in the queue, or running
    ANSWERED = "answered"  #: the new answer is there
    FAILED = "failed"  #: it could not be asked, or failed; ``problem`` says why
    CANCELLED = "cancelled"  #: it was called off


@dataclass(frozen=True)
class Experiment:
    """One row of ``experiments``. ``persona_version_id`` None: each old answer's own; ``model_id`` likewise."""

    id: int
    owner_id: int
    name: str
    #: what was chosen, in words
    source: str
    persona_version_id: int | None
    persona_words: str
    model_id: int | None
    model_words: str
    is_run_now: bool
    state: State
    pair_count: int
    #: pairs 1 to this one have been put into the queue
    asked_count: int
    left_out: Mapping[str, int]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def is_draft(self) -> bool:
        return self.state is State.DRAFT

    @property
    def challenger(self) -> str:
        """``Assistant v2 on the same model``."""
        return f"{self.persona_words} on {self.model_words}"


@dataclass(frozen=True)
class NewExperiment:
    """What is known of an experiment when it is made."""

    owner_id: int
    name: str
    source: str
    persona_version_id: int | None
    persona_words: str
    model_id: int | None
    model_words: str
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class Narrowing:
    """Which earlier answers are meant; all that is given must hold. ``post_ids``: questions, or answers to them."""

    topic_ids: tuple[int, ...] | None = None
    post_ids: tuple[int, ...] | None = None
    subforum_id: int | None = None
    tag_id: int | None = None
    persona_id: int | None = None
    persona_version_id: int | None = None


@dataclass(frozen=True)
class Candidate:
    """An earlier answer that could be asked for again. ``seconds``: how long it took; None where nobody knows."""

    post_id: int
    question_id: int
    topic_id: int
    persona_id: int
    version_id: int
    is_persona_deleted: bool
    model_name: str
    model_id: int | None
    tokens: int | None
    seconds: float | None
    characters: int
    question_characters: int


@dataclass(frozen=True)
class NewPair:
    """An earlier answer, and whom it is asked of again."""

    candidate: Candidate
    persona_id: int
    version_id: int
    model_id: int
    model_name: str


@dataclass(frozen=True)
class PairToAsk:
    """A pair as it is put into the queue. ``is_alone``, ``layout`` and so on are as they were for the old answer."""

    number: int
    old_post_id: int
    old_llm_request_id: int | None
    question_id: int
    topic_id: int
    persona_id: int
    version_id: int
    model_id: int
    model_name: str
    is_alone: bool
    question_characters: int
    #: why it cannot be asked; empty when it can
    obstacle: str


@dataclass(frozen=True)
class NewAnswer:
    """What came of asking again. ``seconds``: from the beginning of the run to its end."""

    text: str
    thinking: str
    finish_reason: str
    model_name: str
    tokens: int | None
    seconds: float | None


@dataclass(frozen=True)
class Pair:
    """An old answer and its new one. Texts are whole, or their beginnings where only those were asked for.

    ``old_text`` None: it lies in the trash, or was erased. ``post_id``: the new answer in its thread, where it was put.
    """

    experiment_id: int
    number: int
    stage: Stage
    problem: str
    llm_request_id: int | None
    topic_id: int
    topic_title: str
    question_id: int
    question: str
    is_question_edited: bool
    old_post_id: int
    old_version_id: int
    old_model_name: str
    old_text: str | None
    old_tokens: int | None
    old_seconds: float | None
    new_version_id: int
    new_model_name: str
    new_text: str | None
    new_thinking: str | None
    new_finish_reason: str | None
    new_tokens: int | None
    new_seconds: float | None
    post_id: int | None
    choice: Choice | None

    @property
    def is_answered(self) -> bool:
        return self.stage is Stage.ANSWERED

    @property
    def may_be_voted_on(self) -> bool:
        """Whether both answers are there to be compared."""
        return self.is_answered and self.old_text is not None and self.new_text is not None

    def is_old_left(self, voter_id: int) -> bool:
        """Which of them stands left: as good as random, and the same whenever the pair is shown to this voter."""
        return sha256(f"{voter_id} {self.experiment_id} {self.number}".encode()).digest()[0] % 2 == 0


@dataclass(frozen=True)
class Sums:
    """Of one side, over the pairs whose new answer is there: means, None where nothing is known."""

    tokens: float | None
    seconds: float | None
    characters: float | None


@dataclass(frozen=True)
class Progress:
    """How many pairs are how far, and what was found of those that were voted on."""

    total: int
    by_stage: Mapping[Stage, int]
    by_choice: Mapping[Choice, int]
    old: Sums
    new: Sums
    #: pairs with both answers and no vote
    undecided: int

    @property
    def answered(self) -> int:
        return self.by_stage.get(Stage.ANSWERED, 0)

    @property
    def failed(self) -> int:
        return self.by_stage.get(Stage.FAILED, 0)

    @property
    def cancelled(self) -> int:
        return self.by_stage.get(Stage.CANCELLED, 0)

    @property
    def waiting(self) -> int:
        return self.by_stage.get(Stage.WAITING, 0)

    @property
    def unasked(self) -> int:
        return self.by_stage.get(Stage.UNASKED, 0)

    @property
    def remaining(self) -> int:
        return self.waiting + self.unasked

    @property
    def percent(self) -> int:
        """Of the pairs that have an end, rounded down."""
        return 100 * (self.total - self.remaining) // max(self.total, 1)
