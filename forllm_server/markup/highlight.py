"""Code blocks in colour: Pygments with class names, for a list of languages, within a budget of time and size.

Pygments is quadratic nearly everywhere (8 KiB of trivial text cost some lexers 6 s), so it never guesses, takes
16 KiB at most and is given up after half a second of processor time; the block is then shown plain.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from html import escape
from io import StringIO
from types import FrameType

from pygments.formatters.html import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name

from forllm_server.markup.faults import PARSER_FAULTS

MAX_BLOCK_CHARS = 16 * 1024
BLOCK_SECONDS = 0.5
#: All blocks of one text together; what comes after is plain.
TEXT_SECONDS = 0.5

#: Lexer → the words after a fence that ask for it. At most 40 lexers.
_WORDS = {
    "bash": ("bash", "sh", "shell", "zsh", "ksh"),
    "c": ("c", "h"),
    "console": ("console", "shell-session", "terminal"),
    "cpp": ("cpp", "c++", "cc", "hpp", "cxx"),
    "csharp": ("csharp", "c#", "cs"),
    "css": ("css",),
    "dart": ("dart",),
    "diff": ("diff", "patch", "udiff"),
    "docker": ("docker", "dockerfile"),
    "elixir": ("elixir", "ex", "exs"),
    "go": ("go", "golang"),
    "haskell": ("haskell", "hs"),
    "html": ("html", "htm", "xhtml"),
    "html+jinja": ("jinja", "html+jinja", "jinja2"),
    "ini": ("ini", "cfg", "conf", "systemd"),
    "java": ("java",),
    "javascript": ("javascript", "js", "mjs", "cjs", "jsx", "node"),
    "json": ("json", "jsonl", "json5", "jsonc"),
    "julia": ("julia", "jl"),
    "kotlin": ("kotlin", "kt", "kts"),
    "lua": ("lua",),
    "make": ("make", "makefile", "mk"),
    "nginx": ("nginx",),
    "perl": ("perl", "pl"),
    "php": ("php",),
    "powershell": ("powershell", "ps1", "pwsh"),
    "pycon": ("pycon", "python-console"),
    "python": ("python", "py", "python3", "py3"),
    "r": ("r", "rscript"),
    "ruby": ("ruby", "rb"),
    "rust": ("rust", "rs"),
    "scala": ("scala",),
    "scss": ("scss",),
    "sql": ("sql", "postgresql", "mysql", "sqlite"),
    "swift": ("swift",),
    "tex": ("tex", "latex"),
    "toml": ("toml",),
    "typescript": ("typescript", "ts", "tsx"),
    "xml": ("xml", "svg", "xsd", "xslt"),
    "yaml": ("yaml", "yml"),
}
LANGUAGES = {word: name for name, words in _WORDS.items() for word in words}


class _TooSlow(Exception):
    """The block has used up its time."""


@dataclass
class Budget:
    """What the code blocks of one text may still use together."""

    seconds: float
    chars: int


def highlight(code: str, language: str, budget: Budget) -> str:
    """The code as HTML with Pygments' short classes; only escaped when the language is not listed, or it is too
    long, too slow, or comes out changed. What it used is taken from the budget."""
    lexer = find_lexer(language)
    if lexer is None or len(code) > MAX_BLOCK_CHARS or budget.seconds <= 0 or budget.chars <= 0:
        return escape(code, quote=False)
    began = time.thread_time()
    try:
        with _interrupted_after(min(BLOCK_SECONDS, budget.seconds)):
            coloured = _colour(code, lexer, deadline=began + min(BLOCK_SECONDS, budget.seconds))
    except (_TooSlow, *PARSER_FAULTS):
        coloured = None
    budget.seconds -= time.thread_time() - began
    if coloured is None or len(coloured) > budget.chars:
        return escape(code, quote=False)
    budget.chars -= len(coloured)
    return coloured


def find_lexer(language: str) -> Lexer | None:
    """The lexer for the word after a fence, or None when it is not one of the listed languages."""
    name = LANGUAGES.get(language.lower())
    return _lexer(name) if name is not None else None


@cache
def _lexer(name: str) -> Lexer:
    return get_lexer_by_name(name, stripnl=False, ensurenl=False, startinline=True)


def _colour(code: str, lexer: Lexer, *, deadline: float) -> str | None:
    tokens = []
    for kind, value in lexer.get_tokens(code):
        if time.thread_time() > deadline:
            raise _TooSlow
        tokens.append((kind, value))
    if "".join(value for _, value in tokens) != code:
        return None
    written = StringIO()
    HtmlFormatter[str](nowrap=True).format(iter(tokens), written)
    # The formatter ends every block with a line end of its own.
    coloured = written.getvalue()
    return coloured if code.endswith("\n") else coloured.removesuffix("\n")


_AGAIN_AFTER_SECONDS = 0.1


@contextmanager
def _interrupted_after(seconds: float) -> Iterator[None]:
    """Raise _TooSlow inside the block once it has used so much processor time, even within one regular expression.

    Only possible in a main thread on a system with interval timers; elsewhere the check between tokens must do.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGVTALRM, interrupt)
    # Again and again: where it hits Python collecting its garbage, an exception is told and then forgotten.
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, _AGAIN_AFTER_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
