"""The first page: the subforums, what is new, and the night."""

from collections.abc import Mapping, Sequence

from flask import Blueprint, Response

from forllm_server.clock import now
from forllm_server.forum.topic_store import list_recent_topics
from forllm_server.jobs.standing import Standing, list_standings
from forllm_server.queue.llm_request_store import count_by_status, list_llm_requests, list_plan
from forllm_server.queue.model import LlmRequest, Status
from forllm_server.schedule.gate import read_gate
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current
from forllm_server.web.fragments import page

blueprint = Blueprint("home", __name__)

NEW_TOPICS = 12
FAILED_SHOWN = 3
#: Of so many the newest of each kind is shown.
FAILED_READ = 20


@blueprint.get("/")
def show() -> Response:
    """Subforums (from the frame), the newest topics, and what tonight brings."""
    with current().database.read() as connection:
        topics = list_recent_topics(connection, limit=NEW_TOPICS)
        counts = count_by_status(connection)
        failed = list_llm_requests(connection, statuses=[Status.FAILED], limit=FAILED_READ)
        running = [item for item in list_plan(connection, limit=8) if item.status is Status.RUNNING]
        standings = list_standings(connection, [*failed, *running], now())
        gate = read_gate(connection, now(), read_settings(connection).zone)
    return page(
        "home/show.html",
        topics=topics,
        queued=counts.get(Status.QUEUED, 0) + counts.get(Status.WAITING, 0),
        failed_count=counts.get(Status.FAILED, 0),
        failed=_one_of_each(failed, standings),
        running=running,
        standings=standings,
        gate_words=gate.words(),
        is_open=gate.is_open(),
    )


def _one_of_each(failed: Sequence[LlmRequest], standings: Mapping[int, Standing]) -> list[LlmRequest]:
    """The newest of each model and reason: what was said once is not said again."""
    kinds: dict[tuple[str | None, str], LlmRequest] = {}
    for llm_request in failed:
        kinds.setdefault((llm_request.model_name, standings[llm_request.id].sentence), llm_request)
    return list(kinds.values())[:FAILED_SHOWN]
