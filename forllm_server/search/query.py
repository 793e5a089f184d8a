"""The language of searches, read into a :class:`Query`. Pure: no text whatever is an error of syntax.

::

    query        = { filter | term | alternatives }
    alternatives = term "OR" term { "OR" term }
    term         = ["-"] ( word ["*"] | phrase ["*"] )
    phrase       = '"' anything but a quote ( '"' | end of the query )
    filter       = ["-"] name ":" value          value: a word or a phrase, directly after the colon

All of it must hold (AND); ``OR``, in capitals, joins the terms beside it and binds more closely. ``-`` leaves out what
fits. ``*`` stands for the rest of a word. A word of several parts (``foo-bar``, ``config.py``) is the phrase of its
parts. Capitals, accents and English endings do not matter (the index sees to the last). The names of filters are
:class:`FilterName`'s; a filter given twice holds when either does. What only looks like a filter is searched as words,
with a hint that says so.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum

from forllm_server.errors import Invalid

LONGEST_QUERY = 1_000
MOST_TERMS = 32
#: Fewer letters before a * would mean half the dictionary.
LEAST_BEFORE_STAR = 3


class FilterName(StrEnum):
    """What a search can be narrowed to."""

    #: a subforum
    IN = "in"
    #: who answered
    PERSONA = "persona"
    #: what it was answered with
    MODEL = "model"
    #: ``me``: posts by the person who searches
    BY = "by"
    #: written before a day, a month or a year began
    BEFORE = "before"
    #: written since a day, a month or a year began
    AFTER = "after"
    #: a state of the post, see :data:`STATES`
    IS = "is"
    #: something that the text contains, see :data:`CONTENTS`
    HAS = "has"


#: What ``is:`` knows.
STATES = ("unanswered", "failed", "partial", "bookmarked")
#: What ``has:`` knows.
CONTENTS = ("code", "file")
_VALUES = {FilterName.IS: STATES, FilterName.HAS: CONTENTS, FilterName.BY: ("me",)}


@dataclass(frozen=True, slots=True)
class Term:
    """Words that stand side by side. ``start`` and ``end`` are its place in the query's text."""

    #: at least one; folded, letters and digits only
    tokens: tuple[str, ...]
    is_prefix: bool = False
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition other than words."""

    name: FilterName
    value: str
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. Empty when there is nothing to look for."""

    #: each of them must be found; one is found when any of its alternatives is
    wanted: tuple[tuple[Term, ...], ...] = ()
    #: none of these may be found
    unwanted: tuple[Term, ...] = ()
    filters: tuple[Filter, ...] = ()
    #: sentences for the searcher about what was understood otherwise than it may have been meant
    hints: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.wanted or self.unwanted or self.filters)


_ITEM = re.compile(
    r'(?P<minus>-)?(?:(?P<name>[A-Za-z]{1,20}):(?=[^\s:/]))?(?:"(?P<phrase>[^"]*)(?:"(?P<star>\*)?|$)|(?P<word>[^\s"]+))'
)
_TOKEN = re.compile(r"[^\W_]+")
_ACCENTS = re.compile("[\u0300-\u036f]")
_QUOTES = str.maketrans("“”„«»", '"' * 5)
_DAY = re.compile(r"\d{4}(-\d{1,2}(-\d{1,2})?)?")


def parse(text: str) -> Query:
    """The query that ``text`` writes. Raises Invalid (field ``q``) for one that is too long to be meant."""
    if len(text) > LONGEST_QUERY:
        raise Invalid(
            f"This search has {len(text):,} characters; at most {LONGEST_QUERY:,} are possible. Shorten it.", field="q"
        )
    reading = _Reading()
    for match in _ITEM.finditer(_cleared(text)):
        reading.take(match)
    return reading.query()


def tokens_of(text: str) -> tuple[str, ...]:
    """The words of ``text``, without accents; the same division as the index makes."""
    return tuple(_TOKEN.findall(fold(text)))


def fold(text: str) -> str:
    """``text`` without accents on its letters."""
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", text)))


def quoted(value: str) -> str:
    """``value`` as it is written after a filter's colon."""
    return value if re.fullmatch(r'[^\s"]+', value) else '"' + value.replace('"', " ") + '"'


