"""What listens, what it is called for, and how each call goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

#: What can be listened to → when it happens. The names are those that a call carries.
EVENTS: Mapping[str, str] = {
    "topic.opened": "a topic was opened, by a person, a batch or a recurrence",
    "reply.posted": "a reply was posted, by a person or a persona",
    "post.edited": "a post has another text",
    "post.deleted": "a post was put into the trash",
    "llm_request.failed": "a question to a model ended in an error",
    "batch.finished": "every line of a batch has its answer or an end",
    "window.opened": "the hours of a first backend have begun",
    "window.closed": "the hours of the last backend have ended",
    "night.over": "a night is over and its report is there",
}
#: What a person's test carries.
TEST = "test"


class HookKind(StrEnum):
    """How another program is called."""

    COMMAND = "command"  #: a program of this machine, with JSON as its input
    WEBHOOK = "webhook"  #: JSON is posted to an address, signed with a key


class CallStatus(StrEnum):
    """Where a call stands."""

    WAITING = "waiting"  #: to be made, under way, or to be tried again
    DONE = "done"  #: the other program has taken it
    FAILED = "failed"  #: given up
    STOPPED = "stopped"  #: not made: the hook's own calls brought it about


@dataclass(frozen=True)
class Hook:
    """What listens. ``secret_sealed`` is never shown, logged or put in a repr."""

    id: int
    owner_id: int
    kind: HookKind
    name: str
    events: tuple[str, ...]
    #: a command's words as they were typed; empty for a webhook
    command: str
    #: where a webhook leads; empty for a command
    url: str
    may_be_local: bool
    secret_sealed: bytes | None = field(repr=False)
    #: after which a call is broken off
    timeout_seconds: int
    #: after so many failures it is given up
    most_attempts: int
    #: how often it is called again for what its own calls bring about
    most_repeats: int
    is_enabled: bool
    #: until then one of its calls is under way, at most
    busy_until: datetime | None
    #: by which process
    busy_by: str | None
    created_at: datetime

    @property
    def has_secret(self) -> bool:
        return self.secret_sealed is not None

    @property
    def where(self) -> str:
        """What it calls."""
        return self.command if self.kind is HookKind.COMMAND else self.url


@dataclass(frozen=True)
class NewCall:
    """A call that is put in line; see :class:`Call`."""

    hook_id: int
    event: str
    event_id: str
    facts: Mapping[str, Any]
    chain: tuple[int, ...]
    #: why it is not to be made
    stopped: str | None = None


@dataclass(frozen=True)
class Call:
    """One call of a hook: to be made, or made."""

    id: int
    hook_id: int
    event: str
    #: the same at every attempt, so that a call that arrives twice can be told
    event_id: str
    #: ids and other small values; texts are read when the call is made
    facts: Mapping[str, Any]
    #: the hooks whose calls led to this one, in order; the last one is its own
    chain: tuple[int, ...]
    status: CallStatus
    attempts: int
    created_at: datetime
    #: when it is tried next; while it is under way, when another process may try
    due_at: datetime | None
    ended_at: datetime | None
    problem: str | None


@dataclass(frozen=True)
class Attempt:
    """How calling went once."""

    id: int
    call_id: int
    started_at: datetime
    seconds: float
    is_ok: bool
    #: a command's exit code or the status of HTTP; None: there is none
    code: int | None
    #: the end of what a command wrote, or the beginning of a webhook's answer
    output: str
    is_truncated: bool
    problem: str
