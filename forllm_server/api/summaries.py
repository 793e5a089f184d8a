"""``/api/v1/summaries``: summaries of long threads, of topics and of replies, with their versions."""

from collections.abc import Sequence
from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.api.contract import Noun, listing
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_summary import (
    PostSummaryIn,
    SummaryChange,
    SummaryOut,
    SummaryRenewalIn,
    SummaryVersionOut,
    TopicSummaryIn,
)
from forllm_server.clock import now
from forllm_server.forum import post_store, topic_store
from forllm_server.jobs.summarising import Wanted, ask_again, ask_summary, write_by_hand
from forllm_server.queue.llm_request_store import list_by_ids
from forllm_server.queue.model import LlmRequest
from forllm_server.summaries import summary_store
from forllm_server.summaries.editing import remove_summary, restore_version
from forllm_server.summaries.model import Coverage, Summary, SummaryScope, SummaryVersion
from forllm_server.web.current import current, current_user_id

blueprint = Noun("Summaries", "Threads, topics and replies in short, with their versions.")


@blueprint.route("/topics/<int:topic_id>/summaries", methods=["GET"])
@blueprint.response(200, listing(SummaryOut))
def show_of_topic(topic_id: int) -> dict[str, Any]:
    """List the summaries of a topic, the newest first."""
    with current().database.read() as connection:
        topic_store.get_topic(connection, topic_id)
        found = summary_store.list_summaries(connection, topic_id)
        return {"items": _described(connection, found), "next": None}


@blueprint.route("/topics/<int:topic_id>/summaries", methods=["POST"])
@blueprint.arguments(TopicSummaryIn)
@blueprint.response(202, SummaryOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add_of_topic(values: dict[str, Any], topic_id: int) -> Response:
    """Ask for a summary of all posts of a topic. One that is being written is not asked for twice."""

    def work(connection: Connection) -> Any:
        root = post_store.get_root(connection, topic_id)
        return _ask(connection, Wanted(current_user_id(), SummaryScope.TOPIC, root.id, is_run_now=values["run_now"]))

    return create(work, status=202, location="/api/v1/summaries/{id}")


@blueprint.route("/posts/<int:post_id>/summaries", methods=["POST"])
@blueprint.arguments(PostSummaryIn)
@blueprint.response(202, SummaryOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add_of_post(values: dict[str, Any], post_id: int) -> Response:
    """Ask for a summary of the way to a post, or of replies to it."""

    def work(connection: Connection) -> Any:
        scope, chosen = SummaryScope(values["scope"]), tuple(values["post_ids"])
        return _ask(connection, Wanted(current_user_id(), scope, post_id, chosen, is_run_now=values["run_now"]))

    return create(work, status=202, location="/api/v1/summaries/{id}")


@blueprint.route("/summaries/<int:summary_id>", methods=["GET"])
@blueprint.response(200, SummaryOut)
def show(summary_id: int) -> dict[str, Any]:
    """Read a summary with its present version, and whether that still holds."""
    with current().database.read() as connection:
        return _described(connection, [summary_store.get_summary(connection, summary_id)])[0]


@blueprint.route("/summaries/<int:summary_id>", methods=["PATCH"])
@blueprint.arguments(SummaryChange)
@blueprint.response(200, SummaryOut)
def change(values: dict[str, Any], summary_id: int) -> dict[str, Any]:
    """Write a summary by hand, as its next version."""
    with current().database.transaction() as connection:
        write_by_hand(
            connection,
            summary_id,
            content=values["content"],
            editor_id=current_user_id(),
            now=now(),
            expected_number=values.get("version"),
        )
        return _described(connection, [summary_store.get_summary(connection, summary_id)])[0]


@blueprint.route("/summaries/<int:summary_id>", methods=["DELETE"])
@blueprint.response(204)
def remove(summary_id: int) -> str:
    """Put a summary away: models get the posts alone."""
    with current().database.transaction() as connection:
        remove_summary(connection, summary_id, now())
    return ""


@blueprint.route("/summaries/<int:summary_id>/versions", methods=["GET"])
@blueprint.response(200, listing(SummaryVersionOut))
def show_versions(summary_id: int) -> dict[str, Any]:
    """List all versions of a summary, the newest first."""
    with current().database.read() as connection:
        summary_store.get_summary(connection, summary_id)
        versions: list[SummaryVersion] = summary_store.list_versions(connection, summary_id)
    return {"items": versions, "next": None}


@blueprint.route("/summaries/<int:summary_id>/versions/<int:number>/restoration", methods=["POST"])
@blueprint.response(200, SummaryOut)
def restore(summary_id: int, number: int) -> dict[str, Any]:
    """Take an earlier version again, as a new one."""
    with current().database.transaction() as connection:
        restore_version(connection, summary_id, number, editor_id=current_user_id(), now=now())
        return _described(connection, [summary_store.get_summary(connection, summary_id)])[0]


@blueprint.route("/summaries/<int:summary_id>/renewals", methods=["POST"])
@blueprint.arguments(SummaryRenewalIn)
@blueprint.response(202, SummaryOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def renew(values: dict[str, Any], summary_id: int) -> Response:
    """Have a summary written anew from its posts as they are now."""

    def work(connection: Connection) -> Any:
        owner_id, is_run_now = current_user_id(), values["run_now"]
        asked = ask_again(connection, summary_id, owner_id=owner_id, now=now(), is_run_now=is_run_now)
        return _dumped(connection, asked.summary_id)

    return create(work, status=202, location="/api/v1/summaries/{id}")


def _ask(connection: Connection, wanted: Wanted) -> Any:
    return _dumped(connection, ask_summary(connection, wanted, now()).summary_id)


def _dumped(connection: Connection, summary_id: int) -> Any:
    return SummaryOut().dump(_described(connection, [summary_store.get_summary(connection, summary_id)])[0])


def _described(connection: Connection, found: Sequence[Summary]) -> list[dict[str, Any]]:
    versions = [summary.version.id for summary in found if summary.version is not None]
    coverage = summary_store.list_coverage(connection, versions)
    requests = list_by_ids(connection, {each.llm_request_id for each in found if each.llm_request_id is not None})
    return [
        _facts(each, coverage.get(each.version.id if each.version else 0), requests.get(each.llm_request_id or 0))
        for each in found
    ]


def _facts(summary: Summary, coverage: Coverage | None, request: LlmRequest | None) -> dict[str, Any]:
    covered = coverage or Coverage(())
    return {
        "summary": summary,
        "post_ids": list(covered.post_ids),
        "is_stale": covered.is_stale,
        "changes": [{"post_id": post.post_id, "change": post.change} for post in covered.changes],
        "status": request.status if request else None,
    }
