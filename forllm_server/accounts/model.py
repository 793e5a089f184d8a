"""A user, and the remembered answer to an API call that may be repeated."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class User:
    """A person who owns what they create. User 1 is the one in front of this machine."""

    id: int
    name: str
    created_at: datetime


@dataclass(frozen=True)
class RecordedResponse:
    """What was answered to the call that carried ``key`` in its ``Idempotency-Key`` header.

    ``route`` is the method and the path of that call, so that a key used again for something else is noticed.
    """

    owner_id: int
    key: str
    route: str
    status_code: int
    body: Any
    created_at: datetime
