"""The Markdown that posts are written in: CommonMark without raw HTML, a line end is a line break, plus tables,
strikethrough, bare links, task lists, footnotes and formulas."""

import re
from functools import cache
from html import escape
from typing import Any

from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.gfm_autolink import gfm_autolink_plugin

from forllm_server.markup.formulas import formula_plugin
from forllm_server.markup.highlight import highlight
from forllm_server.markup.links import LinkedMarkdown, link_plugin
from forllm_server.markup.mention_marks import mention_plugin
from forllm_server.markup.references import reference_plugin
from forllm_server.markup.tables import table_plugin

#: A post stands inside a page that has its own first and second level, and below a name of the second.
FIRST_HEADING = 3
_TASK = re.compile(r"\[([ xX])\][ \t\n]")
#: The parser drops what is nested deeper than its limit without a word, so its limit lies above ours.
MAX_NESTING = 20


@cache
def parser() -> LinkedMarkdown:
    """The one parser of a process. It keeps no state between texts and may be used by several threads."""
    markdown = LinkedMarkdown("commonmark", {"html": False, "breaks": True, "maxNesting": MAX_NESTING + 2})
    markdown.enable("strikethrough")
    markdown.use(gfm_autolink_plugin).use(footnote_plugin).use(formula_plugin)
    markdown.use(table_plugin).use(reference_plugin).use(link_plugin).use(mention_plugin)
    markdown.core.ruler.push("forllm_blocks", _adapt_blocks)
    for name, rule in _RENDER_RULES.items():
        markdown.add_render_rule(name, rule)
    return markdown


def _adapt_blocks(state: StateCore) -> None:
    lists: list[Token] = []
    outline: list[int] = []
    for place, token in enumerate(state.tokens):
        if token.type == "heading_open":
            token.tag = state.tokens[place + 2].tag = _heading_tag(int(token.tag[1]), outline)
        elif token.type in {"bullet_list_open", "ordered_list_open"}:
            lists.append(token)
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            lists.pop()
        elif token.type == "list_item_open" and _has_box(state.tokens[place + 1 : place + 3]):
            token.attrSet("class", "task-list-item")
            lists[-1].attrSet("class", "task-list")


def _heading_tag(level: int, outline: list[int]) -> str:
    """The element for a heading written at ``level``; ``outline`` holds the levels of those it stands below.

    Whatever levels a text begins with or leaves out, the page's own leave none out.
    """
    while outline and outline[-1] >= level:
        outline.pop()
    outline.append(level)
    return f"h{min(6, FIRST_HEADING - 1 + len(outline))}"


def _has_box(following: list[Token]) -> bool:
    """Put a box before the text of a list item that begins with one; answer whether it did."""
    if len(following) < 2 or following[0].type != "paragraph_open" or not following[1].children:
        return False
    first = following[1].children[0]
    mark = _TASK.match(following[1].content)
    # What looks like a box may have become a link, when "[x]" was defined.
    if mark is None or first.type != "text" or not first.content.startswith(mark.group()[:3]):
        return False
    first.content = first.content[3:]
    following[1].children.insert(0, Token("task_box", "", 0, meta={"is_done": mark.group(1) != " "}))
    return True


def _render_fence(self: Any, tokens: list[Token], place: int, options: Any, env: Any) -> str:
    token = tokens[place]
    language, _, info = token.info.strip().partition(" ")
    shown = f' data-language="{escape(language)}"' if language else ""
    shown += f' data-info="{escape(info.strip())}"' if info.strip() else ""
    code = highlight(token.content, language, env["highlight_budget"])
    return f'<pre class="highlight" tabindex="0"{shown}><code>{code}</code></pre>\n'


def _render_task_box(self: Any, tokens: list[Token], place: int, options: Any, env: Any) -> str:
    is_done = tokens[place].meta["is_done"]
    label, box = ("done", "☑") if is_done else ("not done", "☐")
    return f'<span class="task-box" role="img" aria-label="{label}">{box}</span>'


def _render_backlink(self: Any, tokens: list[Token], place: int, options: Any, env: Any) -> str:
    meta = tokens[place].meta
    if env["footnotes"]["list"][meta["id"]].get("count") == 0:
        return ""
    anchor = self.rules["footnote_anchor_name"](tokens, place, options, env)
    again = f":{meta['subId']}" if meta.get("subId", 0) > 0 else ""
    return f' <a href="#fnref{anchor}{again}" class="footnote-backref" aria-label="Back to the text">↩</a>'


_RENDER_RULES = {
    "fence": _render_fence,
    "code_block": _render_fence,
    "task_box": _render_task_box,
    "footnote_anchor": _render_backlink,
}
