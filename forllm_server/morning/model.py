"""What a night was, and what it brought."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from forllm_server.queue.model import LlmRequest, Status

_NEARLY_A_DAY = timedelta(hours=23)


@dataclass(frozen=True)
class Night:
    """The night before the morning of ``day``.

    ``begins_at`` and ``ends_at``: from the first opening of the evening to the last closing; None when nothing was
    open. ``counts_from`` and ``counts_until``: what is reported with it. The reports follow one another without a gap,
    so that what was answered at noon by "run now" stands in one of them, too.
    """

    day: date
    begins_at: datetime | None
    ends_at: datetime | None
    counts_from: datetime
    counts_until: datetime

    @property
    def is_round_the_clock(self) -> bool:
        """Whether it was open from noon to noon, or nearly: a day without closing hours."""
        return (
            self.begins_at is not None and self.ends_at is not None and self.ends_at - self.begins_at >= _NEARLY_A_DAY
        )

    def has_begun(self, now: datetime) -> bool:
        """Whether anything of its hours has come."""
        return self.begins_at is not None and self.begins_at <= now


@dataclass(frozen=True)
class Tally:
    """What the LLM requests of one kind, outcome and model come to. ``None`` counts and costs: nobody told them."""

    kind: str
    status: Status
    backend_id: int | None
    model_id: int | None
    model_name: str | None
    currency: str | None
    number: int
    prompt_tokens: int
    #: of ``prompt_tokens``, those of requests whose server told how much of the prompt it knew already
    comparable_tokens: int
    cached_tokens: int
    completion_tokens: int
    #: of ``completion_tokens``, those whose time is known
    timed_tokens: int
    generation_seconds: float
    loads: int
    watt_hours: float
    #: of ``number``, those whose energy is known, and those of them that were measured
    metered: int
    measured: int
    cost: float
    priced: int


@dataclass(frozen=True)
class Stretch:
    """The last run of one LLM request that ended."""

    backend_id: int | None
    model_id: int | None
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True)
class Reply:
    """A reply that the night brought. ``is_first``: its question had none before the night."""

    post_id: int
    question_id: int
    topic_id: int
    topic_title: str
    subforum_id: int
    subforum_name: str
    persona_name: str
    model_name: str
    beginning: str
    is_partial: bool
    created_at: datetime
    is_first: bool


@dataclass(frozen=True)
class Gist:
    """What a topic's new replies say, in a line, and where their personas disagree; empty while it is being asked.

    It was written by a model: it is foreign text. ``replies``: how many it was made from.
    """

    day: date
    topic_id: int
    llm_request_id: int | None
    replies: int
    line: str = ""
    disagreement: str = ""
    model_name: str = ""
    persona_version_id: int | None = None
    written_at: datetime | None = None

    @property
    def is_written(self) -> bool:
        return self.written_at is not None


@dataclass(frozen=True)
class PauseRecord:
    """A pause as it was seen. ``scope`` 0 is the whole queue, else a backend's id. ``ended_at`` None: it holds."""

    scope: int
    began_at: datetime
    ended_at: datetime | None
    reason: str
    is_by_machine: bool


@dataclass(frozen=True)
class TopicNews:
    """The night's replies in one topic, oldest first."""

    topic_id: int
    title: str
    subforum_id: int
    subforum_name: str
    replies: tuple[Reply, ...]
    gist: Gist | None = None
    is_unread: bool = False

    @property
    def has_first_replies(self) -> bool:
        return any(reply.is_first for reply in self.replies)

    @property
    def most_voices(self) -> int:
        """The most personas that answered one post."""
        voices: dict[int, set[str]] = {}
        for reply in self.replies:
            voices.setdefault(reply.question_id, set()).add(reply.persona_name)
        return max((len(names) for names in voices.values()), default=0)


@dataclass(frozen=True)
class Energy:
    """What was used. ``is_measured`` False: wholly or in part estimated. ``costs``: by currency."""

    watt_hours: float
    is_measured: bool
    #: of so many replies it is known
    known_of: int
    costs: Mapping[str, float]


@dataclass(frozen=True)
class Figures:
    """A night in numbers. ``worked_seconds``: in which at least one model worked, however many did at once."""

    answered: int
    failed: int
    cancelled: int
    topics: int
    prompt_tokens: int
    completion_tokens: int
    #: tokens a second while a model wrote; None: no server told
    tokens_per_second: float | None
    #: 0.0 to 1.0 of the prompts that servers knew already; None: no server told
    cached_share: float | None
    worked_seconds: float
    #: how often a server told that it loaded a model, and how often a backend went from one model to another
    loads: int
    swaps: int
    energy: Energy | None
    #: by model: (its name, replies, tokens written, tokens a second or None)
    models: tuple[tuple[str, int, int, float | None], ...]
    #: not all stretches were looked at: ``worked_seconds`` and ``swaps`` are the least that they can be
    is_cut: bool = False


@dataclass(frozen=True)
class Report:
    """Everything on a Morning page. ``waiting``: LLM requests that are live now, told for the last night only."""

    night: Night
    now: datetime
    is_latest: bool
    previous_day: date
    next_day: date | None
    figures: Figures
    topics: tuple[TopicNews, ...]
    more_replies: int
    failed: tuple[LlmRequest, ...]
    waiting: int
    pauses: tuple[PauseRecord, ...]

    @property
    def is_under_way(self) -> bool:
        """Whether its hours go on."""
        night = self.night
        is_open = night.has_begun(self.now) and night.ends_at is not None and self.now < night.ends_at
        return is_open and not night.is_round_the_clock

    @property
    def is_empty(self) -> bool:
        figures = self.figures
        return not (figures.answered or figures.failed or figures.cancelled)
