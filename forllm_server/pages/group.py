"""What was asked together, as one fan-out: where each of it stands, and calling it off."""

from flask import Blueprint, Response

from forllm_server.clock import now
from forllm_server.forum import post_store, topic_store
from forllm_server.jobs.fanning import cancel_group, get_group
from forllm_server.jobs.standing import list_standings
from forllm_server.pages.words import counted
from forllm_server.personas.version_store import list_versions_by_ids
from forllm_server.web.current import current
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("group", __name__)


@blueprint.get("/queue/groups/<string:group_id>")
def show(group_id: str) -> Response:
    """One line for each reply that was asked for."""
    with current().database.read() as connection:
        requests = get_group(connection, group_id)
        standings = list_standings(connection, requests, now())
        versions = {
            version.id: version
            for version in list_versions_by_ids(connection, {each.persona_version_id or 0 for each in requests})
        }
        question = post_store.get_post(connection, requests[0].post_id or 0)
        topic = topic_store.get_topic(connection, question.topic_id)
    return page(
        "group/show.html",
        group_id=group_id,
        requests=requests,
        standings=standings,
        versions=versions,
        question=question,
        topic=topic,
        live_count=sum(each.is_live for each in requests),
    )


@blueprint.post("/queue/groups/<string:group_id>/cancellation")
def cancel(group_id: str) -> Response:
    """Call off all that is not answered yet."""
    with current().database.transaction() as connection:
        post_id = get_group(connection, group_id)[0].post_id
        changes = cancel_group(connection, group_id, now())
    current().wake_worker()
    notice(f"{counted(len(changes.changed), 'request')} called off.")
    return see_other(f"/posts/{post_id}" if post_id else "/queue")
