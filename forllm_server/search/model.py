"""What a search asks for and what it finds."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Order(StrEnum):
    """How what was found is put in order."""

    #: the best match first
    RELEVANCE = "relevance"
    #: the post written here last first
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The filters of a search with every name looked up. None: not narrowed so; empty: nothing can be found."""

    subforum_ids: frozenset[int] | None = None
    persona_version_ids: frozenset[int] | None = None
    model_names: frozenset[str] | None = None
    #: written at or after this moment
    since: datetime | None = None
    #: written before this moment
    until: datetime | None = None
    author_id: int | None = None
    #: members of query.STATES and of query.CONTENTS that must hold
    states: frozenset[str] = frozenset()
    contents: frozenset[str] = frozenset()
    #: each of these narrowings must not hold
    without: tuple["Narrowing", ...] = ()

    @property
    def is_selective(self) -> bool:
        """Whether an index leads to the few posts that it leaves."""
        has_names = bool(self.persona_version_ids or self.model_names)
        return has_names or bool(self.states - {"unanswered"}) or "file" in self.contents

    @property
    def is_impossible(self) -> bool:
        """Whether a name was asked for that nobody has."""
        return any(names is not None and not names for names in self._names())

    def _names(self) -> tuple[frozenset[int] | frozenset[str] | None, ...]:
        return self.subforum_ids, self.persona_version_ids, self.model_names


@dataclass(frozen=True, slots=True)
class Place:
    """The last post of a page, where the next one begins. ``rank`` grows with distance; newest first it is 0."""

    rank: float
    post_id: int


@dataclass(frozen=True, slots=True)
class Span:
    """The posts with ids from ``least`` on and below ``below``."""

    least: int
    below: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A post that was found, as its index sees it."""

    post_id: int
    rank: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text; ``is_match``: what was searched for."""

    text: str
    is_match: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A post that was found, ready to be shown. ``title`` and ``snippet`` are plain text in pieces."""

    post_id: int
    topic_id: int
    title: tuple[Piece, ...]
    subforum_id: int
    subforum_name: str
    #: The persona's name as it was when it wrote, else the person's.
    author_name: str
    is_by_persona: bool
    persona_id: int | None
    persona_version_number: int | None
    model_name: str | None
    created_at: datetime
    is_partial: bool
    #: whether it is the first post of its topic
    is_root: bool
    snippet: tuple[Piece, ...]

    @property
    def topic_title(self) -> str:
        return "".join(piece.text for piece in self.title)

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.snippet)


@dataclass(frozen=True, slots=True)
class Results:
    """A page of what was found."""

    items: tuple[Found, ...] = ()
    #: where the next page begins; None: this was all
    next: Place | None = None
    #: the order that was used, perhaps another than was asked for
    order: Order = Order.RELEVANCE
    #: whether so much was found that the best was not looked for
    is_common: bool = False
    #: what was understood otherwise than it may have been meant, in sentences
    hints: tuple[str, ...] = ()
    #: a query that would find something, when this one found nothing
    suggestion: str = ""
    #: whether there was anything to look for
    is_empty_query: bool = False
