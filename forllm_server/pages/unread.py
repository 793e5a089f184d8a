"""What was not seen yet: the list over all subforums, its dots everywhere, marking all as read, and taking it back."""

from datetime import datetime
from typing import Any

from flask import Blueprint, Flask, Response, before_render_template, g, request

from forllm_server.activity import marking, seeing, seen_store
from forllm_server.activity.model import TopicMark
from forllm_server.clock import now
from forllm_server.errors import Unavailable
from forllm_server.pages.frame import current_settings
from forllm_server.web.current import current, current_user_id
from forllm_server.web.fragments import notice, page, see_other
from forllm_server.web.paging import decode_cursor, encode_cursor
from forllm_server.web.snapshot import page_read

blueprint = Blueprint("unread", __name__)

_CURSOR = (datetime, int)


@blueprint.get("/unread")
def show() -> Response:
    """Topics with something unread, the newest activity first."""
    limit = current_settings().topics_per_page
    after = decode_cursor(request.args.get("after"), *_CURSOR)
    with current().database.read() as connection:
        topics = seen_store.list_unread_topics(connection, current_user_id(), limit=limit + 1, after=after)
    shown, rest = topics[:limit], topics[limit:]
    return page(
        "unread/show.html",
        topics=shown,
        next_cursor=encode_cursor(shown[-1].last_post_at, shown[-1].id) if rest else "",
        is_first=after is None,
    )


@blueprint.post("/unread/marking")
def mark_all() -> Response:
    """Mark everything as read."""
    return _mark(None, "Everything is marked as read.", "/unread")


@blueprint.post("/subforums/<int:subforum_id>/marking")
def mark_subforum(subforum_id: int) -> Response:
    """Mark everything in a subforum as read."""
    return _mark(subforum_id, "Everything here is marked as read.", f"/subforums/{subforum_id}")


@blueprint.post("/unread/marking/<int:number>/undo")
def undo(number: int) -> Response:
    """Take a marking back: what was unread before is unread again."""
    with current().database.transaction() as connection:
        is_back = seeing.unsee_all(connection, current_user_id(), marking.moment_of(number))
    if is_back:
        notice("What was unread before is unread again.")
    else:
        notice("That was taken back already, or marked again since.", kind="warning")
    return see_other("/unread")


@blueprint.app_template_global()
def unread_subforum_ids() -> frozenset[int]:
    """The subforums that have something unread: for the dots of every page, read once in a request."""
    if "unread_subforum_ids" not in g:
        try:
            with page_read() as connection:
                g.unread_subforum_ids = seen_store.list_unread_subforum_ids(connection, current_user_id())
        except Unavailable:
            # An error page has a frame, too.
            g.unread_subforum_ids = frozenset()
    found: frozenset[int] = g.unread_subforum_ids
    return found


@blueprint.app_template_global()
def topic_mark(topic_id: int) -> TopicMark:
    """What a list says of one of its topics. See :func:`read_topic_marks`."""
    marks: dict[int, TopicMark] = g.get("topic_marks", {})
    return marks.get(topic_id, TopicMark())


def read_topic_marks(_app: Flask, context: dict[str, Any], **_more: Any) -> None:
    """Before a template is rendered that was given ``topics``: read what is unread in them, in one statement.

    So every list of topics has its dots, whichever page it stands on.
    """
    topic_ids = [topic.id for topic in context.get("topics") or ()]
    if topic_ids:
        with page_read() as connection:
            g.topic_marks = seen_store.list_topic_marks(connection, current_user_id(), topic_ids)


@blueprint.record_once
def _listen(state: Any) -> None:
    before_render_template.connect(read_topic_marks, state.app)


def _mark(subforum_id: int | None, words: str, url: str) -> Response:
    with current().database.transaction() as connection:
        marked_at = seeing.see_all(connection, current_user_id(), now(), subforum_id=subforum_id)
    notice(words, undo=f"/unread/marking/{marking.number_of(marked_at)}/undo")
    return see_other(url)
