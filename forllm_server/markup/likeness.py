"""How much several texts have in common, in words. Pure.

This counts words and knows nothing of what they mean: two answers that say the same in other words share little, and
two that contradict each other by one "not" share nearly everything. Who shows it says so.
"""

import re
from collections.abc import Sequence
from itertools import combinations

#: Of a longer text only so many characters at its beginning are looked at.
COUNTED_CHARACTERS = 100_000
_WORD = re.compile(r"\w+")


def words_of(text: str) -> frozenset[str]:
    """The different words of a text, without regard to case."""
    return frozenset(_WORD.findall(text[:COUNTED_CHARACTERS].casefold()))


def share_in_common(texts: Sequence[str]) -> float | None:
    """The mean over all pairs of the share of words that both have (Jaccard 1901: common ÷ all), from 0 to 1.

    None for fewer than two texts with words.
    """
    sets = [words for words in map(words_of, texts) if words]
    pairs = [len(one & other) / len(one | other) for one, other in combinations(sets, 2)]
    return sum(pairs) / len(pairs) if pairs else None
