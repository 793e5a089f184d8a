"""What a rendered page must never hold, and the words that it must."""

import re
from urllib.parse import unquote

from bs4 import BeautifulSoup, Tag

_ELEMENT_NAMES = (
    "p br hr h1 h2 h3 h4 h5 h6 blockquote pre code em strong s ul ol li a img table thead tbody tr th td div "
    "span sup section math semantics annotation mrow mi mn mo mtext mspace mfrac msqrt mroot msub msup msubsup "
    "munder mover munderover mtable mtr mtd mstyle mpadded mphantom menclose merror mmultiscripts mprescripts "
    "none "
)
_ELEMENTS = set(_ELEMENT_NAMES.split())
_LOADING = {"src", "srcset", "poster", "background", "data", "action", "formaction", "ping", "xlink:href", "style"}
_SCHEME = re.compile(r"^[\x00-\x20]*([a-zA-Z][a-zA-Z0-9+.-]*)\s*:")


def dangers(page: str) -> list[str]:
    """Everything on the page that could run, load from elsewhere, or lead to an address that is not allowed."""
    found = []
    # In an element of its own, because the parser warns about a page that looks like an address.
    for element in BeautifulSoup(f"<main>{page}", "html.parser").find_all(True)[1:]:
        if element.name not in _ELEMENTS:
            found.append(f"element {element.name}")
        for name, raw in element.attrs.items():
            value = " ".join(raw) if isinstance(raw, list) else str(raw)
            if name.startswith(("on", "hx-", "data-hx")):
                found.append(f"handler {name}={value}")
            elif name in _LOADING and not _is_attachment(element.name, name, value):
                found.append(f"loads {name}={value}")
            elif name == "href":
                found += _link_dangers(element, value)
            elif name == "id" and not value.startswith("fn"):
                found.append(f"id {value}")
    return found


def _is_attachment(element: str, name: str, value: str) -> bool:
    path = unquote(value)
    return element == "img" and name == "src" and path.startswith("/attachments/") and ".." not in path


def _link_dangers(element: Tag, value: str) -> list[str]:
    scheme = _SCHEME.match(value)
    if element.name != "a":
        return [f"href on {element}"]
    if scheme and scheme.group(1).lower() not in {"http", "https", "mailto", "tel", "xmpp"}:
        return [f"scheme {value}"]
    is_external = value.startswith("//") or (scheme and scheme.group(1).lower() in {"http", "https"})
    if is_external and not (
        element.get("rel") == ["noopener", "noreferrer", "nofollow", "ugc"]
        and element.get("data-host")
        and "link--external" in element["class"]
    ):
        return [f"unmarked external link {value}"]
    return []


def shown_words(page: str) -> set[str]:
    """The words a reader can find: text, and the addresses, titles and labels of links, images and code."""
    soup = BeautifulSoup(f"<main>{page}", "html.parser")
    texts = [soup.get_text(), soup.get_text(" ")]
    for element in soup.find_all(True):
        for name in ("href", "src", "title", "alt", "start", "data-language", "data-info"):
            value = str(element.get(name) or "")
            texts += [value, unquote(value)]
    return {word.casefold() for text in texts for word in re.findall(r"[^\W_]+", text)}
