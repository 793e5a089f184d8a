"""The shapes that the demo forum is written down in."""

from dataclasses import dataclass, field

from forllm_server.queue.model import Cause, Status

YOU = "You"


@dataclass(frozen=True)
class DemoAsk:
    """A question to a persona that was not answered (yet)."""

    persona: str
    status: Status = Status.QUEUED
    cause: Cause | None = None
    detail: str | None = None


@dataclass(frozen=True)
class DemoPost:
    """A post with what was said below it; ``minutes`` is how long after the post before it was written."""

    text: str
    author: str = YOU
    minutes: int = 10
    replies: tuple["DemoPost", ...] = ()
    asks: tuple[DemoAsk, ...] = ()


@dataclass(frozen=True)
class DemoTopic:
    """A topic that was opened ``hours`` before the demo was made."""

    title: str
    hours: int
    post: DemoPost


@dataclass(frozen=True)
class DemoSubforum:
    name: str
    description: str
    topics: tuple[DemoTopic, ...]
    default_persona: str | None = None


@dataclass(frozen=True)
class DemoPersona:
    """A persona and the instructions of its versions, oldest first, each with the note it was saved with."""

    name: str
    versions: tuple[tuple[str, str], ...]
    parameters: dict[str, float] = field(default_factory=dict)
