"""What a summary is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class SummaryScope(StrEnum):
    """What a summary sums up."""

    #: The way from a topic's first post to one post: models get it in place of what does not fit.
    WAY = "way"
    #: All posts of a topic.
    TOPIC = "topic"
    #: Chosen replies to one post.
    REPLIES = "replies"


class SummaryAuthor(StrEnum):
    """Who wrote a version."""

    MODEL = "model"
    PERSON = "person"


class Change(StrEnum):
    """What happened to a post after it was summed up, so that the summary holds no longer."""

    EDITED = "edited"
    DELETED = "deleted"
    EXCLUDED = "excluded"
    #: It was deleted or kept from models when the summary was made, and is no longer.
    SHOWN = "shown"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class CoveredPost:
    """A post as it was when it was summed up. ``is_covered`` False: it was passed over, as models are not shown it."""

    post_id: int
    post_version: int
    is_covered: bool
    #: The reply that it answers stands before it: moved elsewhere, the summary would tell of another thread.
    parent_id: int | None = None
    #: None: nothing has happened to it.
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class SummaryVersion:
    """A text, never changed, and what it covers. ``anchor_post_id``: of a way its last post, else what it hangs on."""

    id: int
    summary_id: int
    number: int
    content: str
    author: SummaryAuthor
    owner_id: int
    anchor_post_id: int
    llm_request_id: int | None
    persona_version_id: int | None
    persona_name: str
    model_name: str
    note: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version that is to be kept."""

    content: str
    author: SummaryAuthor
    owner_id: int
    anchor_post_id: int
    covered: tuple[CoveredPost, ...]
    llm_request_id: int | None = None
    persona_version_id: int | None = None
    persona_name: str = ""
    model_name: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary. ``version`` is the current one; None while the first is being written.

    ``llm_request_id``: what writes it, or wrote it last. ``progress``: how far a run has come that takes several steps.
    """

    id: int
    owner_id: int
    topic_id: int
    scope: SummaryScope
    anchor_post_id: int
    current_number: int
    llm_request_id: int | None
    progress: Mapping[str, Any] | None
    created_at: datetime
    removed_at: datetime | None
    version: SummaryVersion | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a version covers, as it stands now, in the order of the thread."""

    posts: tuple[CoveredPost, ...]

    @property
    def post_ids(self) -> tuple[int, ...]:
        """Of those that are summed up."""
        return tuple(post.post_id for post in self.posts if post.is_covered)

    @property
    def changes(self) -> tuple[CoveredPost, ...]:
        """Those to which something happened since."""
        return tuple(post for post in self.posts if post.change is not None)

    @property
    def is_stale(self) -> bool:
        """Whether the summary holds no longer: it is not used then."""
        return any(post.change is not None for post in self.posts)
