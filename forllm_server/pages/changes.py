"""What was changed between two texts, line by line, with the words that differ inside a line. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

#: Comparing costs the product of both lengths: texts beyond this many pairs of lines are shown as replaced whole,
#: and the words of lines are looked at until so many pairs of words were compared.
_MOST_LINE_PAIRS = 4_000_000
_MOST_WORD_PAIRS = 4_000_000
#: unchanged lines shown around a change
_CONTEXT = 2
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
_LONGEST_LINE = 2_000


@dataclass(frozen=True)
class DiffLine:
    """``kind`` is same, added, removed or gap; ``pieces`` are (text, whether it differs) pairs."""

    kind: str
    pieces: tuple[tuple[str, bool], ...]


def diff_lines(before: str, after: str) -> list[DiffLine]:
    """The lines of a comparison; long unchanged stretches become one gap."""
    old, new = before.splitlines(), after.splitlines()
    if len(old) * len(new) > _MOST_LINE_PAIRS:
        return [_line("removed", text) for text in old] + [_line("added", text) for text in new]
    words = _Words()
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    lines: list[DiffLine] = []
    steps = matcher.get_opcodes()
    for number, (tag, i1, i2, j1, j2) in enumerate(steps):
        if tag == "equal":
            lines += _unchanged(old[i1:i2], is_first=number == 0, is_last=number == len(steps) - 1)
        elif tag == "replace" and i2 - i1 == j2 - j1:
            lines += _changed_pairs(old[i1:i2], new[j1:j2], words)
        else:
            lines += [_line("removed", text) for text in old[i1:i2]]
            lines += [_line("added", text) for text in new[j1:j2]]
    return lines


@dataclass(frozen=True)
class DiffHunk:
    """Neighbouring lines as they stand beside each other; where nothing changed both sides are the same."""

    before: tuple[DiffLine, ...]
    after: tuple[DiffLine, ...]
    is_change: bool = False

    @property
    def is_gap(self) -> bool:
        return self.before[:1] != () and self.before[0].kind == "gap"


def diff_hunks(lines: Sequence[DiffLine]) -> list[DiffHunk]:
    """The lines of a comparison, for two columns. What was removed stands beside what was added in its place."""
    hunks: list[DiffHunk] = []
    for kind, group in groupby(lines, key=lambda line: line.kind if line.kind in ("same", "gap") else ""):
        found = tuple(group)
        if kind:
            hunks += [DiffHunk(found, found)] if kind == "same" else [DiffHunk((line,), ()) for line in found]
        else:
            removed = tuple(line for line in found if line.kind == "removed")
            hunks.append(DiffHunk(removed, tuple(line for line in found if line.kind == "added"), is_change=True))
    return hunks


def _unchanged(texts: list[str], *, is_first: bool, is_last: bool) -> Iterator[DiffLine]:
    head = 0 if is_first else _CONTEXT
    tail = 0 if is_last else _CONTEXT
    hidden = len(texts) - head - tail
    if hidden <= 1:
        yield from (_line("same", text) for text in texts)
        return
    yield from (_line("same", text) for text in texts[:head])
    yield _line("gap", f"{hidden:,} unchanged lines")
    yield from (_line("same", text) for text in texts[len(texts) - tail :])


def _changed_pairs(old: list[str], new: list[str], words: "_Words") -> list[DiffLine]:
    pairs = [words.compared(before, after) for before, after in zip(old, new, strict=True)]
    return [removed for removed, _ in pairs] + [added for _, added in pairs]


class _Words:
    """Compares the words of lines, as long as that is cheap."""

    def __init__(self) -> None:
        self._left = _MOST_WORD_PAIRS

    def compared(self, before: str, after: str) -> tuple[DiffLine, DiffLine]:
        """The removed and the added line with what differs in them."""
        old, new = _WORDS.findall(before), _WORDS.findall(after)
        cost = len(old) * len(new)
        if max(len(before), len(after)) > _LONGEST_LINE or cost > self._left:
            return _line("removed", before), _line("added", after)
        self._left -= cost
        removed: list[tuple[str, bool]] = []
        added: list[tuple[str, bool]] = []
        for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            is_different = tag != "equal"
            removed.append(("".join(old[i1:i2]), is_different))
            added.append(("".join(new[j1:j2]), is_different))
        return DiffLine("removed", _whole(removed)), DiffLine("added", _whole(added))


def _whole(pieces: list[tuple[str, bool]]) -> tuple[tuple[str, bool], ...]:
    return tuple((text, is_different) for text, is_different in pieces if text)


def _line(kind: str, text: str) -> DiffLine:
    return DiffLine(kind, ((text, False),))
