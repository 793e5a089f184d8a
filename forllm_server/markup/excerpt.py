"""The first words of a Markdown text, without its marks, for lists and titles of windows. Pure."""

import re
import unicodedata
from html import unescape

#: How much of the source is looked at for each character wanted: marks and addresses take room.
_SOURCE_PER_CHAR = 8
_ELLIPSIS = "…"
_JOINERS = frozenset("\u200d\ufe0e\ufe0f")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

#: What a line is cleared of, in this order. Every repetition is bounded or unambiguous, so each is linear.
_LINE_MARKS = (
    re.compile(r"^[ \t]{0,3}(?:`{3,}|~{3,}).*$", re.MULTILINE),
    re.compile(r"^[ \t|:=*_-]{3,}$", re.MULTILINE),
    re.compile(r"^[ \t]*(?:>[ \t]?)+", re.MULTILINE),
    re.compile(r"^[ \t]*#{1,6}[ \t]+", re.MULTILINE),
    re.compile(r"^[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?", re.MULTILINE),
    re.compile(r"^\[\^?[^\]\n]{1,99}\]:[ \t]*", re.MULTILINE),
)
_LINK = re.compile(r"!?\[([^\[\]\n]{0,500})\](?:\([^()\n]{0,2000}\)|\[[^\[\]\n]{0,99}\])")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,99}\]")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^<>\s]{1,2000})>")
_EMPHASIS = re.compile(r"\*{1,3}|~~|`+|(?<![^\W_])_{1,3}|_{1,3}(?![^\W_])")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_PIPE = re.compile(r"[ \t]*\|[ \t]*")


def excerpt(source: str, *, max_chars: int) -> str:
    """At most ``max_chars`` characters of plain text on one line, ended by "…" when there is more.

    It is text, not HTML: a template must still escape it.
    """
    looked_at = max_chars * _SOURCE_PER_CHAR
    text = _LONE_SURROGATE.sub("\ufffd", source[:looked_at])
    for mark in _LINE_MARKS:
        text = mark.sub(" ", text)
    # As entities they are no marks until all marks are gone.
    text = _ESCAPE.sub(lambda escape: f"&#{ord(escape.group(1))};", text)
    # Twice, because a link may hold an image.
    text = _LINK.sub(r"\1", _LINK.sub(r"\1", text))
    text = _AUTOLINK.sub(r"\1", _FOOTNOTE.sub("", text))
    text = _PIPE.sub(" ", _EMPHASIS.sub("", text))
    plain = " ".join(unescape(text).split())
    return _cut(plain, max_chars, is_more=len(source) > looked_at)


def _cut(text: str, max_chars: int, *, is_more: bool) -> str:
    if len(text) <= max_chars and not is_more:
        return text
    end = min(len(text), max_chars - len(_ELLIPSIS))
    if end <= 0:
        return _ELLIPSIS[:max_chars]
    while end > 0 and end < len(text) and _is_inside_letter(text, end):
        end -= 1
    cut = text[:end]
    last_gap = cut.rfind(" ")
    # Whole words, unless that would leave little.
    if end < len(text) and text[end] != " " and last_gap > end // 2:
        cut = cut[:last_gap]
    return cut.rstrip() + _ELLIPSIS


def _is_inside_letter(text: str, place: int) -> bool:
    """Whether a cut here would part a letter from its accents or an emoji from what it is joined to."""
    letter = text[place]
    return bool(unicodedata.combining(letter)) or letter in _JOINERS or text[place - 1] == "\u200d"
