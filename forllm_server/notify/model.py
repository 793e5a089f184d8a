"""Where to tell something, what is told, and how its sending goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class ChannelKind(StrEnum):
    """How something is told."""

    #: JSON is posted to an address, signed with a key
    WEBHOOK = "webhook"
    #: a message to a topic of an ntfy server
    NTFY = "ntfy"
    #: a mail by way of an SMTP server
    EMAIL = "email"


class Occasion(StrEnum):
    """Why something is told."""

    NIGHT = "night"  #: a night has ended
    STALL = "stall"  #: work waits and nothing goes on
    TEST = "test"  #: a person pressed the button


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"  #: to be sent, or to be tried again
    SENT = "sent"  #: the other side has taken it
    FAILED = "failed"  #: given up


@dataclass(frozen=True)
class Channel:
    """One way to tell its owner something. ``secret_sealed`` is never shown, logged or put in a repr."""

    id: int
    owner_id: int
    kind: ChannelKind
    name: str
    options: Mapping[str, Any]
    secret_sealed: bytes | None = field(repr=False)
    tells_nights: bool
    tells_stalls: bool
    is_enabled: bool
    #: templates of the message about a night; empty: FORLLM's own words
    subject: str
    body: str
    created_at: datetime

    @property
    def has_secret(self) -> bool:
        return self.secret_sealed is not None

    @property
    def where(self) -> str:
        """Where it leads, in a few words."""
        options = self.options
        if self.kind is ChannelKind.EMAIL:
            return f"{', '.join(options['recipients'])} by way of {options['host']}"
        return f"{options['base_url']}/{options['topic']}" if self.kind is ChannelKind.NTFY else str(options["url"])


@dataclass(frozen=True)
class Message:
    """What is told. ``key`` names the occasion: a channel is told of it once. ``facts`` are JSON, for programs."""

    occasion: Occasion
    key: str
    subject: str
    body: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Delivery:
    """A message on its way to a channel, or there."""

    id: int
    channel_id: int
    occasion: Occasion
    key: str
    subject: str
    body: str
    facts: Mapping[str, Any]
    status: DeliveryStatus
    attempts: int
    created_at: datetime
    due_at: datetime | None
    ended_at: datetime | None
    problem: str | None
