"""The first minutes: what to do in an empty forum, who could answer, and a sample to look at."""

from dataclasses import dataclass

from flask import Blueprint, Response

from forllm_server.catalog.model import BackendKind
from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.exchange.sample import add_sample, find_sample, remove_sample
from forllm_server.forum.rail_store import list_subforum_names
from forllm_server.forum.topic_store import list_recent_topics
from forllm_server.queue.llm_request_store import count_by_status
from forllm_server.schedule.window_store import count_windows
from forllm_server.web.current import current
from forllm_server.web.fragments import notice, see_other

blueprint = Blueprint("first", __name__)


@dataclass(frozen=True)
class FirstMinutes:
    """How far the first evening is. ``models``: names of those that could answer, the embedded one last."""

    subforum_id: int | None
    topic_id: int | None
    has_window: bool
    models: tuple[str, ...]
    has_only_embedded: bool
    sample_id: int | None
    has_subforums: bool


@blueprint.app_template_global()
def first_minutes() -> FirstMinutes | None:
    """What the first page teaches; None as soon as anybody was ever asked."""
    with current().database.read() as connection:
        if count_by_status(connection):
            return None
        sample_id = find_sample(connection)
        subforums = [id for id, _ in list_subforum_names(connection)]
        topics = [topic for topic in list_recent_topics(connection, limit=10) if topic.subforum_id != sample_id]
        listed = [each for each in list_models(connection, is_available=True) if each.is_backend_enabled]
        has_window = count_windows(connection) > 0
    listed.sort(key=lambda each: each.backend_kind is BackendKind.EMBEDDED)
    return FirstMinutes(
        subforum_id=next((id for id in subforums if id != sample_id), None),
        topic_id=topics[0].id if topics else None,
        has_window=has_window,
        models=tuple(each.model.name for each in listed),
        has_only_embedded=bool(listed) and listed[0].backend_kind is BackendKind.EMBEDDED,
        sample_id=sample_id,
        has_subforums=bool(subforums),
    )


@blueprint.post("/first/sample")
def add() -> Response:
    """Add the sample subforum."""
    with current().database.transaction() as connection:
        sample_id = add_sample(connection, now())
    notice("The sample is there. The first page removes it again.")
    return see_other(f"/subforums/{sample_id}")


@blueprint.post("/first/sample/removal")
def remove() -> Response:
    """Put the sample subforum into the trash."""
    with current().database.transaction() as connection:
        remove_sample(connection, now())
    notice("The sample is removed. It lies in the trash, with whatever you wrote in it.")
    return see_other("/")
