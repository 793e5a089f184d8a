"""Places between pages as the parts of a cursor. Pure."""

import math

from forllm_server.errors import Invalid
from forllm_server.search.model import Place

#: The kinds of the parts, for web/paging.py.
PARTS = (str, int)


def parts_of(place: Place | None) -> tuple[str, int] | None:
    """The parts of a cursor; the rank in hexadecimal, which loses nothing."""
    return (place.rank.hex(), place.post_id) if place else None


def place_from(parts: tuple[str, int] | None) -> Place | None:
    """The place that a cursor's parts name. Raises Invalid (field ``after``) for a rank that is no number."""
    if parts is None:
        return None
    try:
        rank = float.fromhex(parts[0])
    except (ValueError, OverflowError):
        rank = math.nan
    if not math.isfinite(rank):
        raise Invalid("This cannot be read. Take it exactly as FORLLM gave it, or leave it out.", field="after")
    return Place(rank, parts[1])
