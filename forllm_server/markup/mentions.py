"""Who is called in a text: ``@skeptic``, ``@careful-skeptic``, ``@"Careful Skeptic"``, and chains ``@a>@b``. Pure.

What stands in code or in a quote calls nobody: a text that is quoted called already, where it was written.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from forllm_server.markup.names import name_key

#: The most mentions that are read from one text.
MOST_MENTIONS = 20

_NAME = r'@(?:"(?P<quoted{n}>[^"\n@]{{1,100}})"|(?P<plain{n}>\w(?:[\w.-]{{0,98}}\w)?))'
# Not in an address, an e-mail address or after a backslash, which takes a sign's meaning away.
_FIRST = re.compile(r"(?<![\w@/.\\+-])" + _NAME.format(n=""))
_NEXT = re.compile(r"[>:]" + _NAME.format(n=""))
_FENCE = re.compile(r"\s*(?:(?:[-*+]|\d{1,9}[.)])\s+)*(`{3,}|~{3,})(.*)")
_QUOTE = re.compile(r" {0,3}>")
_BACKTICKS = re.compile(r"`+")
_NO_WORDS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Mention:
    """One call. ``names`` has one entry, or those of a chain in order: each answers the one before it."""

    names: tuple[str, ...]

    @property
    def is_chain(self) -> bool:
        return len(self.names) > 1

    def __str__(self) -> str:
        return ">".join(f"@{name}" if _FIRST.fullmatch(f"@{name}") else f'@"{name}"' for name in self.names)


def find_mentions(text: str) -> tuple[Mention, ...]:
    """The mentions of a text in order, each once, at most MOST_MENTIONS."""
    found: dict[tuple[str, ...], Mention] = {}
    for paragraph in _spoken_paragraphs(text):
        for mention in _mentions(_without_code_spans(paragraph)):
            found.setdefault(tuple(slug(name) for name in mention.names), mention)
            if len(found) == MOST_MENTIONS:
                return tuple(found.values())
    return tuple(found.values())


def find_calls(text: str, *, start: int = 0) -> Iterator[tuple[int, int]]:
    """Where in a text that is neither code nor quoted somebody is called, from ``start`` on; a chain is several."""
    place = start
    while (first := _FIRST.search(text, place)) is not None:
        yield first.start(), first.end()
        place = first.end()
        while (following := _NEXT.match(text, place)) is not None:
            # Without the sign that joins them.
            yield following.start() + 1, following.end()
            place = following.end()


def called_name(call: str) -> str:
    """The name in a call as it is written: of ``@skeptic`` and of ``@"Careful Skeptic"``."""
    return call.removeprefix("@").strip('"').strip()


def slug(name: str) -> str:
    """A name as one word: ``Careful Skeptic`` is ``careful-skeptic``. Two names may have the same."""
    return _NO_WORDS.sub("-", name_key(name)).strip("-")


def handle(name: str) -> str:
    """How a persona is called in a text, with its ``@``: by its slug where that can be written, else in quotes."""
    word = f"@{slug(name)}"
    return word if _FIRST.fullmatch(word) else f'@"{name}"'


def _mentions(text: str) -> Iterator[Mention]:
    place = 0
    while (first := _FIRST.search(text, place)) is not None:
        names = [_name(first)]
        place = first.end()
        while (following := _NEXT.match(text, place)) is not None:
            names.append(_name(following))
            place = following.end()
        yield Mention(tuple(names))


def _name(match: re.Match[str]) -> str:
    return (match["quoted"] or match["plain"]).strip()


def _spoken_paragraphs(text: str) -> Iterator[str]:
    """The paragraphs outside of fences and quotes."""
    fence = ""
    lines: list[str] = []
    for line in text.splitlines():
        mark = _FENCE.fullmatch(line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
            continue
        if mark and not (mark[1][0] == "`" and "`" in mark[2]):
            fence = mark[1]
        elif line.strip() and not _QUOTE.match(line):
            lines.append(line)
            continue
        yield "\n".join(lines)
        lines = []
    yield "\n".join(lines)


def _without_code_spans(text: str) -> str:
    """The text without what stands between two equally long runs of backticks (CommonMark 6.1)."""
    runs = list(_BACKTICKS.finditer(text))
    places: dict[int, list[int]] = {}
    for number in range(len(runs) - 1, -1, -1):
        places.setdefault(len(runs[number][0]), []).append(number)
    kept: list[str] = []
    start = number = 0
    while number < len(runs):
        closers = places[len(runs[number][0])]
        while closers and closers[-1] <= number:
            closers.pop()
        if closers:
            kept.append(text[start : runs[number].start()])
            number = closers[-1]
            start = runs[number].end()
        number += 1
    # A space, so that what stood around the code does not grow together.
    return " ".join([*kept, text[start:]])
