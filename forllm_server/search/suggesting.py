"""What a mistyped word may have meant: the words of the forum one or two mistakes away, the most frequent first. Pure.

A mistake is a letter too many, too few, another one, or two that changed places (Damerau 1964).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from forllm_server.search.query import Query, Term, tokens_of

#: Shorter words are too near to everything.
LEAST_LETTERS = 4
#: From this length on two mistakes are thinkable.
TWO_MISTAKES_LETTERS = 6
_LONGEST = 40


@dataclass(frozen=True)
class Vocabulary:
    """The words of a forum and how often each comes."""

    counts: Counter[str]
    by_beginning: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Vocabulary":
        """The words of ``texts``: folded, in lower case, without numbers."""
        # All in one: text by text it takes half as long again.
        known = Counter(tokens_of("\n".join(texts).lower()))
        counts = Counter({word: count for word, count in known.items() if len(word) <= _LONGEST and word.isalpha()})
        by_beginning: dict[str, list[str]] = {}
        for word in counts:
            by_beginning.setdefault(word[0], []).append(word)
        return cls(counts, by_beginning)

    def nearest(self, word: str) -> str | None:
        """The word that ``word`` was probably meant to be; None when it is one itself or nothing is near."""
        word = word.lower()
        if not LEAST_LETTERS <= len(word) <= _LONGEST or word in self.counts:
            return None
        near = self._one_mistake_away(word)
        if not near and len(word) >= TWO_MISTAKES_LETTERS:
            near = [other for other in self.by_beginning.get(word[0], ()) if distance(word, other, most=2) <= 2]
        return max(near, key=lambda other: (self.counts[other], other), default=None)

    def _one_mistake_away(self, word: str) -> list[str]:
        letters = self.by_beginning.keys()
        cuts = [(word[:place], word[place:]) for place in range(len(word) + 1)]
        changed = {left + right[1:] for left, right in cuts if right}
        changed |= {left + right[1] + right[0] + right[2:] for left, right in cuts if len(right) > 1}
        for left, right in cuts:
            changed |= {left + letter + rest for letter in letters for rest in (right, right[1:])}
        return [other for other in changed if other in self.counts]


def corrected(text: str, query: Query, vocabulary: Vocabulary) -> str | None:
    """``text``, which wrote ``query``, with its mistyped words replaced; None when none is known to be mistyped."""
    changes: list[tuple[Term, str]] = []
    for alternatives in query.wanted:
        for term in alternatives:
            words = [vocabulary.nearest(token) if not term.is_prefix else None for token in term.tokens]
            if any(words):
                meant = [word or token for word, token in zip(words, term.tokens, strict=True)]
                changes.append((term, " ".join(meant)))
    for term, words_meant in sorted(changes, key=lambda change: change[0].start, reverse=True):
        replaced = f'"{words_meant}"' if len(term.tokens) > 1 else words_meant
        text = text[: term.start] + replaced + text[term.end :]
    return " ".join(text.split()) if changes else None


def distance(first: str, second: str, *, most: int) -> int:
    """How many mistakes lie between two words; ``most`` + 1 when more than ``most`` do."""
    if abs(len(first) - len(second)) > most:
        return most + 1
    before_last: list[int] = []
    last = list(range(len(second) + 1))
    for row, letter in enumerate(first, start=1):
        present = [row]
        for column, other in enumerate(second, start=1):
            cost = min(last[column] + 1, present[column - 1] + 1, last[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == second[column - 2] and first[row - 2] == other:
                cost = min(cost, before_last[column - 2] + 1)
            present.append(cost)
        if min(present) > most:
            return most + 1
        before_last, last = last, present
    return min(last[-1], most + 1)
