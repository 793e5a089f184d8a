"""Recent activity: the topics, replies and personas that came last, kept fresh while the page is open."""

from flask import Blueprint, Response

from forllm_server.markup.excerpt import excerpt
from forllm_server.morning.recent_store import read_recent
from forllm_server.web.current import current
from forllm_server.web.fragments import page

blueprint = Blueprint("activity", __name__)

_EXCERPT_CHARACTERS = 160


@blueprint.get("/activity")
def show() -> Response:
    """The newest of each; a reply leads to its place in the thread, where it is lit for a moment."""
    with current().database.read() as connection:
        recent = read_recent(connection)
    lines = {each.post_id: excerpt(each.beginning, max_chars=_EXCERPT_CHARACTERS) for each in recent.replies}
    return page("activity/show.html", block="recent", topics=recent.topics, recent=recent, lines=lines)
