"""``/api/v1/subforums``: the shelves that topics stand on, and opening a topic."""

from datetime import datetime
from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.api.asking import ask_about
from forllm_server.api.contract import Noun, PageQuery, listing, page_of
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_forum import (
    PostOut,
    SubforumChange,
    SubforumIn,
    SubforumOut,
    TopicCreatedOut,
    TopicIn,
    TopicOut,
)
from forllm_server.clock import now
from forllm_server.forum import subforum_store, subforums, topic_store, topics
from forllm_server.forum.model import Subforum
from forllm_server.forum.topic_store import TopicCursor
from forllm_server.web.current import current, current_user_id
from forllm_server.web.paging import decode_cursor

blueprint = Noun("Subforums", "Shelves that topics stand on.")


@blueprint.route("/subforums", methods=["GET"])
@blueprint.response(200, listing(SubforumOut))
def show_list() -> dict[str, Any]:
    """List the subforums, in the order people gave them."""
    with current().database.read() as connection:
        return {"items": subforum_store.list_subforums(connection), "next": None}


@blueprint.route("/subforums", methods=["POST"])
@blueprint.arguments(SubforumIn)
@blueprint.response(201, SubforumOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add(values: dict[str, Any]) -> Response:
    """Add a subforum."""

    def work(connection: Connection) -> Any:
        return SubforumOut().dump(subforums.add_subforum(connection, owner_id=current_user_id(), now=now(), **values))

    return create(work, location="/api/v1/subforums/{id}")


@blueprint.route("/subforums/<int:subforum_id>", methods=["GET"])
@blueprint.response(200, SubforumOut)
def show(subforum_id: int) -> Subforum:
    """Read one subforum."""
    with current().database.read() as connection:
        return subforum_store.get_subforum(connection, subforum_id)


@blueprint.route("/subforums/<int:subforum_id>", methods=["PATCH"])
@blueprint.arguments(SubforumChange)
@blueprint.response(200, SubforumOut)
def change(values: dict[str, Any], subforum_id: int) -> Subforum:
    """Rename, describe or move a subforum."""
    position = values.pop("position", None)
    with current().database.transaction() as connection:
        subforums.change_subforum(connection, subforum_id, **values)
        if position is not None:
            subforums.move_subforum(connection, subforum_id, position=position)
        return subforum_store.get_subforum(connection, subforum_id)


@blueprint.route("/subforums/<int:subforum_id>", methods=["DELETE"])
@blueprint.response(204)
def delete(subforum_id: int) -> str:
    """Put a subforum with its topics into the trash."""
    with current().database.transaction() as connection:
        subforums.delete_subforum(connection, subforum_id, now())
    return ""


@blueprint.route("/subforums/<int:subforum_id>/topics", methods=["GET"])
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, listing(TopicOut))
def show_topics(query: dict[str, Any], subforum_id: int) -> dict[str, Any]:
    """List the topics of a subforum, newest activity first."""
    after = decode_cursor(query.get("after"), datetime, int)
    cursor = TopicCursor(*after) if after else None
    with current().database.read() as connection:
        subforum_store.get_subforum(connection, subforum_id)
        found = topic_store.list_topics(connection, subforum_id, limit=query["limit"] + 1, after=cursor)
    return page_of(found, query["limit"], lambda topic: (topic.last_post_at, topic.id))


@blueprint.route("/subforums/<int:subforum_id>/topics", methods=["POST"])
@blueprint.arguments(TopicIn)
@blueprint.response(201, TopicCreatedOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def open_topic(values: dict[str, Any], subforum_id: int) -> Response:
    """Open a topic with its first post, and ask for answers: those named here and those called in its text."""

    def work(connection: Connection) -> Any:
        topic, post = topics.open_topic(
            connection,
            owner_id=current_user_id(),
            subforum_id=subforum_id,
            title=values["title"],
            content=values["content"],
            now=now(),
        )
        asked = ask_about(connection, post, values["ask"])
        return TopicOut().dump(topic) | {"first_post": PostOut().dump(post), "llm_requests": asked}

    return create(work, location="/api/v1/topics/{id}")
