"""What a reader has with subforums, topics and posts."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Attention(StrEnum):
    """How much a reader wants to hear of a topic."""

    #: What is new in it is told.
    WATCHING = "watching"
    #: It is never unread.
    MUTED = "muted"


class View(StrEnum):
    """How a topic is read."""

    #: Each reply below what it answers.
    TREE = "tree"
    #: As it was written, one after the other.
    FLAT = "flat"


@dataclass(frozen=True, slots=True)
class TopicReading:
    """What a reader has with a topic. Every post up to ``until_post_id`` was seen; later ones perhaps."""

    until_post_id: int = 0
    attention: Attention | None = None
    #: None: as the setting says.
    view: View | None = None
    has_unread: bool = True

    def is_unread(self, post_id: int, seen_ids: frozenset[int]) -> bool:
        """Whether a post was not seen yet; ``seen_ids`` are those seen after ``until_post_id``."""
        if not self.has_unread or self.attention is Attention.MUTED:
            return False
        return post_id > self.until_post_id and post_id not in seen_ids


@dataclass(frozen=True, slots=True)
class TopicMark:
    """What a list says of a topic. ``new_count`` is None where it is unread and was never opened."""

    is_unread: bool = False
    new_count: int | None = None
    attention: Attention | None = None


@dataclass(frozen=True, slots=True)
class TopicState:
    """What marking needs to know of a topic."""

    subforum_id: int
    last_post_at: datetime
    post_count: int


@dataclass(frozen=True, slots=True)
class UnreadTopic:
    """A topic with something unread, as lists show it."""

    id: int
    title: str
    subforum_id: int
    subforum_name: str
    post_count: int
    last_post_at: datetime


@dataclass(frozen=True, slots=True)
class UnreadPost:
    """Where reading can go on: the post's id and its place in the thread."""

    id: int
    path: bytes


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A post that a reader kept. ``content`` is the post's Markdown, empty when it was deleted."""

    id: int
    post_id: int
    topic_id: int
    topic_title: str
    subforum_name: str
    author_name: str
    is_by_persona: bool
    content: str
    note: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TopicNote:
    """A reader's own words about a topic."""

    topic_id: int
    topic_title: str
    content: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Votes:
    """What was thought of a post: how many are for and against it, and the reader's own vote (-1, 0 or 1)."""

    up: int = 0
    down: int = 0
    own: int = 0
