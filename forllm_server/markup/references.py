"""Link reference definitions and footnotes that nothing refers to are shown, not dropped.

CommonMark lets an unused ``[1]: https://…`` vanish, yet language models end their answers with just such lists.
"""

from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.reference import reference
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from forllm_server.markup.faults import Unrenderable

_TOKEN = "reference_definition"


class References(dict[str, Any]):
    """The definitions of one text by label. It notes which are used and refuses to copy them out without end.

    64 KiB of uses of one long definition would be 269 MB of page; ``budget_chars`` bounds what is copied.
    """

    def __init__(self, budget_chars: int) -> None:
        super().__init__()
        self.used: set[str] = set()
        self._left_chars = budget_chars

    def get(self, label: str, default: Any = None) -> Any:
        """The definition, or the default. Raises Unrenderable when too much has been copied."""
        found = super().get(label, default)
        if found is not None:
            self.used.add(label)
            self._left_chars -= len(found["href"]) + len(found["title"])
            if self._left_chars < 0:
                raise Unrenderable("its links repeat so often that the page would become too large")
        return found


def reference_plugin(md: MarkdownIt) -> None:
    """Keep unused definitions and unreferenced footnotes in the page."""
    md.block.ruler.at("reference", _reference, {"alt": []})
    md.core.ruler.after("inline", "forllm_references", _show_unused)
    md.core.ruler.before("footnote_tail", "forllm_footnotes", _number_unreferenced)
    md.add_render_rule(_TOKEN, _render_nothing)


def _reference(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    known = state.env["references"]
    known_before = len(known)
    if not reference(state, start_line, end_line, silent):
        return False
    if not silent:
        token = state.push(_TOKEN, "", 0)
        # None marks a repeated definition: the first one counts and this one is never used.
        token.meta = {"label": next(reversed(known)) if len(known) > known_before else None}
        token.content = state.getLines(start_line, state.line, state.blkIndent, False).strip()
    return True


def _show_unused(state: StateCore) -> None:
    shown: list[Token] = []
    for token in state.tokens:
        if token.type == _TOKEN and token.meta["label"] not in state.env["references"].used:
            shown += _paragraph(state, token)
        else:
            shown.append(token)
    state.tokens = shown


def _paragraph(state: StateCore, definition: Token) -> list[Token]:
    inline = Token("inline", "", 0, content=definition.content, children=[], level=definition.level + 1)
    children: list[Token] = []
    state.md.inline.parse(definition.content, state.md, state.env, children)
    inline.children = children
    return [
        Token("paragraph_open", "p", 1, block=True, level=definition.level),
        inline,
        Token("paragraph_close", "p", -1, block=True, level=definition.level),
    ]


def _number_unreferenced(state: StateCore) -> None:
    footnotes = state.env.get("footnotes")
    if not footnotes:
        return
    for label, number in footnotes["refs"].items():
        if number < 0:
            place = len(footnotes["list"])
            footnotes["list"][place] = {"label": label[1:], "count": 0}
            footnotes["refs"][label] = place


def _render_nothing(self: Any, tokens: Any, place: int, options: Any, env: Any) -> str:
    return ""
