"""Cleaning what people type: names on one line and texts of many. Pure.

A name is compared through ``name_key`` so that two names which look the same cannot stand side by side;
a text is kept as written, except for what no database or page can carry.
"""

import re
import unicodedata

from forllm_server.errors import Invalid

#: The most that one text may weigh in UTF-8; larger texts are files, not posts.
MAX_TEXT_BYTES = 256 * 1024

#: Letters by category that are drawn as nothing: Hangul fillers and the blank Braille pattern.
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
#: Emoji and several scripts are spelled with these joiners, so inside such words they are kept.
_JOINERS = frozenset("\u200c\u200d")
#: Categories of characters that are not drawn: control, format (bidi overrides, zero-width), lone surrogate.
_UNDRAWN = frozenset({"Cc", "Cf", "Cs"})
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def clean_name(text: str, *, field: str, max_chars: int) -> str:
    """The name to store: NFKC, one line, single spaces, no control, bidirectional or zero-width characters.

    Raises Invalid (with ``field``) when nothing visible is left or more than ``max_chars`` characters are.
    """
    spaced = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text))
    drawn = "".join(letter for place, letter in enumerate(spaced) if _is_kept(spaced, place))
    name = " ".join(unicodedata.normalize("NFKC", drawn).split())
    _refuse_blank(name, field)
    _refuse_long(name, field, max_chars)
    return name


def name_key(text: str) -> str:
    """What a name is compared and looked up by: NFKC, folded case, single spaces, no undrawn characters."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    drawn = "".join(letter for letter in folded if letter.isspace() or unicodedata.category(letter) not in _UNDRAWN)
    return " ".join(unicodedata.normalize("NFKC", drawn).casefold().split())


def clean_text(text: str, *, field: str, max_chars: int = MAX_TEXT_BYTES) -> str:
    """The text to store: line ends are LF; NUL and lone surrogates become U+FFFD, which every database can hold.

    Raises Invalid (with ``field``) when nothing visible is left, or it has more than ``max_chars`` characters or
    weighs more than MAX_TEXT_BYTES in UTF-8.
    """
    cleaned = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")
    cleaned = _LONE_SURROGATE.sub("\ufffd", cleaned)
    _refuse_blank(cleaned, field)
    _refuse_long(cleaned, field, max_chars)
    size_bytes = len(cleaned.encode())
    if size_bytes > MAX_TEXT_BYTES:
        raise Invalid(
            f"The {_label(field)} weighs {size_bytes:,} bytes; at most {MAX_TEXT_BYTES:,} are taken. "
            "Split it into several.",
            field=field,
        )
    return cleaned


def drawn_text(text: str) -> str:
    """A foreign text without what is not drawn: a model would read it, and a person who looks it over would not."""
    return "".join(letter for place, letter in enumerate(text) if letter in "\n\t" or _is_kept(text, place))


def _is_kept(text: str, place: int) -> bool:
    letter = text[place]
    if letter in _JOINERS:
        return 0 < place < len(text) - 1 and _may_be_joined(text[place - 1]) and _may_be_joined(text[place + 1])
    return unicodedata.category(letter) not in _UNDRAWN


def _may_be_joined(letter: str) -> bool:
    return not letter.isascii() and not letter.isspace() and unicodedata.category(letter) not in _UNDRAWN


#: What is said where something has to be written.
_BLANK = {
    "content": "There is no text yet. Write something, then send it again.",
    "title": "There is no title yet. Give it a few words by which it is found again.",
    "name": "There is no name yet. Give it one.",
}


def _refuse_blank(text: str, field: str) -> None:
    for letter in text:
        if not letter.isspace() and letter not in _BLANK_LETTERS and unicodedata.category(letter) not in _UNDRAWN:
            return
    raise Invalid(_BLANK.get(field, f"The {_label(field)} is empty. Write something."), field=field)


def _refuse_long(text: str, field: str, max_chars: int) -> None:
    if len(text) > max_chars:
        raise Invalid(
            f"The {_label(field)} is {len(text):,} characters long; at most {max_chars:,} fit. "
            f"Shorten it by {len(text) - max_chars:,}.",
            field=field,
        )


def _label(field: str) -> str:
    return field.replace("_", " ")
