"""``/api/v1/trash``: what was deleted and can be restored, until it is erased."""

from datetime import datetime
from typing import Any

from forllm_server.api.contract import Noun, PageQuery, listing, page_of
from forllm_server.api.schemas_forum import ErasureOut, PostOut, SubforumOut, TopicOut, TrashItemOut
from forllm_server.api.schemas_llm import PersonaOut
from forllm_server.clock import now
from forllm_server.forum.editing import restore_post
from forllm_server.forum.model import Post, Subforum, Topic
from forllm_server.forum.subforums import restore_subforum
from forllm_server.forum.topics import restore_topic
from forllm_server.forum.trash_store import list_trash
from forllm_server.jobs.erasing import Erased, erase_trash
from forllm_server.personas.model import Persona
from forllm_server.personas.trash import restore_persona
from forllm_server.web.current import current
from forllm_server.web.paging import decode_cursor

blueprint = Noun("Trash", "What was deleted. It can be restored until it is erased.")


@blueprint.route("/trash", methods=["GET"])
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, listing(TrashItemOut))
def show_list(query: dict[str, Any]) -> dict[str, Any]:
    """List what can be restored, last deleted first."""
    after = decode_cursor(query.get("after"), datetime, str, int)
    with current().database.read() as connection:
        found = list_trash(connection, limit=query["limit"] + 1, after=after)
    return page_of(found, query["limit"], lambda item: item.place)


@blueprint.route("/trash", methods=["DELETE"])
@blueprint.response(200, ErasureOut)
def erase() -> Erased:
    """Erase everything in the trash for good."""
    with current().database.transaction() as connection:
        return erase_trash(connection, older_than_days=0, now=now())


@blueprint.route("/subforums/<int:subforum_id>/restoration", methods=["POST"])
@blueprint.response(200, SubforumOut)
def restore_deleted_subforum(subforum_id: int) -> Subforum:
    """Take a subforum out of the trash, with its topics."""
    with current().database.transaction() as connection:
        return restore_subforum(connection, subforum_id)


@blueprint.route("/topics/<int:topic_id>/restoration", methods=["POST"])
@blueprint.response(200, TopicOut)
def restore_deleted_topic(topic_id: int) -> Topic:
    """Take a topic out of the trash. Its subforum must be there."""
    with current().database.transaction() as connection:
        return restore_topic(connection, topic_id)


@blueprint.route("/posts/<int:post_id>/restoration", methods=["POST"])
@blueprint.response(200, PostOut)
def restore_deleted_post(post_id: int) -> Post:
    """Take a post out of the trash."""
    with current().database.transaction() as connection:
        return restore_post(connection, post_id)


@blueprint.route("/personas/<int:persona_id>/restoration", methods=["POST"])
@blueprint.response(200, PersonaOut)
def restore_deleted_persona(persona_id: int) -> Persona:
    """Take a persona out of the trash, with its versions and assignments."""
    with current().database.transaction() as connection:
        return restore_persona(connection, persona_id)
