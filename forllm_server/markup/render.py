"""Markdown into the HTML of a page: safe, whole, and within two seconds; otherwise the source as it was written."""

import re
from dataclasses import dataclass
from html import escape

from forllm_server.markup.faults import Unrenderable
from forllm_server.markup.names import MAX_TEXT_BYTES
from forllm_server.markup.pipeline import render_markdown
from forllm_server.markup.render_worker import WORKER

#: Grows with every change of the HTML that this room writes; HTML kept under an older version is rendered again.
RENDER_VERSION = 4

#: Texts up to here are rendered in this process, unless they hold much of what can become slow.
SMALL_CHARS = 4 * 1024
_SLOW_MARKS = {
    "www": 40,
    "|": 120,
    "[": 120,
    "$": 40,
    "\\(": 20,
    "\\[": 20,
    "&": 400,
    "_": 400,
    "*": 400,
    ":": 400,
    "@": 400,
}
_FENCE = re.compile(r"^[ >\t\d.*+-]*(?:```|~~~)", re.MULTILINE)
_SMALL_CODE_CHARS = 512

_ANCHOR = re.compile(r"[a-z][a-z0-9-]{0,63}")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Rendered:
    """HTML for a page. With ``is_source_shown`` it is the escaped source, and ``reason`` says why in a sentence."""

    html: str
    is_source_shown: bool = False
    reason: str | None = None


def render(source: str, *, anchor_prefix: str) -> Rendered:
    """The text as HTML, never an exception for any text.

    ``anchor_prefix`` (lower-case letters, digits, hyphens; e.g. "post-12") begins the ids of this text's footnotes,
    so that several texts can stand on one page. Raises ValueError for another prefix.
    """
    if not _ANCHOR.fullmatch(anchor_prefix):
        raise ValueError(f"not an anchor prefix: {anchor_prefix!r}")
    text = _LONE_SURROGATE.sub("\ufffd", source).replace("\x00", "\ufffd")
    try:
        if len(text.encode()) > MAX_TEXT_BYTES:
            raise Unrenderable(f"it is larger than {MAX_TEXT_BYTES // 1024} KiB")
        if is_small(text):
            return Rendered(render_markdown(text, anchor_prefix=anchor_prefix))
        return Rendered(WORKER.render(text, anchor_prefix=anchor_prefix))
    except Unrenderable as fault:
        return _source(text, f"This text is shown as it was written, because {fault.reason}.")


def is_small(text: str) -> bool:
    """Whether the text cannot take long, so that it may be rendered without a process that can be killed."""
    if len(text) > SMALL_CHARS or any(text.count(mark) > most for mark, most in _SLOW_MARKS.items()):
        return False
    return len(text) <= _SMALL_CODE_CHARS or not _FENCE.search(text)


def _source(text: str, reason: str) -> Rendered:
    # A line end right after <pre> is dropped by browsers, so one is given to drop.
    return Rendered(f'<pre class="source" tabindex="0">\n{escape(text)}</pre>', is_source_shown=True, reason=reason)
