"""Whether every word of a text is still on its page. Pure, and linear in the length of both."""

import re
from collections.abc import Iterable
from html import unescape
from urllib.parse import unquote

from markdown_it import _punycode

# A tag as the sanitiser writes it: in its text every "<" is escaped, in its attribute values every quotation mark.
_TAG = re.compile(r'<[^"<>]*(?:"[^"]*"[^"<>]*)*>')
_ATTRIBUTE = re.compile(r' (?:href|src|title|alt|start|data-[a-z]+)="([^"]*)"')
_WORD = re.compile(r"[^\W_]+")
# An entity changes the letters beside it, so the words that touch one cannot be compared.
_BESIDE_ENTITY = re.compile(r"(?<!\w)\w*(?:&#?\w{1,32};\w*)+")
_PUNYCODE = re.compile(r"[\w.-]*xn--[\w.-]*", re.IGNORECASE)


def find_lost_words(source: str, page: str, explained: Iterable[str]) -> set[str]:
    """The words of the Markdown source (folded case) that are neither in the page's text nor in its link addresses,
    titles and labels, nor in ``explained``: texts that were turned into something else, such as a list number."""
    lost = _words(source)
    lost -= page_words(page)
    if lost:
        lost &= _words(_BESIDE_ENTITY.sub(" ", source))
    for text in explained if lost else ():
        lost -= _words(text)
    return lost


def page_words(page: str) -> set[str]:
    """The words (folded case) of sanitised HTML: of its text, with and without a gap at each tag, and attributes."""
    attributes = " ".join(_ATTRIBUTE.findall(page))
    text = unescape("\n".join((_TAG.sub(" ", page), _TAG.sub("", page), attributes)))
    decoded = unquote(attributes)
    hosts = " ".join(_readable_host(host) for host in _PUNYCODE.findall(attributes))
    return _words(text) | _words(decoded) | _words(unescape(decoded)) | _words(hosts)


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}


def _readable_host(host: str) -> str:
    try:
        return _punycode.to_unicode(host)
    except (ValueError, OverflowError):
        return host
