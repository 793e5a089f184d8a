"""``/api/v1/posts``: single messages, replies to them, and asking models about them."""

from typing import Any

from flask import Response, jsonify
from sqlalchemy import Connection

from forllm_server.api.asking import (
    ask_about,
    ask_group,
    ask_mentioned,
    ask_one,
    describe,
    describe_asked,
    describe_group,
)
from forllm_server.api.attachments import take_files
from forllm_server.api.contract import Noun, database, listing
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_forum import ExclusionIn, PostAskedOut, PostChange, PostOut, ReplyIn, RevisionOut
from forllm_server.api.schemas_llm import AskedTogetherOut, FanOutIn, LlmRequestIn, LlmRequestWholeOut
from forllm_server.clock import now
from forllm_server.forum import editing, post_store, revision_store
from forllm_server.forum.model import Post
from forllm_server.forum.rendering import ensure_html
from forllm_server.jobs.mentioning import find_mentioned
from forllm_server.web.current import current, current_user_id

blueprint = Noun("Posts", "Messages. A reply is a post with a parent.")


@blueprint.route("/posts/<int:post_id>", methods=["GET"])
@blueprint.response(200, PostOut)
def show(post_id: int) -> Post:
    """Read one post."""
    with current().database.read() as connection:
        post = post_store.get_post(connection, post_id)
    return ensure_html(database(), [post])[0]


@blueprint.route("/posts/<int:post_id>", methods=["PATCH"])
@blueprint.arguments(PostChange)
@blueprint.response(200, PostAskedOut)
def change(values: dict[str, Any], post_id: int) -> Response:
    """Edit a post; its earlier text is kept. Who is called in the text newly (`@skeptic`) is asked for a reply."""
    with current().database.transaction() as connection:
        before = post_store.get_post(connection, post_id)
        post = editing.edit_post(connection, post_id, editor_id=current_user_id(), now=now(), **values)
        mentioned = find_mentioned(connection, post.content, earlier_text=before.content)
        asked = describe_asked(connection, ask_mentioned(connection, post, mentioned), mentioned)
    current().wake_worker()
    return jsonify(PostOut().dump(ensure_html(database(), [post])[0]) | asked)


@blueprint.route("/posts/<int:post_id>", methods=["DELETE"])
@blueprint.response(204)
def delete(post_id: int) -> str:
    """Put a post into the trash. Its replies stay."""
    with current().database.transaction() as connection:
        editing.delete_post(connection, post_id, now())
    return ""


@blueprint.route("/posts/<int:post_id>/exclusion", methods=["PUT"])
@blueprint.arguments(ExclusionIn)
@blueprint.response(200, PostOut)
def exclude(values: dict[str, Any], post_id: int) -> Post:
    """Keep a post from models, or show it to them again. What is asked about it itself still sees it."""
    with current().database.transaction() as connection:
        post = editing.exclude_post(connection, post_id, **values)
    return ensure_html(database(), [post])[0]


@blueprint.route("/posts/<int:post_id>/revisions", methods=["GET"])
@blueprint.response(200, listing(RevisionOut))
def show_revisions(post_id: int) -> dict[str, Any]:
    """List the earlier texts of a post, newest first."""
    with current().database.read() as connection:
        post_store.get_post(connection, post_id)
        return {"items": revision_store.list_revisions(connection, post_id), "next": None}


@blueprint.route("/posts/<int:post_id>/replies", methods=["POST"])
@blueprint.arguments(ReplyIn)
@blueprint.response(201, PostAskedOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def reply(values: dict[str, Any], post_id: int) -> Response:
    """Reply to a post, and ask for answers to the reply: those named here and those called in its text (`@skeptic`)."""

    def work(connection: Connection) -> Any:
        post = editing.add_reply(
            connection, owner_id=current_user_id(), parent_id=post_id, content=values["content"], now=now()
        )
        take_files(connection, post.id, values["attachment_ids"])
        return PostOut().dump(post) | ask_about(connection, post, values["ask"], is_reply=True)

    return create(work, location="/api/v1/posts/{id}")


@blueprint.route("/posts/<int:post_id>/fan-outs", methods=["POST"])
@blueprint.arguments(FanOutIn)
@blueprint.response(202, AskedTogetherOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def fan_out(values: dict[str, Any], post_id: int) -> Response:
    """Ask several personas on several models about a post, as one group that can be called off at once."""

    def work(connection: Connection) -> Any:
        return describe_group(connection, ask_group(connection, post_id, values))

    return create(work, status=202)


@blueprint.route("/posts/<int:post_id>/llm-requests", methods=["POST"])
@blueprint.arguments(LlmRequestIn)
@blueprint.response(202, LlmRequestWholeOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def ask(values: dict[str, Any], post_id: int) -> Response:
    """Ask for an answer to a post. Asked twice, the first LLM request is given again, unless `another` is true."""

    def work(connection: Connection) -> Any:
        return describe(connection, ask_one(connection, post_id, values))

    return create(work, status=202, location="/api/v1/llm-requests/{id}")
