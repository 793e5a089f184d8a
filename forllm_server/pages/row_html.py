"""Posts as rows of HTML, kept for the next reader as long as nothing that they show is different.

A page has fifty of them, and writing them anew is half of what it costs. What is kept is found by the row itself,
compared field by field, and by whatever else the template asks: so it can never be out of date.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Protocol, cast

from flask import current_app
from markupsafe import Markup

from forllm_server.clock import now
from forllm_server.pages.frame import current_settings
from forllm_server.pages.marks import mark_symbol
from forllm_server.pages.rows import PendingRow, PostRow

#: Some ten pages.
_KEPT_ROWS = 512
#: Longer posts, with what was thought before them, are few, and a thousand of them would fill the memory.
_LONGEST_KEPT = 8_000


class _Macros(Hashable, Protocol):
    def post_row(self, row: PostRow, has_marks: bool) -> Markup: ...

    def pending_row(self, row: PendingRow) -> Markup: ...


@dataclass(frozen=True)
class _Shown:
    """Everything that a row's HTML is made of."""

    row: PostRow
    has_marks: bool
    #: the settings that it shows, and the day: times of today are written shorter
    zone: str
    today: date
    has_departures: bool

    def __hash__(self) -> int:
        # The rest is compared: posts hold what cannot be hashed.
        return hash((self.row.post.id, self.row.stamp, self.has_marks))


def rows_html(rows: Sequence[PostRow | PendingRow], *, has_marks: bool = False) -> Markup:
    """A page's rows. ``has_marks``: the page draws each mark once; else every row brings its own."""
    macros = cast(_Macros, current_app.jinja_env.get_template("macros/post.html").module)
    settings = current_settings()
    more = settings.zone.key, now().astimezone(settings.zone).date(), settings.shows_link_warning

    def html(row: PostRow | PendingRow) -> Markup:
        if isinstance(row, PendingRow):
            return macros.pending_row(row)
        return (
            _kept(macros, _Shown(row, has_marks, *more)) if _is_worth_keeping(row) else macros.post_row(row, has_marks)
        )

    return Markup("").join(map(html, rows))


def marks_html(rows: Sequence[PostRow | PendingRow]) -> Markup:
    """The marks of all who wrote on a page, each drawn once: its rows refer to them."""
    names = dict.fromkeys(row.post.author_name for row in rows if isinstance(row, PostRow))
    return Markup("<svg hidden>{}</svg>").format(Markup("").join(map(mark_symbol, names)))


def _is_worth_keeping(row: PostRow) -> bool:
    html = row.post.content_html or ""
    # Whom a call reaches is looked up for each page.
    return len(html) + len(row.post.thinking or "") <= _LONGEST_KEPT and 'class="mention"' not in html


@lru_cache(maxsize=_KEPT_ROWS)
def _kept(macros: _Macros, shown: _Shown) -> Markup:
    return macros.post_row(shown.row, shown.has_marks)
