"""Where a link or an image may lead. Pure.

Nothing on a page may fetch from a foreign host without a click: a remote image becomes a link that names the host.
"""

import re
from typing import Any
from urllib.parse import unquote, urlsplit

import mdurl
from markdown_it import MarkdownIt
from markdown_it.common.normalize_url import normalizeLink
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

SCHEMES = frozenset({"http", "https", "mailto", "tel", "xmpp"})
EXTERNAL_REL = "noopener noreferrer nofollow ugc"
#: The longest host name there is (RFC 1035); the parser's own encoder empties longer ones.
MAX_HOST_CHARS = 253

_SCHEME = re.compile(r"\s*([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?//(?:[^/?#]*@)?([^/?#]*)", re.IGNORECASE)
_ATTACHMENT = re.compile(r"/attachments/[A-Za-z0-9_~-][A-Za-z0-9._~/-]*")


def is_allowed_link(url: str) -> bool:
    """Whether the (normalised) address may be linked to: a listed scheme, or none at all."""
    scheme = _SCHEME.match(url)
    return scheme is None or scheme.group(1).lower() in SCHEMES


def is_attachment(url: str) -> bool:
    """Whether the address is an attachment of this site, the only images that a page loads."""
    return bool(_ATTACHMENT.fullmatch(url)) and ".." not in url and "//" not in url and "/./" not in url


def host_of(url: str) -> str | None:
    """The host (in punycode, without user name and port) that a link leads to, or None when it stays on this site.

    An address whose host cannot be read answers "", which callers must not link to.
    """
    if not url.startswith("//") and urlsplit_or_none(url, "scheme") not in {"http", "https"}:
        return None
    return urlsplit_or_none(url, "hostname") or ""


def urlsplit_or_none(url: str, part: str) -> str | None:
    """One part of the address, or None when it is absent or the address is malformed."""
    try:
        found = getattr(urlsplit(url), part)
    except ValueError:
        return None
    return found if isinstance(found, str) else None


def normalize_link(url: str) -> str:
    """The address percent-encoded, its host in punycode; one with an impossibly long host keeps it as written."""
    host = _HOST.match(url)
    if host is not None and len(host.group(1)) > MAX_HOST_CHARS:
        return mdurl.encode(url)
    return normalizeLink(url)


class LinkedMarkdown(MarkdownIt):
    """A parser that takes and refuses addresses by the rules above, and shows them as they were typed."""

    def normalizeLink(self, url: str) -> str:
        return normalize_link(url)

    def normalizeLinkText(self, link: str) -> str:
        return link

    def validateLink(self, url: str) -> bool:
        return is_allowed_link(url)


def link_plugin(md: MarkdownIt) -> None:
    """Apply the rules above to every link and image of the token stream."""
    md.core.ruler.push("forllm_links", _apply)
    md.add_render_rule("image", _render_image)


def _apply(state: StateCore) -> None:
    for token in state.tokens:
        if token.children:
            _apply_inline(token.children)


def _apply_inline(tokens: list[Token]) -> None:
    opened: list[Token] = []
    for token in tokens:
        if token.type == "link_open":
            opened.append(token)
            _mark_link(token)
        elif token.type == "link_close" and opened:
            token.tag = opened.pop().tag
        elif token.type == "image":
            token.meta["is_in_link"] = bool(opened)


def _mark_link(token: Token) -> None:
    href = str(token.attrGet("href") or "")
    host = host_of(href)
    if host == "":
        token.tag = "span"
        token.attrs = {"class": "link--refused", "title": href}
    elif host is not None:
        token.attrs |= {"class": "link--external", "rel": EXTERNAL_REL, "data-host": host}


def _render_image(self: Any, tokens: list[Token], place: int, options: Any, env: Any) -> str:
    token = tokens[place]
    source = str(token.attrGet("src") or "")
    alt = self.renderInlineAsText(token.children, options, env)
    title = str(token.attrGet("title") or "")
    if is_attachment(source):
        shown = Token("image", "img", 0, attrs={"src": source, "alt": alt, "class": "attachment-image"})
        shown.attrs |= {"loading": "lazy"} | ({"title": title} if title else {})
        return str(self.renderToken([shown], 0, options, env))
    return _image_as_link(self, source, alt, title, is_in_link=token.meta["is_in_link"], options=options, env=env)


def _image_as_link(self: Any, source: str, alt: str, title: str, *, is_in_link: bool, options: Any, env: Any) -> str:
    host = host_of(source)
    label = Token("text", "", 0, content=f"image: {alt or unquote(source).rpartition('/')[2]} ({host or 'this site'})")
    # A link cannot stand inside another one, so there the address is only told.
    tag = "span" if is_in_link or host == "" else "a"
    opened = Token("link_open", tag, 1, attrs={"class": "image-link"})
    if tag == "span":
        opened.attrs |= {"title": f"{source} {title}".strip()}
    else:
        external = {"class": "image-link link--external", "rel": EXTERNAL_REL, "data-host": host} if host else {}
        opened.attrs |= {"href": source} | external | ({"title": title} if title else {})
    return str(self.renderInline([opened, label, Token("link_close", tag, -1)], options, env))
