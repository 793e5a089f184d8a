"""Atom feeds. Pure. Sources: RFC 4287 (Atom), RFC 4151 (tag URIs)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

NAMESPACE = "http://www.w3.org/2005/Atom"
CONTENT_TYPE = "application/atom+xml; charset=utf-8"
#: the day from which the names of tag URIs here are our own
_TAG_DAY = "2026-01-01"
#: XML 1.0 holds no other control characters, no lone surrogates and no non-characters
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Entry:
    """One entry. ``html`` is sanitized already."""

    id: str
    title: str
    url: str
    author: str
    published_at: datetime
    updated_at: datetime
    html: str
    category: str = ""


@dataclass(frozen=True)
class Feed:
    """A feed; ``updated_at`` for one without entries is when it could have had any."""

    id: str
    title: str
    own_url: str
    page_url: str
    updated_at: datetime
    entries: Sequence[Entry]


def tag(mark: str, *path: object) -> str:
    """``tag:<mark>.forllm.invalid,2026-01-01:post/12``: an id that stays when the forum moves."""
    return f"tag:{mark}.forllm.invalid,{_TAG_DAY}:{'/'.join(str(part) for part in path)}"


def to_xml(feed: Feed) -> bytes:
    """The feed as a document in UTF-8."""
    ElementTree.register_namespace("", NAMESPACE)
    root = ElementTree.Element(_name("feed"))
    _add(root, "id", feed.id)
    _add(root, "title", feed.title)
    newest = max((entry.updated_at for entry in feed.entries), default=feed.updated_at)
    _add(root, "updated", _moment(newest))
    _link(root, "self", feed.own_url, "application/atom+xml")
    _link(root, "alternate", feed.page_url, "text/html")
    _add(root, "generator", "FORLLM")
    for entry in feed.entries:
        _add_entry(root, entry)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _add_entry(root: ElementTree.Element, entry: Entry) -> None:
    element = ElementTree.SubElement(root, _name("entry"))
    _add(element, "id", entry.id)
    _add(element, "title", entry.title)
    _add(element, "published", _moment(entry.published_at))
    _add(element, "updated", _moment(entry.updated_at))
    _add(ElementTree.SubElement(element, _name("author")), "name", entry.author or "Somebody")
    _link(element, "alternate", entry.url, "text/html")
    if entry.category:
        ElementTree.SubElement(element, _name("category"), term=_clean(entry.category))
    content = _add(element, "content", entry.html)
    content.set("type", "html")


def _add(parent: ElementTree.Element, name: str, text: str) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, _name(name))
    element.text = _clean(text)
    return element


def _link(parent: ElementTree.Element, rel: str, url: str, kind: str) -> None:
    ElementTree.SubElement(parent, _name("link"), rel=rel, href=_clean(url), type=kind)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _name(local: str) -> str:
    return f"{{{NAMESPACE}}}{local}"
