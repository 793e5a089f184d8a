"""Formulas: TeX between dollars, ``\\(…\\)`` or ``\\[…\\]`` becomes native MathML, written out by an allow-list."""

import re
from html import escape, unescape
from typing import Any
from xml.etree.ElementTree import Element

from latex2mathml import exceptions
from latex2mathml.converter import convert_to_element
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from mdit_py_plugins.dollarmath import dollarmath_plugin

from forllm_server.markup.faults import PARSER_FAULTS

MAX_FORMULA_CHARS = 2_000

_TAGS_TEXT = (
    "math semantics annotation mrow mi mn mo mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover"
    " mtable mtr mtd mstyle mpadded mphantom menclose merror mmultiscripts mprescripts none"
)
TAGS = frozenset(_TAGS_TEXT.split())
_ATTRIBUTES_TEXT = (
    "display displaystyle scriptlevel mathvariant stretchy fence form separator largeop movablelimits symmetric accent"
    " accentunder linethickness columnalign columnlines columnspacing rowlines rowspacing rowalign width height depth"
    " voffset lspace rspace notation minsize maxsize mathsize mathcolor encoding"
)
ATTRIBUTES = frozenset(_ATTRIBUTES_TEXT.split())

# Its errors share no base class.
_TEX_FAULTS: tuple[type[Exception], ...] = (
    *(fault for fault in vars(exceptions).values() if isinstance(fault, type) and issubclass(fault, Exception)),
    *PARSER_FAULTS,
)
_VALUE = re.compile(r"[\w\s.#%+-]{1,64}")
#: Lengths that would lay a formula over the rest of the page.
_FAR = re.compile(r"-\s*\d{2}|\d{4}")
#: A definition may expand without end.
_MACRO = re.compile(r"\\(?:new|renew|provide)command|\\[egx]?def(?![a-z])|\\let(?![a-z])|\\newenvironment")
_CLOSING = {"(": "\\)", "[": "\\]"}


def formula_plugin(md: MarkdownIt) -> None:
    """Read ``$x$`` (never prices: no space inside, no digit outside), ``$$x$$``, ``\\(x\\)`` and ``\\[x\\]``."""
    dollarmath_plugin(
        md, allow_labels=False, allow_space=False, allow_digits=False, allow_blank_lines=False, double_inline=True
    )
    md.inline.ruler.before("escape", "forllm_formula", _read_bracketed)
    md.add_render_rule("math_inline", _render_inline)
    md.add_render_rule("math_inline_double", _render_block)
    md.add_render_rule("math_block", _render_block)


def render_formula(tex: str, *, is_block: bool) -> str:
    """MathML with the TeX kept as its annotation; a formula that cannot be read is shown as code."""
    kind = "math--block" if is_block else "math--inline"
    try:
        if len(tex) > MAX_FORMULA_CHARS or _MACRO.search(tex):
            return f'<code class="math-source">{escape(tex)}</code>'
        element = convert_to_element(tex, display="block" if is_block else "inline")
        drawn = "".join(_write(child) for child in element)
    except _TEX_FAULTS:
        return f'<code class="math-source">{escape(tex)}</code>'
    display = "block" if is_block else "inline"
    # A formula wider than the text scrolls in its own line, also by the keyboard.
    focus = ' tabindex="0"' if is_block else ""
    return (
        f'<span class="math {kind}"{focus}><math display="{display}"><semantics>{drawn}'
        f'<annotation encoding="application/x-tex">{escape(tex)}</annotation></semantics></math></span>'
    )


def is_safe_value(value: str) -> bool:
    """Whether an attribute of MathML may keep this value: a word, colour or a length that stays near."""
    return bool(_VALUE.fullmatch(value)) and not _FAR.search(value)


def _write(element: Element) -> str:
    inside = escape(unescape(element.text or ""), quote=False) + "".join(_write(child) for child in element)
    tail = escape(unescape(element.tail or ""), quote=False)
    if element.tag not in TAGS:
        return f"<mrow>{inside}</mrow>{tail}"
    attributes = "".join(
        f' {name}="{escape(value)}"'
        for name, value in element.attrib.items()
        if name in ATTRIBUTES and is_safe_value(value)
    )
    return f"<{element.tag}{attributes}>{inside}</{element.tag}>{tail}"


def _read_bracketed(state: StateInline, silent: bool) -> bool:
    opening = state.src[state.pos : state.pos + 2]
    if len(opening) < 2 or opening[0] != "\\" or opening[1] not in _CLOSING:
        return False
    # A longer reach would make a row of openings cost the square of its length.
    limit = min(state.posMax, state.pos + MAX_FORMULA_CHARS)
    end = state.src.find(_CLOSING[opening[1]], state.pos + 2, limit)
    tex = state.src[state.pos + 2 : end].strip() if end > 0 else ""
    if not tex:
        return False
    if not silent:
        token = state.push("math_inline" if opening[1] == "(" else "math_inline_double", "math", 0)
        token.content = tex
    state.pos = end + 2
    return True


def _render_inline(self: Any, tokens: Any, place: int, options: Any, env: Any) -> str:
    return render_formula(tokens[place].content.strip(), is_block=False)


def _render_block(self: Any, tokens: Any, place: int, options: Any, env: Any) -> str:
    drawn = render_formula(tokens[place].content.strip(), is_block=True)
    return f"<p>{drawn}</p>\n" if tokens[place].type == "math_block" else drawn
