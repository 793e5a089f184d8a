"""The only wall clock. Everything that needs the time asks here or is handed it, so that tests can move it."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds from an arbitrary start that never run backwards: for silences and leases held in memory."""
    return time.monotonic()
