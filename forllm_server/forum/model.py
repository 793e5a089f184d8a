"""What the forum is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class TopicKind(StrEnum):
    """What a topic is for."""

    #: A titled discussion: anybody may answer any post.
    DISCUSSION = "discussion"
    #: A dialogue with one persona.
    CHAT = "chat"


class AuthorKind(StrEnum):
    """Who wrote a post."""

    PERSON = "person"
    #: Written by a model that played a persona.
    PERSONA = "persona"


class Colour(StrEnum):
    """A subforum's sign: one of the twelve hues of static/css/tokens/hues.css, in their order."""

    CLAY = "clay"
    CYAN = "cyan"
    GREEN = "green"
    ORCHID = "orchid"
    BLUE = "blue"
    GOLD = "gold"
    ROSE = "rose"
    TEAL = "teal"
    VIOLET = "violet"
    MOSS = "moss"
    AMBER = "amber"
    PINK = "pink"

    @property
    def hue(self) -> int:
        """The number N of its class ``hue-N``."""
        return list(Colour).index(self)


@dataclass(frozen=True, slots=True)
class SubforumGroup:
    """A heading over several subforums."""

    id: int
    owner_id: int
    name: str
    position: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RailSubforum:
    """A subforum as every page's rail shows it. ``group_name`` is empty outside of groups."""

    id: int
    name: str
    colour: Colour | None
    group_name: str


@dataclass(frozen=True, slots=True)
class Subforum:
    """A shelf of topics. ``last_post_at`` is None as long as it is empty."""

    id: int
    owner_id: int
    name: str
    description: str
    position: int
    created_at: datetime
    deleted_at: datetime | None
    topic_count: int
    last_post_at: datetime | None
    #: None: it stands before all groups, under no heading.
    group_id: int | None = None
    group_name: str = ""
    colour: Colour | None = None


@dataclass(frozen=True, slots=True)
class Tag:
    """A word that topics are found by. ``topic_count`` is only there where tags are listed."""

    id: int
    name: str
    topic_count: int = 0


class TopicTie(StrEnum):
    """What one topic has to do with another."""

    #: It was a branch of the other; the id is that of the post it hung on.
    SPLIT_FROM = "split_from"
    #: The other was a branch of it; the id is the other topic's.
    SPLIT_OFF = "split_off"
    #: The other's posts are here now; the id is that of the first of them.
    MERGED_IN = "merged_in"


@dataclass(frozen=True, slots=True)
class TopicKin:
    """A topic that another one came from, or became part of."""

    tie: TopicTie
    id: int
    title: str


class TopicOrder(StrEnum):
    """How a list of topics is ordered, and which it holds."""

    #: All, the newest activity first.
    ACTIVE = "active"
    #: All, the newest topic first.
    NEW = "new"
    #: Those that a persona wrote in since a moment, the last answer first.
    FINISHED = "finished"
    #: Those with an LLM request that is still to be answered, the newest topic first.
    AWAITING = "awaiting"
    #: Those without any reply, the newest activity first.
    UNANSWERED = "unanswered"
    #: Those with an answer by a persona that the reader has not voted on, the last answer first.
    UNVOTED = "unvoted"


@dataclass(frozen=True, slots=True)
class Topic:
    """A titled discussion. ``post_count`` leaves deleted posts out; ``version`` grows with every change."""

    id: int
    subforum_id: int
    subforum_name: str
    owner_id: int
    author_name: str
    kind: TopicKind
    title: str
    created_at: datetime
    last_post_at: datetime
    post_count: int
    version: int
    deleted_at: datetime | None
    #: Stands first in its subforum.
    is_pinned: bool = False
    #: Takes no more posts by people and no more questions; what was asked before is still answered.
    is_locked: bool = False
    #: When a persona wrote last.
    last_answer_at: datetime | None = None
    #: The post that this topic's first post was a reply to before it was split off.
    split_from_post_id: int | None = None
    #: Where the posts are since it was merged into another topic: what was its first one.
    moved_to_post_id: int | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """One message. Of a deleted post the text, its rendering and its thinking are withheld (empty)."""

    id: int
    topic_id: int
    parent_id: int | None
    owner_id: int
    author_kind: AuthorKind
    #: The persona's name as it was when it wrote, else the person's.
    author_name: str
    content: str
    #: The rendered content, or None if it has not been rendered since it changed.
    content_html: str | None
    render_version: int
    #: Its place in the thread's order (see forllm_server.forum.threading).
    path: bytes
    #: 0 for the first post of a topic.
    depth: int
    #: Replies so far, deleted ones included.
    child_count: int
    created_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    #: Grows when it is edited, deleted or restored.
    version: int
    revision_count: int
    llm_request_id: int | None = None
    persona_id: int | None = None
    persona_version_id: int | None = None
    persona_name: str | None = None
    model_name: str | None = None
    parameters: Mapping[str, Any] | None = None
    thinking: str | None = None
    #: ``stop``, or ``length`` when the model ran out of tokens.
    finish_reason: str | None = None
    usage: Mapping[str, Any] | None = None
    #: A text that was cut off and that a person chose to keep.
    is_partial: bool = False
    #: The version of the parent that was answered.
    question_version: int | None = None
    #: Left out of prompts, except when it is the post asked about.
    is_excluded: bool = False

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    @property
    def is_root(self) -> bool:
        return self.parent_id is None

    @property
    def is_by_persona(self) -> bool:
        return self.author_kind is AuthorKind.PERSONA

    @property
    def cursor(self) -> str:
        """The path as text, for addresses: ``threading.path_from_cursor`` reads it back."""
        return self.path.hex()


@dataclass(frozen=True, slots=True)
class PostRevision:
    """An earlier text of a post; the present one is in the post. ``editor_name`` is who replaced it."""

    id: int
    post_id: int
    number: int
    content: str
    editor_id: int
    editor_name: str
    written_at: datetime
    replaced_at: datetime


@dataclass(frozen=True, slots=True)
class Ancestry:
    """The way from the first post of a topic to one post, both included; ``left_out`` are missing after the first."""

    posts: tuple[Post, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a persona says in reply to a post, with everything that tells how it came about."""

    llm_request_id: int
    owner_id: int
    parent_id: int
    content: str
    persona_version_id: int
    persona_name: str
    model_name: str
    parameters: Mapping[str, Any]
    thinking: str | None = None
    finish_reason: str | None = None
    usage: Mapping[str, Any] | None = None
    is_partial: bool = False
    question_version: int | None = None


class TrashKind(StrEnum):
    """What lies in the trash."""

    SUBFORUM = "subforum"
    TOPIC = "topic"
    POST = "post"
    #: A file of a post that is still there.
    ATTACHMENT = "attachment"
    PERSONA = "persona"


#: When something was deleted, its kind and its id. What is deleted together has one moment.
TrashPlace = tuple[datetime, str, int]


@dataclass(frozen=True, slots=True)
class TrashItem:
    """Something deleted that can still be restored.

    ``excerpt`` is the beginning of a post's text, of a file the title of its topic, else empty.
    """

    kind: TrashKind
    id: int
    #: The subforum's, persona's or file's name, the topic's title, or the title of the topic that the post belongs to.
    title: str
    excerpt: str
    deleted_at: datetime

    @property
    def place(self) -> TrashPlace:
        """Where it stands in the trash, for the page after it."""
        return self.deleted_at, self.kind.value, self.id
