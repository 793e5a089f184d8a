"""Lists of topics: which order and filter is asked for, and the page of it. ``/topics`` goes over all subforums."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TypeVar
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from forllm_server.clock import now
from forllm_server.forum import tag_store, topic_store
from forllm_server.forum.model import RailSubforum, Subforum, Tag, Topic, TopicOrder
from forllm_server.forum.topic_store import TopicCursor, TopicPage
from forllm_server.markup.names import name_key
from forllm_server.pages.frame import current_settings
from forllm_server.schedule.gate import last_opening
from forllm_server.web.current import current, current_user_id
from forllm_server.web.fragments import page
from forllm_server.web.paging import decode_cursor, encode_cursor

blueprint = Blueprint("listing", __name__)

#: The orders in words, and what an empty list says.
ORDERS: dict[TopicOrder, tuple[str, str]] = {
    TopicOrder.ACTIVE: ("Active", "There are no topics."),
    TopicOrder.NEW: ("New", "There are no topics."),
    TopicOrder.FINISHED: ("Finished last night", "No persona has written here since the last window opened."),
    TopicOrder.AWAITING: ("Awaiting", "No topic waits for an answer."),
    TopicOrder.UNANSWERED: ("Unanswered", "Every topic has a reply."),
    TopicOrder.UNVOTED: ("Needs your vote", "You have voted on every answer."),
}
Grouped = TypeVar("Grouped", Subforum, RailSubforum)


@dataclass(frozen=True)
class Choice:
    """One of the orders, as a link."""

    label: str
    url: str
    is_current: bool


@dataclass(frozen=True)
class Listing:
    """A page of a list. ``pinned`` are only there on the first page of a subforum's own order."""

    topics: tuple[Topic, ...]
    choices: tuple[Choice, ...]
    next_url: str
    #: empty on the first page
    first_url: str
    empty: str
    tag: Tag | None = None
    is_whole: bool = False


@blueprint.get("/topics")
def show() -> Response:
    """The topics of all subforums, in the order that is asked for."""
    with current().database.read() as connection:
        listing = read_listing(connection, "/topics")
    return page("listing/show.html", listing=listing, topics=listing.topics)


def read_listing(connection: Connection, path: str, subforum_id: int | None = None, tag: str = "") -> Listing:
    """The page that the address asks for with ``show``, ``tag`` and ``after``. Raises Malformed, NotFound (the tag)."""
    wanted = request.args.get("show", "")
    order = TopicOrder(wanted) if wanted in list(TopicOrder) else TopicOrder.ACTIVE
    found_tag = _find_tag(connection, tag or request.args.get("tag", ""))
    is_by_id = found_tag is not None or order is TopicOrder.AWAITING
    after = _cursor(is_by_id)
    is_whole = order is TopicOrder.ACTIVE and found_tag is None
    if found_tag is not None:
        limit = current_settings().topics_per_page
        topics = topic_store.list_page_of_tag(
            connection, found_tag.id, limit=limit, subforum_id=subforum_id, after=after
        )
    else:
        topics = _read_page(connection, order, subforum_id, after)
    pinned: tuple[Topic, ...] = ()
    if is_whole and subforum_id is not None and after is None:
        pinned = tuple(topic_store.list_pinned(connection, subforum_id))
    own = _address(path, order, found_tag if not tag else None)
    return Listing(
        topics=(*pinned, *topics.topics),
        choices=tuple(
            Choice(label, _address(path, each, None), each is order and found_tag is None)
            for each, (label, _) in ORDERS.items()
        ),
        next_url=f"{own}{'&' if '?' in own else '?'}after={_encoded(topics.next)}" if topics.next else "",
        first_url=own if after is not None else "",
        empty="No topic here has this tag." if found_tag else ORDERS[order][1],
        tag=found_tag,
        is_whole=is_whole,
    )


@blueprint.app_template_global()
def by_group(subforums: Iterable[Grouped]) -> list[tuple[str, list[Grouped]]]:
    """Subforums under the names of their groups, in their order; those in none under an empty name."""
    return [(name, list(members)) for name, members in groupby(subforums, key=lambda subforum: subforum.group_name)]


def _read_page(
    connection: Connection, order: TopicOrder, subforum_id: int | None, after: TopicCursor | None
) -> TopicPage:
    return topic_store.list_page(
        connection,
        order,
        limit=current_settings().topics_per_page,
        subforum_id=subforum_id,
        after=after,
        since=last_opening(connection, now(), current_settings().zone) if order is TopicOrder.FINISHED else None,
        voter_id=current_user_id(),
        leaves_out_pinned=order is TopicOrder.ACTIVE and subforum_id is not None,
    )


def _find_tag(connection: Connection, name: str) -> Tag | None:
    return tag_store.get_tag_by_key(connection, name_key(name)) if name else None


def _cursor(is_by_id: bool) -> TopicCursor | None:
    text = request.args.get("after")
    if is_by_id:
        by_id = decode_cursor(text, int)
        return TopicCursor(None, *by_id) if by_id else None
    by_time = decode_cursor(text, datetime, int)
    return TopicCursor(*by_time) if by_time else None


def _encoded(cursor: TopicCursor) -> str:
    return encode_cursor(cursor.id) if cursor.at is None else encode_cursor(cursor.at, cursor.id)


def _address(path: str, order: TopicOrder, tag: Tag | None) -> str:
    if tag is not None:
        return f"{path}?{urlencode({'tag': tag.name})}"
    return path if order is TopicOrder.ACTIVE else f"{path}?show={order}"
