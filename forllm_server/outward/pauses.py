"""How long to wait before something that could not be sent is tried again. Pure."""

from datetime import timedelta

_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(hours=6)


def wait_after(attempts: int) -> timedelta:
    """How long after the failed try number ``attempts`` the next one is."""
    return min(_FIRST_WAIT * (1 << (min(attempts, 20) - 1)), _LONGEST_WAIT)
