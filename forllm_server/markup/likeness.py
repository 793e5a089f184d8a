"""How much several texts have in common, in words. Pure.

This counts words and knows nothing of what they mean: two answers that say the same in other words share little, and
two that contradict each other by one "not" share nearly everything. Who shows it says so.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

#: Of a longer text only so many characters at its beginning are looked at.
COUNTED_CHARACTERS = 100_000
_WORD = re.compile(r"\w+")


def words_of(text: str) -> frozenset[str]:
    """The different words of a text, without regard to case."""
    return frozenset(_WORD.findall(text[:COUNTED_CHARACTERS].casefold()))


def most_alike(texts: Sequence[str]) -> int:
    """How many of the texts say the same, word for word, but for case and punctuation; at most all, at least 1."""
    said = Counter(tuple(_WORD.findall(text[:COUNTED_CHARACTERS].casefold())) for text in texts)
    return max((number for words, number in said.items() if words), default=1)


def agreement_words(texts: Sequence[str]) -> str:
    """``all say the same``, ``3 of 4 say the same``, ``62 % of the words in common``; empty for fewer than two."""
    alike = most_alike(texts)
    if len(texts) > 1 and alike == len(texts):
        return "all say the same"
    if alike > 1:
        return f"{alike} of {len(texts)} say the same"
    common = share_in_common(texts)
    return "" if common is None else f"{round(common * 100)} % of the words in common"


def share_in_common(texts: Sequence[str]) -> float | None:
    """The mean over all pairs of the share of words that both have (Jaccard 1901: common ÷ all), from 0 to 1.

    None for fewer than two texts with words.
    """
    sets = [words for words in map(words_of, texts) if words]
    pairs = [len(one & other) / len(one | other) for one, other in combinations(sets, 2)]
    return sum(pairs) / len(pairs) if pairs else None
