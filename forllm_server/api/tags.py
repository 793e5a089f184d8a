"""``/api/v1/tags``: the words that topics are found by; and topics as the API tells them, with their tags."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.api.contract import MOST_PER_PAGE, Noun, listing
from forllm_server.api.schemas_forum import TagOut
from forllm_server.clock import now
from forllm_server.forum import tag_store, topic_store
from forllm_server.forum.model import Topic, TopicOrder
from forllm_server.forum.topic_store import TopicCursor
from forllm_server.markup.names import name_key
from forllm_server.schedule.gate import last_opening
from forllm_server.web.current import current, current_user_id
from forllm_server.web.paging import decode_cursor

blueprint = Noun("Tags", "Words that topics of several subforums are found by.")


@blueprint.route("/tags", methods=["GET"])
@blueprint.response(200, listing(TagOut))
def show_list() -> dict[str, Any]:
    """List the tags that most topics have, by name."""
    with current().database.read() as connection:
        return {"items": tag_store.list_tags(connection, limit=MOST_PER_PAGE), "next": None}


def with_tags(connection: Connection, topics: Sequence[Topic]) -> list[dict[str, Any]]:
    """Topics with the names of their tags."""
    tags = tag_store.list_tags_of_topics(connection, [topic.id for topic in topics]) if topics else {}
    return [asdict(topic) | {"tags": tags.get(topic.id, ())} for topic in topics]


def page_of_topics(connection: Connection, query: dict[str, Any], subforum_id: int | None = None) -> dict[str, Any]:
    """A page of topics as ``TopicsQuery`` asks for it. Raises Malformed (the cursor) and NotFound (the tag)."""
    order, limit, tag = TopicOrder(query["order"]), query["limit"], query.get("tag")
    is_by_id = tag is not None or order is TopicOrder.AWAITING
    after = decode_cursor(query.get("after"), *((int,) if is_by_id else (datetime, int)))
    cursor = TopicCursor(*((None, *after) if is_by_id else after)) if after else None
    if tag is not None:
        tag_id = tag_store.get_tag_by_key(connection, name_key(tag)).id
        page = topic_store.list_page_of_tag(connection, tag_id, limit=limit, subforum_id=subforum_id, after=cursor)
    else:
        page = topic_store.list_page(
            connection,
            order,
            limit=limit,
            subforum_id=subforum_id,
            after=cursor,
            since=last_opening(connection, now()) if order is TopicOrder.FINISHED else None,
            voter_id=current_user_id(),
        )
    following = page.next
    keys = None if following is None else (following.id,) if following.at is None else (following.at, following.id)
    return {"items": with_tags(connection, page.topics), "next": keys}
