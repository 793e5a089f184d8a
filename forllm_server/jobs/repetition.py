"""Noticing that a model goes round in circles, from the text as it comes. Pure.

What counts is an exact loop at the very end of the text: some piece said again and again without a change. Prose that
does so for a few lines is broken; tables, code and drawings rightly repeat themselves, so they get far more room. Loops
that only count up ("12. And so on. 13. And so on.") are seen by treating all numbers as one, in prose alone.

The period of the end of a text is that of a prefix of the reversed text, which the prefix function gives in linear
time (Knuth, Morris, Pratt: Fast pattern matching in strings, 1977).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

#: The finish reason of an answer that was ended for it.
REPETITION = "repetition"
#: So much of the end is looked at; a check follows after so many new characters.
WINDOW_CHARACTERS = 6_000
EVERY_CHARACTERS = 200

_NUMBER = re.compile(r"\d+")
_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)
_SET_LINE = re.compile(r"^\s*\||^\t|^ {4}|\|\s*$|^[^\w\s]*$")


@dataclass(frozen=True)
class _Measure:
    """From when on it is a loop: so many times, over so many characters, with so many letters in the piece."""

    times: int
    characters: int
    letters: int = 0


_PROSE = _Measure(times=4, characters=800, letters=1)
_COUNTING = _Measure(times=10, characters=1_600, letters=20)
_SET = _Measure(times=12, characters=5_000)


@dataclass(frozen=True)
class Loop:
    """``kept_characters`` of the text are worth keeping: up to the end of the second time. ``times`` as far as seen."""

    piece: str
    times: int
    kept_characters: int


class RepetitionGuard:
    """Fed with pieces of an answer; tells once the answer loops."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._checked = 0

    def feed(self, piece: str) -> Loop | None:
        """Take the next piece; the loop that the text ends with, if it does."""
        self._parts.append(piece)
        self._length += len(piece)
        if self._length - self._checked < EVERY_CHARACTERS:
            return None
        self._checked = self._length
        text = "".join(self._parts)
        self._parts = [text]
        return find_loop(text)


def find_loop(text: str) -> Loop | None:
    """The loop that ``text`` ends with, or None."""
    tail = text[-WINDOW_CHARACTERS:]
    if len(tail) < _PROSE.characters:
        return None
    is_fenced = len(_FENCE.findall(text)) % 2 == 1
    if is_fenced or _is_set(tail[-_PROSE.characters :]):
        return _find(text, tail, _SET)
    return _find(text, tail, _PROSE) or _find(text, tail, _COUNTING, counts=True) or _find(text, tail, _SET)


def _find(text: str, tail: str, measure: _Measure, *, counts: bool = False) -> Loop | None:
    seen = _NUMBER.sub("0", tail) if counts else tail
    period, length = _longest_loop(seen, measure)
    if not period:
        return None
    piece = seen[-period:]
    if sum(letter.isalnum() for letter in piece) < measure.letters:
        return None
    times = length // period
    # Numbers have shrunk to a digit each: there the place in the text is only about right, and no more is kept.
    kept = len(text) - int(length * len(tail) / len(seen)) + 2 * period
    return Loop(piece, times, min(kept, len(text)))


def _longest_loop(text: str, measure: _Measure) -> tuple[int, int]:
    """(period, length) of the longest end of ``text`` that repeats often and long enough; (0, 0) without one."""
    reversed_text = text[::-1]
    borders = _prefix_function(reversed_text)
    for length in range(len(text), measure.characters - 1, -1):
        period = length - borders[length - 1]
        if period * measure.times <= length:
            return period, length
    return 0, 0


def _prefix_function(text: str) -> Sequence[int]:
    """For each prefix the length of its longest proper border."""
    borders = [0] * len(text)
    matched = 0
    for index in range(1, len(text)):
        letter = text[index]
        while matched and text[matched] != letter:
            matched = borders[matched - 1]
        if text[matched] == letter:
            matched += 1
        borders[index] = matched
    return borders


def _is_set(tail: str) -> bool:
    """Whether most of these lines are set in columns: a table, indented code, a drawing, a rule."""
    lines = [line for line in tail.split("\n") if line.strip()]
    return sum(bool(_SET_LINE.search(line)) for line in lines) * 2 > len(lines)
