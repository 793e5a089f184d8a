"""What stands around every page as HTML, kept for the next page as long as nothing that it shows is different.

As with the rows of a thread (row_html.py), what is kept is found by everything that it is made of.
"""

from collections.abc import Hashable
from functools import lru_cache
from typing import Protocol, cast

from flask import Blueprint, current_app
from markupsafe import Markup

from forllm_server.pages.frame import PLACE_KEYS, Frame
from forllm_server.pages.unread import unread_subforum_ids

blueprint = Blueprint("rail", __name__)

#: As many as there are pages in use at once, each with its own line marked as the present one.
_KEPT = 64


class _Macros(Hashable, Protocol):
    def rail(self, frame: Frame, unread_ids: frozenset[int]) -> Markup: ...

    def keys(self, elsewhere: tuple[tuple[str, str], ...]) -> Markup: ...


@blueprint.app_template_global()
def rail_html(frame: Frame) -> Markup:
    """The rail with its counts and the night's state."""
    return _kept_rail(_macros(), frame, unread_subforum_ids() if frame.shelf else frozenset())


@blueprint.app_template_global()
def keys_html(frame: Frame) -> Markup:
    """The keys that lead to what the rail does not show, and their help; empty where keys are off."""
    return _kept_keys(_macros(), frozenset(entry.url for entry in frame.entries)) if frame.has_keys else Markup()


def is_page(path: str) -> bool:
    """Whether there is a page at this address."""
    return current_app.url_map.bind("").test(path)


def _macros() -> _Macros:
    return cast(_Macros, current_app.jinja_env.get_template("macros/rail.html").module)


@lru_cache(maxsize=_KEPT)
def _kept_rail(macros: _Macros, frame: Frame, unread_ids: frozenset[int]) -> Markup:
    return macros.rail(frame, unread_ids)


@lru_cache(maxsize=_KEPT)
def _kept_keys(macros: _Macros, listed: frozenset[str]) -> Markup:
    return macros.keys(tuple((keys, url) for url, keys in PLACE_KEYS.items() if url not in listed and is_page(url)))
