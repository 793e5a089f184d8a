"""Tables that lose nothing: cells beyond the header's are kept in the last column instead of being dropped."""

from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.table import escapedSplit, getLine, table
from markdown_it.token import Token

from forllm_server.markup.faults import Unrenderable

#: Empty cells that short rows may be filled up with, over all tables of a text; the parser counts each table alone.
MAX_FILLED_CELLS = 20_000


def table_plugin(md: MarkdownIt) -> None:
    """Read tables by the rule above; alignment is a class, and a wide table scrolls in its own box."""
    md.block.ruler.at("table", _read_table, {"alt": ["paragraph", "reference"]})
    md.enable("table")
    md.add_render_rule("table_open", _render_open)
    md.add_render_rule("table_close", _render_close)


def _read_table(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    began = len(state.tokens)
    if not table(state, start_line, end_line, silent):
        return False
    tokens = state.tokens[began:]
    filled = sum(1 for token in tokens if token.type == "inline" and not token.content)
    state.env["filled_cells"] = state.env.get("filled_cells", 0) + filled
    if state.env["filled_cells"] > MAX_FILLED_CELLS:
        raise Unrenderable("its tables have too many empty cells")
    for token in tokens:
        if token.type in {"th_open", "td_open"} and token.attrs:
            align = str(token.attrs.pop("style")).removeprefix("text-align:")
            token.attrs["class"] = f"align-{align}"
    _keep_excess(state, tokens)
    return True


def _keep_excess(state: StateBlock, tokens: list[Token]) -> None:
    line, cells = 0, list[Token]()
    for token in tokens:
        if token.type == "tr_open" and token.map:
            line, cells = token.map[0], []
        elif token.type == "inline":
            cells.append(token)
        elif token.type == "tr_close" and cells:
            excess = _split(state, line)[len(cells) :]
            if excess:
                cells[-1].content = " | ".join((cells[-1].content, *excess))


def _split(state: StateBlock, line: int) -> list[str]:
    columns = escapedSplit(getLine(state, line).strip())
    if columns and columns[0] == "":
        columns.pop(0)
    if columns and columns[-1] == "":
        columns.pop()
    return [column.strip() for column in columns]


def _render_open(self: Any, tokens: Any, place: int, options: Any, env: Any) -> str:
    return '<div class="table-scroll" tabindex="0"><table>\n'


def _render_close(self: Any, tokens: Any, place: int, options: Any, env: Any) -> str:
    return "</table></div>\n"
