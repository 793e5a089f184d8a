"""Tags: all of them, the topics of one, and the names beside the topics of every list."""

from typing import Any
from urllib.parse import quote

from flask import Blueprint, Flask, Response, before_render_template, g

from forllm_server.clock import now
from forllm_server.errors import Unavailable
from forllm_server.forum import tag_store
from forllm_server.forum.tagging import split_tags, tag_topic
from forllm_server.pages import topic
from forllm_server.pages.listing import read_listing
from forllm_server.web.current import current
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import page, see_other
from forllm_server.web.snapshot import page_read

blueprint = Blueprint("tag", __name__)

#: More than these are not listed, and not suggested.
MOST_LISTED = 500


@blueprint.get("/tags")
def show_list() -> Response:
    """The tags, with how many topics each has."""
    with current().database.read() as connection:
        tags = tag_store.list_tags(connection, limit=MOST_LISTED)
    return page("tag/list.html", tags=tags, is_cut=len(tags) == MOST_LISTED)


@blueprint.get("/tags/<path:name>")
def show(name: str) -> Response:
    """The topics with a tag, the newest first."""
    with current().database.read() as connection:
        listing = read_listing(connection, f"/tags/{quote(name)}", tag=name)
    return page("tag/show.html", listing=listing, topics=listing.topics)


@blueprint.post("/topics/<int:topic_id>/tags")
@shows_again(topic.show_edit)
def change(topic_id: int) -> Response:
    """Let a topic have exactly the tags that were typed."""
    names = split_tags(Form.of_request().text("tags"))
    with current().database.transaction() as connection:
        tag_topic(connection, topic_id, names, now=now())
    return see_other(f"/topics/{topic_id}")


@blueprint.app_template_global()
def topic_tags(topic_id: int) -> tuple[str, ...]:
    """The names of a topic's tags; the page gives its topics as ``topics``, or its one as ``topic``."""
    found: dict[int, tuple[str, ...]] = g.get("topic_tags", {})
    return found.get(topic_id, ())


@blueprint.app_template_global()
def tag_suggestions(own: str) -> list[str]:
    """What can be chosen while a field of tags is filled in: what stands there already, and one more after it."""
    names = [name.strip() for name in split_tags(own)]
    try:
        with page_read() as connection:
            known = tag_store.list_tag_names(connection, limit=MOST_LISTED)
    except Unavailable:
        return []
    here = {name.casefold() for name in names}
    return [", ".join([*names, name]) for name in known if name.casefold() not in here]


def read_topic_tags(_app: Flask, context: dict[str, Any], **_more: Any) -> None:
    """Before a template is rendered that was given ``topics`` or ``topic``: read their tags, in one statement."""
    given = context.get("topics") or ([context["topic"]] if context.get("topic") else ())
    topic_ids = [each.id for each in given]
    if topic_ids:
        with page_read() as connection:
            g.topic_tags = tag_store.list_tags_of_topics(connection, topic_ids)


@blueprint.record_once
def _listen(state: Any) -> None:
    before_render_template.connect(read_topic_tags, state.app)
