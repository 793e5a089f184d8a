"""``/api/v1/topics``: titled discussions and their threads."""

from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.activity.carrying import carry_note, carry_posts, carry_topic, read_before
from forllm_server.api.contract import PREFIX, Noun, PageQuery, database, listing, page_of
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_forum import MergeIn, PostOut, SplitIn, TopicChange, TopicOut, TopicsQuery
from forllm_server.api.tags import page_of_topics, with_tags
from forllm_server.clock import now
from forllm_server.forum import arranging, post_store, topic_store, topics
from forllm_server.forum.model import Post
from forllm_server.forum.rendering import ensure_html
from forllm_server.forum.tagging import tag_topic
from forllm_server.summaries.summary_store import update_topics
from forllm_server.web.current import current, current_user_id
from forllm_server.web.paging import decode_cursor

blueprint = Noun("Topics", "Titled discussions. A new one is opened in its subforum.")


@blueprint.route("/topics", methods=["GET"])
@blueprint.arguments(TopicsQuery, location="query")
@blueprint.response(200, listing(TopicOut))
def show_list(query: dict[str, Any]) -> dict[str, Any]:
    """List the topics of all subforums."""
    with current().database.read() as connection:
        return page_of_topics(connection, query)


@blueprint.route("/topics/<int:topic_id>", methods=["GET"])
@blueprint.response(200, TopicOut)
def show(topic_id: int) -> Any:
    """Read one topic. One that was merged into another leads there (301)."""
    with current().database.read() as connection:
        successor_id = topic_store.find_successor_id(connection, topic_id)
        if successor_id is not None:
            return Response(status=301, headers={"Location": f"{PREFIX}/topics/{successor_id}"})
        return with_tags(connection, [topic_store.get_topic(connection, topic_id)])[0]


@blueprint.route("/topics/<int:topic_id>", methods=["PATCH"])
@blueprint.arguments(TopicChange)
@blueprint.response(200, TopicOut)
def change(values: dict[str, Any], topic_id: int) -> dict[str, Any]:
    """Rename, move, pin, lock or tag a topic."""
    with current().database.transaction() as connection:
        topic_store.get_topic_to_change(connection, topic_id)
        if "title" in values:
            topics.rename_topic(connection, topic_id, title=values["title"])
        if "tags" in values:
            tag_topic(connection, topic_id, values["tags"], now=now())
        if "subforum_id" in values:
            before = read_before(connection, current_user_id(), topic_id)
            arranging.move_topic(connection, topic_id, subforum_id=values["subforum_id"])
            carry_topic(connection, current_user_id(), before)
        if "is_pinned" in values:
            arranging.pin_topic(connection, topic_id, is_pinned=values["is_pinned"])
        if "is_locked" in values:
            arranging.lock_topic(connection, topic_id, is_locked=values["is_locked"])
        return with_tags(connection, [topic_store.get_topic(connection, topic_id)])[0]


@blueprint.route("/topics/<int:topic_id>/merge", methods=["POST"])
@blueprint.arguments(MergeIn)
@blueprint.response(200, PostOut)
def merge(values: dict[str, Any], topic_id: int) -> Post:
    """Hang all posts of a topic below a post of another one; answers with the first of them."""
    with current().database.transaction() as connection:
        before = read_before(connection, current_user_id(), topic_id)
        moved = arranging.merge_topic(connection, topic_id, now=now(), **values)
        there = moved.first.topic_id
        carry_posts(connection, current_user_id(), before, to_topic_id=there, post_ids=moved.post_ids)
        update_topics(connection, before.topic_id)
        carry_note(connection, current_user_id(), before, to_topic_id=there, now=now())
    return ensure_html(database(), [moved.first])[0]


@blueprint.route("/posts/<int:post_id>/split", methods=["POST"])
@blueprint.arguments(SplitIn)
@blueprint.response(201, TopicOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def split(values: dict[str, Any], post_id: int) -> Response:
    """Make a post and all that hangs on it a topic of its own, in the same subforum and with the same tags."""

    def work(connection: Connection) -> Any:
        topic_id = post_store.get_post(connection, post_id).topic_id
        before = read_before(connection, current_user_id(), topic_id)
        moved = arranging.split_post(connection, post_id, **values)
        there = moved.first.topic_id
        carry_posts(connection, current_user_id(), before, to_topic_id=there, post_ids=moved.post_ids)
        update_topics(connection, before.topic_id)
        return TopicOut().dump(with_tags(connection, [topic_store.get_topic(connection, there)])[0])

    return create(work, location="/api/v1/topics/{id}")


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
