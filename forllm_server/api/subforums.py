"""``/api/v1/subforums``: the shelves that topics stand on, and opening a topic."""

from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.api.asking import ask_about
from forllm_server.api.attachments import take_files
from forllm_server.api.contract import Noun, listing
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_forum import (
    PostOut,
    SubforumChange,
    SubforumGroupChange,
    SubforumGroupIn,
    SubforumGroupOut,
    SubforumIn,
    SubforumOut,
    TopicCreatedOut,
    TopicIn,
    TopicOut,
    TopicsQuery,
)
from forllm_server.api.tags import page_of_topics, with_tags
from forllm_server.clock import now
from forllm_server.forum import group_store, groups, subforum_store, subforums, topics
from forllm_server.forum.model import Subforum, SubforumGroup
from forllm_server.forum.tagging import tag_topic
from forllm_server.web.current import current, current_user_id

blueprint = Noun("Subforums", "Shelves that topics stand on.")


@blueprint.route("/subforums", methods=["GET"])
@blueprint.response(200, listing(SubforumOut))
def show_list() -> dict[str, Any]:
    """List the subforums: those in no group first, then group by group, in the order people gave them."""
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
    """Rename, describe, group, colour or move a subforum."""
    position = values.pop("position", None)
    given = {name: values.pop(name) for name in ("group_id", "colour") if name in values}
    with current().database.transaction() as connection:
        subforums.change_subforum(connection, subforum_id, **values)
        if "group_id" in given:
            subforums.group_subforum(connection, subforum_id, given["group_id"])
        if "colour" in given:
            subforums.colour_subforum(connection, subforum_id, given["colour"])
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
@blueprint.arguments(TopicsQuery, location="query")
@blueprint.response(200, listing(TopicOut))
def show_topics(query: dict[str, Any], subforum_id: int) -> dict[str, Any]:
    """List the topics of a subforum. Pinned ones stand where the order puts them, with `is_pinned`."""
    with current().database.read() as connection:
        subforum_store.get_subforum(connection, subforum_id)
        return page_of_topics(connection, query, subforum_id)


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
        if values["tags"]:
            tag_topic(connection, topic.id, values["tags"], now=now())
        take_files(connection, post.id, values["attachment_ids"])
        asked = ask_about(connection, post, values["ask"])
        made = TopicOut().dump(with_tags(connection, [topic])[0])
        return made | {"first_post": PostOut().dump(post)} | asked

    return create(work, location="/api/v1/topics/{id}")


@blueprint.route("/subforum-groups", methods=["GET"])
@blueprint.response(200, listing(SubforumGroupOut))
def show_groups() -> dict[str, Any]:
    """List the groups of subforums, in the order people gave them."""
    with current().database.read() as connection:
        return {"items": group_store.list_groups(connection), "next": None}


@blueprint.route("/subforum-groups", methods=["POST"])
@blueprint.arguments(SubforumGroupIn)
@blueprint.response(201, SubforumGroupOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add_group(values: dict[str, Any]) -> Response:
    """Add a group at the end of the list."""

    def work(connection: Connection) -> Any:
        return SubforumGroupOut().dump(groups.add_group(connection, owner_id=current_user_id(), now=now(), **values))

    return create(work, location="/api/v1/subforum-groups/{id}")


@blueprint.route("/subforum-groups/<int:group_id>", methods=["GET"])
@blueprint.response(200, SubforumGroupOut)
def show_group(group_id: int) -> SubforumGroup:
    """Read one group."""
    with current().database.read() as connection:
        return group_store.get_group(connection, group_id)


@blueprint.route("/subforum-groups/<int:group_id>", methods=["PATCH"])
@blueprint.arguments(SubforumGroupChange)
@blueprint.response(200, SubforumGroupOut)
def change_group(values: dict[str, Any], group_id: int) -> SubforumGroup:
    """Rename or move a group."""
    with current().database.transaction() as connection:
        if "name" in values:
            groups.rename_group(connection, group_id, name=values["name"])
        if "position" in values:
            groups.move_group(connection, group_id, position=values["position"])
        return group_store.get_group(connection, group_id)


@blueprint.route("/subforum-groups/<int:group_id>", methods=["DELETE"])
@blueprint.response(204)
def remove_group(group_id: int) -> str:
    """Remove a group; its subforums stay, in none."""
    with current().database.transaction() as connection:
        groups.remove_group(connection, group_id)
    return ""
