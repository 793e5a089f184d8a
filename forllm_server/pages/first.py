"""The first minutes: what to do in an empty forum, who could answer, and a sample to look at."""

from dataclasses import dataclass

from flask import Blueprint, Response

from forllm_server.catalog.model import BackendKind
from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.exchange.sample import add_sample, find_sample, remove_sample
from forllm_server.forum.rail_store import list_subforum_names
from forllm_server.forum.topic_store import list_recent_topics
from forllm_server.pages.naming import model_words
from forllm_server.queue.history_store import HistoryFilter, list_history
from forllm_server.schedule.window_store import count_windows
from forllm_server.web.current import current
from forllm_server.web.fragments import notice, see_other
from forllm_server.web.snapshot import page_read

blueprint = Blueprint("first", __name__)


@dataclass(frozen=True)
class FirstMinutes:
    """How far the first evening is. ``models``: names of those that could answer, the embedded one last.

    ``is_over``: somebody was asked; what is left to offer is to remove the sample.
    """

    subforum_id: int | None
    topic_id: int | None
    has_window: bool
    models: tuple[str, ...]
    has_only_embedded: bool
    sample_id: int | None
    has_subforums: bool
    is_over: bool = False


@blueprint.app_template_global()
def first_minutes() -> FirstMinutes | None:
    """What the first page teaches; once anybody was ever asked, only that a sample can go: None where there is none."""
    with page_read() as connection:
        sample_id = find_sample(connection)
        if list_history(connection, HistoryFilter(), limit=1).llm_requests:
            return _over(sample_id) if sample_id is not None else None
        subforums = [id for id, _ in list_subforum_names(connection)]
        topics = [topic for topic in list_recent_topics(connection, limit=10) if topic.subforum_id != sample_id]
        listed = [each for each in list_models(connection, is_available=True) if each.is_backend_enabled]
        has_window = count_windows(connection) > 0
    listed.sort(key=lambda each: each.backend_kind is BackendKind.EMBEDDED)
    return FirstMinutes(
        subforum_id=next((id for id in subforums if id != sample_id), None),
        topic_id=topics[0].id if topics else None,
        has_window=has_window,
        models=tuple(model_words(each.model.name, each.model.backend_id) for each in listed),
        has_only_embedded=bool(listed) and listed[0].backend_kind is BackendKind.EMBEDDED,
        sample_id=sample_id,
        has_subforums=bool(subforums),
    )


def _over(sample_id: int) -> FirstMinutes:
    return FirstMinutes(
        subforum_id=None,
        topic_id=None,
        has_window=False,
        models=(),
        has_only_embedded=False,
        sample_id=sample_id,
        has_subforums=True,
        is_over=True,
    )


@blueprint.post("/first/sample")
def add() -> Response:
    """Add the sample subforum."""
    with current().database.transaction() as connection:
        sample_id = add_sample(connection, now())
    notice("The sample is there. A button on Home removes it again.")
    return see_other(f"/subforums/{sample_id}")


@blueprint.post("/first/sample/removal")
def remove() -> Response:
    """Put the sample subforum into the trash."""
    with current().database.transaction() as connection:
        remove_sample(connection, now())
    notice("The sample is removed. It lies in the trash, with whatever you wrote in it.")
    return see_other("/")
