"""The trash: what was deleted and can be restored."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from forllm_server.clock import now
from forllm_server.errors import NotFound
from forllm_server.forum.attaching import restore_file
from forllm_server.forum.editing import restore_post
from forllm_server.forum.model import TrashItem, TrashKind
from forllm_server.forum.subforums import restore_subforum
from forllm_server.forum.topics import restore_topic
from forllm_server.forum.trash_store import list_trash
from forllm_server.jobs.erasing import erase_trash
from forllm_server.pages.words import counted
from forllm_server.personas.trash import restore_persona
from forllm_server.web.current import current
from forllm_server.web.fragments import notice, page, see_other
from forllm_server.web.paging import decode_cursor, encode_cursor

blueprint = Blueprint("trash", __name__)

ROWS = 50
_CURSOR = (datetime, str, int)

RESTORERS: dict[TrashKind, Callable[[Connection, int], Any]] = {
    TrashKind.SUBFORUM: restore_subforum,
    TrashKind.TOPIC: restore_topic,
    TrashKind.POST: restore_post,
    TrashKind.ATTACHMENT: restore_file,
    TrashKind.PERSONA: restore_persona,
}
#: where each kind is seen once it is back
_ADDRESSES = {
    TrashKind.SUBFORUM: "/subforums/{}",
    TrashKind.TOPIC: "/topics/{}",
    TrashKind.POST: "/posts/{}",
    TrashKind.ATTACHMENT: "/attachments/{}",
    TrashKind.PERSONA: "/personas/{}",
}


def in_trash_words(what: str) -> str:
    """The notice after something was deleted: where it is, and until when it can come back."""
    until = now() + timedelta(days=current().config.trash_days)
    return f"{what} is in the trash and can be restored until {until.day} {until:%B}."


@blueprint.get("/trash")
def show() -> Response:
    """What lies in the trash, last deleted first."""
    after = decode_cursor(request.args.get("after"), *_CURSOR)
    with current().database.read() as connection:
        items = list_trash(connection, limit=ROWS + 1, after=after)
    shown, days = items[:ROWS], current().config.trash_days
    return page(
        "trash/show.html",
        items=[(item, item.deleted_at + timedelta(days=days)) for item in shown],
        days=days,
        next_cursor=_next(items, shown),
    )


@blueprint.post("/trash/<string:kind>/<int:item_id>/restore")
def restore(kind: str, item_id: int) -> Response:
    """Take something out of the trash and show it."""
    if kind not in RESTORERS:
        raise NotFound()
    found = TrashKind(kind)
    with current().database.transaction() as connection:
        RESTORERS[found](connection, item_id)
    notice("It is back.")
    return see_other(_ADDRESSES[found].format(item_id))


@blueprint.get("/trash/erase")
def show_erase() -> Response:
    """Ask before the trash is emptied."""
    return page("trash/erase.html")


@blueprint.post("/trash/erase")
def erase() -> Response:
    """Erase everything in the trash for good."""
    with current().database.transaction() as connection:
        erased = erase_trash(connection, older_than_days=0, now=now())
    words = (
        counted(erased.subforums, "subforum"),
        counted(erased.topics, "topic"),
        counted(erased.posts, "post"),
        counted(erased.personas, "persona"),
    )
    notice(f"Erased for good: {', '.join(words)}.")
    return see_other("/trash")


def _next(items: list[TrashItem], shown: list[TrashItem]) -> str:
    return encode_cursor(*shown[-1].place) if len(items) > len(shown) else ""
