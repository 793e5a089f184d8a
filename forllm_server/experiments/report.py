"""What an experiment showed: won, lost, even, with the interval in which the truth lies 19 times of 20. Pure.

The interval is Wilson's score interval for a share: E. B. Wilson, "Probable inference, the law of succession, and
statistical inference", Journal of the American Statistical Association 22 (1927), 209-212. It is of the votes with a
winner; those without ("equally good", "both bad") are told beside it and favour neither.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from forllm_server.experiments.model import Choice, Progress

_NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Report:
    """``share``: how many of the votes with a winner the new answers won, 0 to 1; None before the first of them."""

    won: int
    lost: int
    ties: int
    bad: int
    share: float | None
    low: float
    high: float

    @property
    def votes(self) -> int:
        return self.won + self.lost + self.ties + self.bad

    @property
    def decided(self) -> int:
        return self.won + self.lost

    @property
    def verdict(self) -> str:
        """What can be said, in a sentence."""
        if not self.votes:
            return "Nothing can be said before you have voted."
        if self.share is None:
            return "No vote has a winner yet: neither the old nor the new answers are preferred."
        if self.low > 0.5:
            return "The new answers are better: the whole interval lies above one half."
        if self.high < 0.5:
            return "The old answers are better: the whole interval lies below one half."
        return "Not told yet: the interval holds one half, so that either may be better."


def report_of(progress: Progress) -> Report:
    """The report of an experiment's votes."""
    return _report(progress.by_choice)


def _report(by_choice: Mapping[Choice, int]) -> Report:
    won, lost = by_choice.get(Choice.NEW, 0), by_choice.get(Choice.OLD, 0)
    low, high = wilson(won, won + lost)
    return Report(
        won=won,
        lost=lost,
        ties=by_choice.get(Choice.TIE, 0),
        bad=by_choice.get(Choice.BAD, 0),
        share=won / (won + lost) if won + lost else None,
        low=low,
        high=high,
    )


def wilson(won: int, number: int) -> tuple[float, float]:
    """The 95 % interval of a share of which ``won`` of ``number`` were seen; all of it before the first."""
    if not number:
        return 0.0, 1.0
    share, square = won / number, _NORMAL_95**2
    middle = share + square / (2 * number)
    half = _NORMAL_95 * math.sqrt(share * (1 - share) / number + square / (4 * number**2))
    scale = 1 + square / number
    return max((middle - half) / scale, 0.0), min((middle + half) / scale, 1.0)
