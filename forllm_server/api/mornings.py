"""``/api/v1/mornings``: the reports of nights."""

from datetime import date
from typing import Any

from forllm_server.api.contract import Noun
from forllm_server.api.schemas_notify import MorningOut
from forllm_server.clock import now
from forllm_server.errors import NotFound
from forllm_server.morning.model import Report, TopicNews
from forllm_server.morning.report import read_report
from forllm_server.web.current import current

blueprint = Noun("Mornings", "What a night brought: replies by topic, failures, figures, pauses.")

LATEST = "latest"


@blueprint.route("/mornings/<day>", methods=["GET"])
@blueprint.response(200, MorningOut)
def show(day: str) -> dict[str, Any]:
    """Read the report of a night by the date of its morning, as `2026-11-20`; `latest` is the last one."""
    with current().database.read() as connection:
        return _shown(read_report(connection, None if day == LATEST else _day(day), now()))


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if day.isoformat() != text or day == date.min:
        raise NotFound("There is no such day. Write it as 2026-11-20, or latest.", field="day")
    return day


def _shown(report: Report) -> dict[str, Any]:
    night = report.night
    return {
        "day": night.day,
        "begins_at": night.begins_at,
        "ends_at": night.ends_at,
        "counts_from": night.counts_from,
        "counts_until": night.counts_until,
        "is_latest": report.is_latest,
        "is_under_way": report.is_under_way,
        "waiting": report.waiting,
        "figures": report.figures,
        "topics": [_topic(topic) for topic in report.topics],
        "failed_llm_request_ids": [request.id for request in report.failed],
        "pauses": report.pauses,
    }


def _topic(topic: TopicNews) -> dict[str, Any]:
    gist = topic.gist if topic.gist is not None and topic.gist.is_written else None
    return {
        "topic_id": topic.topic_id,
        "title": topic.title,
        "subforum_id": topic.subforum_id,
        "replies": topic.replies,
        "gist": gist,
    }
