"""Searching: one box, what was found, and on an empty page all that can be written into the box."""

import unicodedata
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from forllm_server.clock import now
from forllm_server.markup.excerpt import excerpt
from forllm_server.pages.frame import current_settings
from forllm_server.search.finding import find
from forllm_server.search.model import Found, Order, Piece, Results
from forllm_server.search.name_store import list_model_names, list_present_personas, list_subforum_names
from forllm_server.search.places import PARTS, parts_of, place_from
from forllm_server.search.query import LONGEST_QUERY, quoted
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import shows_again
from forllm_server.web.fragments import page
from forllm_server.web.paging import decode_cursor, encode_cursor

blueprint = Blueprint("search", __name__)

ROWS = 20
_SNIPPET_CHARS = 320
_MARGINS = frozenset(" \n\t|")


@dataclass(frozen=True)
class Syntax:
    """A way to ask that the page explains: an example to click, and what it means."""

    example: str
    meaning: str


SYNTAX = (
    Syntax("night backup", "both words, in any form: nights, backups"),
    Syntax('"two disks"', "these words side by side"),
    Syntax("config*", "words that begin so"),
    Syntax("mirror -raid", "without posts that say raid"),
    Syntax("zfs OR btrfs", "either of them"),
    Syntax("by:me", "what you wrote"),
    Syntax("after:2026-10", "since a day, a month or a year began; before: works the other way"),
    Syntax("is:unanswered", "your posts that nobody replied to"),
    Syntax("is:failed", "what a model was asked and failed at"),
    Syntax("is:partial", "answers that were cut off and kept"),
    Syntax("is:bookmarked", "what you keep"),
    Syntax("has:code", "posts with a block of code"),
    Syntax("has:file", "posts with a file attached"),
)


@dataclass(frozen=True)
class Group:
    """Names that a search can be narrowed to: label and query of each."""

    title: str
    #: what stands before such a name in a query
    filter: str
    choices: tuple[tuple[str, str], ...]


@blueprint.app_template_global()
def search_address(text: str, sort: str = "", after: str = "") -> str:
    """Where a search for ``text`` is shown."""
    given = (("q", text), ("sort", sort), ("after", after))
    return "/search?" + urlencode({name: value for name, value in given if value})


def show_unread() -> Response:
    """The page with a text that cannot be searched for; it stays in the box."""
    return _page(Results(is_empty_query=True))


@blueprint.get("/search")
@shows_again(show_unread)
def show() -> Response:
    """What a text finds; without one, what can be asked."""
    after = place_from(decode_cursor(request.args.get("after"), *PARTS))
    with current().database.read() as connection:
        results = find(
            connection,
            request.args.get("q", ""),
            reader_id=current_user_id(),
            zone=current_settings().zone,
            now=now(),
            order=_order(),
            limit=ROWS,
            after=after,
            is_typing=request.args.get("typing") == "1",
        )
    return _page(results)


def snippet_of(found: Found) -> tuple[Piece, ...]:
    """The part of a text around what was found, on one line and without Markdown's marks."""
    pieces: list[Piece] = []
    for piece in found.snippet:
        plain = excerpt(piece.text, max_chars=_SNIPPET_CHARS)
        # What is cleared away may have been all that parted two words.
        left, right = (" " if side[:1] in _MARGINS else "" for side in (piece.text, piece.text[::-1]))
        pieces.append(Piece(f"{left}{plain}{right}", piece.is_match))
    return tuple(pieces)


def _page(results: Results) -> Response:
    further = parts_of(results.next)
    # Joiners and marks of direction stay: words of some scripts, and many emoji, fall apart without them.
    text = "".join(letter for letter in request.args.get("q", "") if unicodedata.category(letter) not in ("Cc", "Cs"))
    return page(
        "search/show.html",
        block="results",
        text=text,
        sort=_order().value,
        results=results,
        snippets={found.post_id: snippet_of(found) for found in results.items},
        next_cursor=encode_cursor(*further) if further else "",
        is_first=not request.args.get("after"),
        syntax=SYNTAX,
        longest=LONGEST_QUERY,
        groups=_groups() if results.is_empty_query else (),
    )


def _order() -> Order:
    return Order.NEWEST if request.args.get("sort") == Order.NEWEST.value else Order.RELEVANCE


def _groups() -> tuple[Group, ...]:
    with current().database.read() as connection:
        names = (
            ("Subforums", "in", [named.name for named in list_subforum_names(connection)]),
            ("Personas", "persona", list_present_personas(connection)),
            ("Models", "model", list_model_names(connection)),
        )
    return tuple(
        Group(title, f"{filter_}:", tuple((name, f"{filter_}:{quoted(name)}") for name in found))
        for title, filter_, found in names
        if found
    )
