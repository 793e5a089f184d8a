"""The page of all keys; the same list opens over every page by ``?``. What they press is said by ``data-key``."""

from dataclasses import dataclass

from flask import Blueprint, Response

from forllm_server.pages.frame import PLACE_KEYS, current_settings
from forllm_server.pages.rail import is_page
from forllm_server.web.fragments import page

blueprint = Blueprint("keys", __name__)


@dataclass(frozen=True)
class Key:
    """``keys`` as ``data-key`` has them: a letter, a capital for Shift, a blank between keys one after the other."""

    keys: tuple[str, ...]
    does: str

    @property
    def strokes(self) -> list[list[str]]:
        """Each way to press it, as the keys to press one after the other."""
        return [[_cap(stroke) for stroke in way.split(" ")] for way in self.keys]


SECTIONS: dict[str, tuple[Key, ...]] = {
    "Reading": (
        Key(("j",), "next post or row"),
        Key(("k",), "previous post or row"),
        Key(("o", "Enter"), "open it"),
        Key(("u",), "back up: to the list, to the subforum"),
        Key(("L",), "first unread"),
        Key(("n",), "next unread"),
        Key(("f",), "fold or unfold the branch"),
        Key(("l",), "permanent link to the post"),
        Key(("[",), "previous page"),
        Key(("]",), "next page"),
    ),
    "Writing": (
        Key(("r",), "reply to the post"),
        Key(("R",), "reply to the topic"),
        Key(("a",), "ask a persona about the post"),
        Key(("q",), "quote the post"),
        Key(("e",), "edit the post"),
        Key(("d",), "delete the post"),
        Key(("b",), "bookmark the post"),
        Key(("c",), "new topic"),
    ),
    "Voting": (
        Key(("1",), "A is better"),
        Key(("2",), "B is better"),
        Key(("3",), "equally good"),
        Key(("4",), "both bad"),
        Key(("s",), "skip"),
        Key(("x",), "next pair"),
    ),
    "Going": (
        Key(("/",), "search"),
        Key(("g h",), "home"),
        Key(("g m",), "morning: what the night brought"),
        Key(("g q",), "queue"),
        Key(("g a",), "activity"),
        Key(("g u",), "unread"),
        Key(("g b",), "bookmarks"),
        Key(("g d",), "drafts"),
        Key(("g p",), "personas"),
        Key(("g v",), "votes: which reply is better"),
        Key(("g w",), "schedule: the windows"),
        Key(("g l",), "batches"),
        Key(("g e",), "experiments"),
        Key(("g x",), "backends"),
        Key(("g s",), "settings"),
        Key(("g t",), "trash"),
    ),
    "Here": (
        Key(("w",), "two panes, or one"),
        Key(("?",), "this list"),
        Key(("Escape",), "close what was opened"),
    ),
}


@blueprint.get("/keys")
def show() -> Response:
    """All keys, whether they are on, and where to switch them."""
    missing = {keys for url, keys in PLACE_KEYS.items() if not is_page(url)}
    sections = {
        section: [key for key in keys if not missing.intersection(key.keys)] for section, keys in SECTIONS.items()
    }
    return page("keys/show.html", block="keys", sections=sections, has_keys=current_settings().has_keys)


def _cap(stroke: str) -> str:
    return f"Shift {stroke}" if len(stroke) == 1 and stroke.isupper() else stroke