def with_open_end(query: Query) -> Query:
    """The query of somebody who is still typing: its last word may go on."""
    if not query.wanted or len(query.wanted[-1]) > 1 or _letters(query.wanted[-1][0]) < LEAST_BEFORE_STAR:
        return query
    last = query.wanted[-1][0]
    open_end = Term(last.tokens, True, last.start, last.end)
    return Query((*query.wanted[:-1], (open_end,)), query.unwanted, query.filters, query.hints)


def _cleared(text: str) -> str:
    """Every character that no word can have as a space, so that places in the text stay what they are."""
    plain = text.translate(_QUOTES)
    return "".join(" " if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in plain)


def _letters(term: Term) -> int:
    return len(term.tokens[-1])


@dataclass
class _Reading:
    """A query as far as it has been read."""

    wanted: list[list[Term]] = field(default_factory=list)
    unwanted: list[Term] = field(default_factory=list)
    filters: list[Filter] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    #: an OR was read whose right side is awaited
    is_joining: bool = False
    #: the item before was a wanted term, so that an OR may follow
    may_join: bool = False

    def take(self, match: "re.Match[str]") -> None:
        """Read one item."""
        name = (match["name"] or "").lower()
        if match[0] == "OR":
            self.is_joining, self.may_join = self.is_joining or self.may_join, False
            return
        value = match["phrase"] if match["phrase"] is not None else match["word"]
        if name in set(FilterName) and self._take_filter(FilterName(name), value, is_negated=bool(match["minus"])):
            self.is_joining = self.may_join = False
            return
        if name and name not in set(FilterName):
            known = ", ".join(FilterName)
            self.hints.append(f"There is no filter “{name}:”, so it was searched as words. The filters are: {known}.")
        if not name and match["word"] and value.endswith(":") and value[:-1].lower() in set(FilterName):
            self.hints.append(f"After “{value}” comes what is meant, without a space; it was searched as a word.")
        self._take_term(match, f"{name} {value}" if name else value)

    def _take_filter(self, name: FilterName, value: str, *, is_negated: bool) -> bool:
        value = value.strip()
        known = _VALUES.get(name)
        if known is not None and value.lower() not in known:
            self.hints.append(f"After “{name}:” can stand {_listed(known)}; “{value}” was searched as words.")
            return False
        if name in (FilterName.BEFORE, FilterName.AFTER) and not is_day(value):
            self.hints.append(
                f"After “{name}:” comes a day, a month or a year, like 2026-10-03, 2026-10 or 2026; "
                f"“{value}” was searched as words."
            )
            return False
        if not value:
            return False
        self.filters.append(Filter(name, value.lower() if known is not None else value, is_negated))
        return True

    def _take_term(self, match: "re.Match[str]", text: str) -> None:
        tokens = tokens_of(text)
        if not tokens:
            return
        is_prefix = bool(match["star"]) or bool(match["word"] and match["word"].endswith("*"))
        if is_prefix and len(tokens[-1]) < LEAST_BEFORE_STAR:
            self.hints.append(f"A * needs at least {LEAST_BEFORE_STAR} letters before it.")
            is_prefix = False
        term = Term(tokens, is_prefix, match.start(), match.end())
        if match["minus"]:
            self.unwanted.append(term)
            self.is_joining = self.may_join = False
            return
        if self.is_joining:
            self.wanted[-1].append(term)
        else:
            self.wanted.append([term])
        self.is_joining, self.may_join = False, True

    def query(self) -> Query:
        """All that was read. Raises Invalid when it is too much."""
        terms = sum(len(alternatives) for alternatives in self.wanted) + len(self.unwanted) + len(self.filters)
        if terms > MOST_TERMS:
            raise Invalid(
                f"This search has {terms:,} words and filters; at most {MOST_TERMS} are possible. Leave some out.",
                field="q",
            )
        wanted = tuple(tuple(alternatives) for alternatives in self.wanted)
        hints = tuple(dict.fromkeys(self.hints))
        return Query(wanted, tuple(self.unwanted), tuple(self.filters), hints)


def is_day(value: str) -> bool:
    """Whether ``value`` names a day, a month or a year that exists."""
    if not (value.isascii() and _DAY.fullmatch(value)):
        return False
    year, month, day = day_parts(value)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return 1000 <= year <= 9000 and 1 <= month <= 12 and 1 <= day <= lengths[month - 1]


def day_parts(value: str) -> tuple[int, int, int]:
    """Year, month and day at which ``value`` begins."""
    year, month, day = ([int(part) for part in value.split("-")] + [1, 1])[:3]
    return year, month, day


def _listed(words: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
