"""What a vote is, and what comes of many."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple


class Choice(StrEnum):
    """What was chosen of two replies. *Low* is the one with the smaller id, wherever it stood."""

    LOW = "low"  #: the older reply is better
    HIGH = "high"  #: the newer reply is better
    TIE = "tie"  #: both are equally good
    BAD = "bad"  #: neither is any good
    SKIP = "skip"  #: no vote: do not ask again
    NONE = "none"  #: no vote: what a judge said is none


class Side(StrEnum):
    """What is chosen where the two stand side by side."""

    LEFT = "left"  #: the left reply is better
    RIGHT = "right"  #: the right reply is better
    TIE = "tie"  #: both are equally good
    BAD = "bad"  #: neither is any good
    SKIP = "skip"  #: no vote: do not ask again


class Entrant(NamedTuple):
    """Who is rated: a version of a persona on a model."""

    version_id: int
    model_name: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two replies to one post. ``low_id`` is the smaller id."""

    low_id: int
    high_id: int
    low: Entrant
    high: Entrant
    topic_id: int
    question_id: int

    def is_low_left(self, voter_id: int) -> bool:
        """Which of them stands left: as good as random, and the same whenever the pair is shown to this voter."""
        return sha256(f"{voter_id} {self.low_id} {self.high_id}".encode()).digest()[0] % 2 == 0

    def sides(self, voter_id: int) -> tuple[int, int]:
        """The ids of the left and of the right reply."""
        return (self.low_id, self.high_id) if self.is_low_left(voter_id) else (self.high_id, self.low_id)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A person's vote between two replies."""

    id: int
    pair: Pair
    choice: Choice
    voted_at: datetime

    @property
    def winner_id(self) -> int | None:
        """The id of the reply that was found better."""
        return {Choice.LOW: self.pair.low_id, Choice.HIGH: self.pair.high_id}.get(self.choice)


@dataclass(frozen=True, slots=True)
class Tally:
    """How often one entrant was compared with another, and how that ended."""

    first: Entrant
    second: Entrant
    first_wins: int = 0
    second_wins: int = 0
    ties: int = 0
    bad: int = 0

    @property
    def number(self) -> int:
        return self.first_wins + self.second_wins + self.ties + self.bad


@dataclass(frozen=True, slots=True)
class EntrantName:
    """How an entrant's persona is called."""

    persona_id: int
    persona_name: str
    number: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A line of the leaderboard. ``low`` and ``high`` bound the rating's 95 % interval; all three in points.

    ``place`` is 1 + the number of entrants that are surely better (their intervals lie wholly above this one).
    ``is_enough`` is False where there are too few comparisons to tell anything.
    """

    entrant: Entrant
    name: EntrantName
    points: float
    low: float
    high: float
    place: int
    wins: int
    losses: int
    ties: int
    bad: int
    is_enough: bool

    @property
    def comparisons(self) -> int:
        return self.wins + self.losses + self.ties + self.bad


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Everybody who was compared, the best first; those with too few comparisons behind the others."""

    standings: tuple[Standing, ...]
    comparisons: int

    @property
    def told(self) -> tuple[Standing, ...]:
        return tuple(standing for standing in self.standings if standing.is_enough)

    @property
    def untold(self) -> tuple[Standing, ...]:
        return tuple(standing for standing in self.standings if not standing.is_enough)


@dataclass(frozen=True, slots=True)
class Preference:
    """A reply that was preferred to another one, with what tells of both: a line of the export."""

    comparison_id: int
    prompt: str
    chosen: str
    rejected: str
    chosen_entrant: Entrant
    rejected_entrant: Entrant
    chosen_persona: str
    rejected_persona: str
    topic_id: int
    topic_title: str
    subforum: str
    chosen_post_id: int
    rejected_post_id: int
    voted_at: datetime
