"""How far two who voted on the same pairs agree. Pure.

Cohen's kappa is (p - e) / (1 - e): p is the share of pairs on which both chose the same, e what that share would be by
chance alone, from how often each of them chose what (J. Cohen, "A Coefficient of Agreement for Nominal Scales",
Educational and Psychological Measurement 20, 1960).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from forllm_server.votes.model import Choice


@dataclass(frozen=True, slots=True)
class Agreement:
    """``share`` of ``number`` pairs on which both chose the same. ``kappa`` is None where chance explains everything:
    both always chose the same one thing."""

    number: int
    share: float
    kappa: float | None


def agreement(counts: Iterable[tuple[Choice, Choice, int]]) -> Agreement | None:
    """From (one's choice, the other's, how often); None without any. "Both bad" counts as a tie: a judge has no such
    choice."""
    first: Counter[Choice] = Counter()
    second: Counter[Choice] = Counter()
    same = 0
    for one, other, number in counts:
        one, other = (Choice.TIE if choice is Choice.BAD else choice for choice in (one, other))
        first[one] += number
        second[other] += number
        same += number if one is other else 0
    whole = first.total()
    if not whole:
        return None
    chance = sum(first[choice] * second[choice] for choice in first) / whole**2
    share = same / whole
    return Agreement(whole, share, None if chance == 1 else (share - chance) / (1 - chance))
