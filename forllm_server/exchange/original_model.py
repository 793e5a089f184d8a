"""What an original FORLLM's database holds, as far as it is imported. Ids are the original's own."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class OriginalSubforum:
    id: int
    name: str
    description: str


@dataclass(frozen=True)
class OriginalTopic:
    id: int
    subforum_id: int
    title: str
    created_at: datetime | None


@dataclass(frozen=True)
class OriginalPost:
    """A post; ``persona_id`` and ``model_name`` are set when a model wrote it."""

    id: int
    topic_id: int
    parent_id: int | None
    content: str
    created_at: datetime | None
    is_by_model: bool
    model_name: str | None
    persona_id: int | None
    attachment_names: tuple[str, ...]


@dataclass(frozen=True)
class OriginalPersonaVersion:
    id: int
    persona_id: int
    number: int
    name: str
    instructions: str
    created_at: datetime | None


@dataclass(frozen=True)
class OriginalPersona:
    """A persona with its versions, oldest first; the last one is the current text."""

    id: int
    name: str
    instructions: str
    created_at: datetime | None
    is_active: bool
    versions: tuple[OriginalPersonaVersion, ...]


@dataclass(frozen=True)
class OriginalAssignment:
    id: int
    subforum_id: int
    persona_id: int
    is_default: bool


@dataclass(frozen=True)
class OriginalLlmRequest:
    """``status`` is the original's: pending, processing, complete, error or pending_dependency."""

    id: int
    post_id: int | None
    status: str
    kind: str | None
    model_name: str | None
    persona_id: int | None
    requested_at: datetime | None
    processed_at: datetime | None
    error_message: str | None
    prompt: str | None


@dataclass(frozen=True)
class OriginalWindow:
    """Hours 0-23, days as the original writes them (``Mon,Tue``)."""

    id: int
    start_hour: int
    end_hour: int
    days: str
    is_enabled: bool


@dataclass(frozen=True)
class OriginalForum:
    """Everything read, and what the database is known by.

    ``fingerprints`` stay the same while the original goes on being used; the first is the most trusted.
    """

    fingerprints: tuple[str, ...]
    subforums: tuple[OriginalSubforum, ...]
    topics: tuple[OriginalTopic, ...]
    posts: tuple[OriginalPost, ...]
    personas: tuple[OriginalPersona, ...]
    assignments: tuple[OriginalAssignment, ...]
    llm_requests: tuple[OriginalLlmRequest, ...]
    windows: tuple[OriginalWindow, ...]
    settings: dict[str, str] = field(default_factory=dict)
