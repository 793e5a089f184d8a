"""The first page: the subforums, what is new, and the night."""

from flask import Blueprint, Response

from forllm_server.clock import now
from forllm_server.forum.topic_store import list_recent_topics
from forllm_server.jobs.standing import list_standings
from forllm_server.queue.llm_request_store import count_by_status, list_llm_requests, list_plan
from forllm_server.queue.model import Status
from forllm_server.schedule.gate import read_gate
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current
from forllm_server.web.fragments import page

blueprint = Blueprint("home", __name__)

NEW_TOPICS = 12
FAILED_SHOWN = 3


@blueprint.get("/")
def show() -> Response:
    """Subforums (from the frame), the newest topics, and what tonight brings."""
    with current().database.read() as connection:
        topics = list_recent_topics(connection, limit=NEW_TOPICS)
        counts = count_by_status(connection)
        failed = list_llm_requests(connection, statuses=[Status.FAILED], limit=FAILED_SHOWN)
        running = [item for item in list_plan(connection, limit=8) if item.status is Status.RUNNING]
        standings = list_standings(connection, [*failed, *running], now())
        gate = read_gate(connection, now(), read_settings(connection).zone)
    return page(
        "home/show.html",
        topics=topics,
        queued=counts.get(Status.QUEUED, 0) + counts.get(Status.WAITING, 0),
        failed_count=counts.get(Status.FAILED, 0),
        failed=failed,
        running=running,
        standings=standings,
        gate_words=gate.words(),
        is_open=gate.is_open(),
    )
