"""The parts of a bar, laid end to end. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class BarPart:
    """``start`` and ``width`` are percent of the whole."""

    label: str
    amount: int
    start: float
    width: float
    hue: str


def bar_parts(named: Iterable[tuple[str, int]], whole: int) -> list[BarPart]:
    """One part for each (label, amount) that is not nothing; the whole is ``whole``, or their sum if that is more."""
    amounts = [(label, amount) for label, amount in named if amount > 0]
    total = max(whole, sum(amount for _, amount in amounts), 1)
    parts: list[BarPart] = []
    start = 0.0
    for number, (label, amount) in enumerate(amounts):
        width = 100 * amount / total
        parts.append(BarPart(label, amount, round(start, 2), round(width, 2), f"hue-{_HUES[number % len(_HUES)]}"))
        start += width
    return parts


#: hues that are easy to tell apart side by side
_HUES = (3, 4, 2, 5, 0, 8, 7)
