"""The second wall: whatever the parser wrote, only listed elements, attributes and addresses leave this room."""

import re

import nh3
from pygments.token import STANDARD_TYPES

from forllm_server.markup import formulas, links

_TEXT_TAGS_TEXT = (
    "p br hr h1 h2 h3 h4 h5 h6 blockquote pre code em strong s ul ol li a img table thead tbody tr th td div span sup"
    " section"
)
_TEXT_TAGS = frozenset(_TEXT_TAGS_TEXT.split())

_CELL_CLASSES = {"align-left", "align-center", "align-right"}
_CLASSES = {
    "a": {"link--external", "image-link", "footnote-backref"},
    "img": {"attachment-image"},
    "span": {"link--refused", "image-link", "math", "math--inline", "math--block", "task-box", "mention"}
    | {name for name in STANDARD_TYPES.values() if name},
    "code": {"math-source"},
    "pre": {"highlight", "source"},
    "div": {"table-scroll"},
    "sup": {"footnote-ref"},
    "hr": {"footnotes-sep"},
    "section": {"footnotes"},
    "ol": {"footnotes-list", "task-list"},
    "ul": {"task-list"},
    "li": {"footnote-item", "task-list-item"},
    "th": _CELL_CLASSES,
    "td": _CELL_CLASSES,
}

_ATTRIBUTES = {
    "a": {"href", "title", "rel", "id", "data-host"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
    "li": {"id"},
    "pre": {"data-language", "data-info"},
    "span": {"title"},
    **{tag: set(formulas.ATTRIBUTES) for tag in formulas.TAGS},
}

_FIXED = {
    "a": {"aria-label": {"Back to the text"}},
    "img": {"loading": {"lazy"}},
    "pre": {"tabindex": {"0"}},
    "div": {"tabindex": {"0"}},
    "span": {"role": {"img"}, "aria-label": {"done", "not done"}, "tabindex": {"0"}},
}

_ID = re.compile(r"fn(?:ref)?-[a-z][a-z0-9-]{0,63}-\d+(?::\d+)?")


def sanitize(page: str) -> str:
    """The HTML with everything that is not listed here taken out; the text inside unknown elements stays."""
    return _CLEANER.clean(page)


def _keep(tag: str, name: str, value: str) -> str | None:
    if tag in formulas.TAGS:
        is_kept = formulas.is_safe_value(value) or (name == "encoding" and value == "application/x-tex")
    elif name == "id":
        is_kept = bool(_ID.fullmatch(value))
    elif name == "src":
        is_kept = links.is_attachment(value)
    elif name == "href":
        is_kept = links.is_allowed_link(value) and links.host_of(value) != ""
    elif name == "rel":
        is_kept = value == links.EXTERNAL_REL
    elif name == "start":
        is_kept = value.isdecimal()
    else:
        is_kept = True
    return value if is_kept else None


_CLEANER = nh3.Cleaner(
    tags=set(_TEXT_TAGS | formulas.TAGS),
    clean_content_tags=set(),
    attributes=_ATTRIBUTES,
    attribute_filter=_keep,
    allowed_classes=_CLASSES,
    tag_attribute_values=_FIXED,
    url_schemes=set(links.SCHEMES),
    link_rel=None,
)
