"""Calls in a text are marked, so that the page that shows it can say whom they reach. Pure.

The mark names nobody: a rendering is kept for years, and personas are renamed and deleted meanwhile.
"""

from collections.abc import Iterator
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from forllm_server.markup.mentions import find_calls

_TOKEN = "forllm_mention"
_TEXTS = frozenset({"text", "text_special"})


def mention_plugin(md: MarkdownIt) -> None:
    """Mark ``@name`` outside of code, quotes and links, where it calls somebody (see mentions.py)."""
    # Before characters that a backslash has made harmless become one text with the others.
    md.core.ruler.before("text_join", "forllm_mentions", _mark)
    md.add_render_rule(_TOKEN, _render)


def _mark(state: StateCore) -> None:
    quotes = 0
    for token in state.tokens:
        quotes += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if token.children and not quotes and "@" in token.content:
            token.children = list(_marked(token.children))


def _marked(tokens: list[Token]) -> Iterator[Token]:
    links = 0
    before = ""
    for token in tokens:
        links += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if token.type == "text" and not links and "@" in token.content:
            yield from _split(token, before)
        else:
            yield token
        before = token.content[-1:] if token.type in _TEXTS else ""


def _split(token: Token, before: str) -> Iterator[Token]:
    """The parts of a text; ``before`` is the character that stands in front of it."""
    text, place = before + token.content, len(before)
    for start, end in find_calls(text, start=place):
        if start > place:
            yield Token("text", "", 0, content=text[place:start], level=token.level)
        yield Token(_TOKEN, "span", 0, content=text[start:end], level=token.level)
        place = end
    if place < len(text):
        yield Token("text", "", 0, content=text[place:], level=token.level)


def _render(self: Any, tokens: list[Token], place: int, options: Any, env: Any) -> str:
    return f'<span class="mention">{escape(tokens[place].content)}</span>'
