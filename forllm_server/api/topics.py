"""``/api/v1/topics``: titled discussions and their threads."""

from typing import Any

from forllm_server.api.contract import Noun, PageQuery, database, listing, page_of
from forllm_server.api.schemas_forum import PostOut, TopicChange, TopicOut
from forllm_server.clock import now
from forllm_server.forum import post_store, topic_store, topics
from forllm_server.forum.model import Topic
from forllm_server.forum.rendering import ensure_html
from forllm_server.web.current import current
from forllm_server.web.paging import decode_cursor

blueprint = Noun("Topics", "Titled discussions. A new one is opened in its subforum.")


@blueprint.route("/topics/<int:topic_id>", methods=["GET"])
@blueprint.response(200, TopicOut)
def show(topic_id: int) -> Topic:
    """Read one topic."""
    with current().database.read() as connection:
        return topic_store.get_topic(connection, topic_id)


@blueprint.route("/topics/<int:topic_id>", methods=["PATCH"])
@blueprint.arguments(TopicChange)
@blueprint.response(200, TopicOut)
def change(values: dict[str, Any], topic_id: int) -> Topic:
    """Rename a topic."""
    with current().database.transaction() as connection:
        return topics.rename_topic(connection, topic_id, title=values["title"])


@blueprint.route("/topics/<int:topic_id>", methods=["DELETE"])
@blueprint.response(204)
def delete(topic_id: int) -> str:
    """Put a topic into the trash."""
    with current().database.transaction() as connection:
        topics.delete_topic(connection, topic_id, now())
    return ""


@blueprint.route("/topics/<int:topic_id>/posts", methods=["GET"])
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, listing(PostOut))
def show_posts(query: dict[str, Any], topic_id: int) -> dict[str, Any]:
    """List the posts of a topic in the order of the thread, each with its depth."""
    after = decode_cursor(query.get("after"), bytes)
    with current().database.read() as connection:
        topic_store.get_topic(connection, topic_id)
        found = post_store.list_page(connection, topic_id, after=after[0] if after else None, limit=query["limit"] + 1)
    page = page_of(found, query["limit"], lambda post: (post.path,))
    return page | {"items": ensure_html(database(), page["items"])}
