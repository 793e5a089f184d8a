"""What changed between two texts, for the history of a post or a persona. Pure.

Lines are compared first, then the words of lines that changed. Comparing costs the product of both lengths, so what
exceeds the budget is shown as replaced whole.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

#: Comparisons (items of one text times items of the other) that one call may cost at each level.
LINE_BUDGET = 1_000_000
WORD_BUDGET = 1_000_000
#: Below this likeness two passages have nothing to do with each other, and matching "the" and "a" only confuses.
MIN_LIKENESS = 0.3

# A word takes the spaces after it along: as pieces of their own they would be too frequent to match.
_WORDS = re.compile(r"\w+[ \t]*|\s+|[^\w\s][ \t]*")


class Change(StrEnum):
    """What happened to a piece of text."""

    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True)
class DiffPart:
    """A piece of text, line ends included. The same and removed pieces in order are the old text; the same and
    added ones are the new text."""

    change: Change
    text: str


def diff_texts(old: str, new: str) -> tuple[DiffPart, ...]:
    """The pieces that turn ``old`` into ``new``; neighbours differ in their change and none is empty."""
    return tuple(_merged(_Comparison().lines(old, new)))


class _Comparison:
    def __init__(self) -> None:
        self._words_left = WORD_BUDGET

    def lines(self, old: str, new: str) -> Iterator[DiffPart]:
        old_lines, new_lines = old.splitlines(keepends=True), new.splitlines(keepends=True)
        start, end = _common_ends(old_lines, new_lines)
        yield DiffPart(Change.SAME, "".join(old_lines[:start]))
        old_middle, new_middle = old_lines[start : len(old_lines) - end], new_lines[start : len(new_lines) - end]
        if len(old_middle) * len(new_middle) > LINE_BUDGET:
            yield from _replaced(old_middle, new_middle)
        else:
            matcher = SequenceMatcher(None, old_middle, new_middle)
            for kind, i, j, k, m in matcher.get_opcodes():
                if kind == "equal":
                    yield DiffPart(Change.SAME, "".join(old_middle[i:j]))
                else:
                    yield from self._words("".join(old_middle[i:j]), "".join(new_middle[k:m]))
        yield DiffPart(Change.SAME, "".join(old_lines[len(old_lines) - end :]))

    def _words(self, old: str, new: str) -> Iterator[DiffPart]:
        old_words, new_words = _WORDS.findall(old), _WORDS.findall(new)
        cost = len(old_words) * len(new_words)
        if cost > self._words_left:
            yield from _replaced([old], [new])
            return
        self._words_left -= cost
        matcher = SequenceMatcher(None, old_words, new_words)
        if matcher.quick_ratio() < MIN_LIKENESS or matcher.ratio() < MIN_LIKENESS:
            yield from _replaced([old], [new])
            return
        for kind, i, j, k, m in matcher.get_opcodes():
            if kind == "equal":
                yield DiffPart(Change.SAME, "".join(old_words[i:j]))
            else:
                yield from _replaced(old_words[i:j], new_words[k:m])


def _common_ends(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    shorter = min(len(old), len(new))
    start = next((place for place in range(shorter) if old[place] != new[place]), shorter)
    rest = shorter - start
    end = next((place for place in range(rest) if old[-1 - place] != new[-1 - place]), rest)
    return start, end


def _replaced(old: Sequence[str], new: Sequence[str]) -> Iterator[DiffPart]:
    removed, added = "".join(old), "".join(new)
    # The space after a changed word has not changed.
    spaces = removed[len(removed.rstrip()) :], added[len(added.rstrip()) :]
    space = spaces[0] if spaces[0] == spaces[1] else ""
    yield DiffPart(Change.REMOVED, removed.removesuffix(space))
    yield DiffPart(Change.ADDED, added.removesuffix(space))
    yield DiffPart(Change.SAME, space)


def _merged(parts: Iterator[DiffPart]) -> Iterator[DiffPart]:
    waiting: DiffPart | None = None
    for part in parts:
        if not part.text:
            continue
        if waiting is not None and waiting.change == part.change:
            waiting = DiffPart(part.change, waiting.text + part.text)
            continue
        if waiting is not None:
            yield waiting
        waiting = part
    if waiting is not None:
        yield waiting
