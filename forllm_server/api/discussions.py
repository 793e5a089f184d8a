"""``/api/v1/discussions``: debates and councils; and the automatic replies of a topic."""

from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.api.contract import Noun, listing, page_of
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_discussion import (
    AutomaticRepliesIn,
    AutomaticRepliesOut,
    DiscussionIn,
    DiscussionOut,
    DiscussionsQuery,
    DiscussionWholeOut,
    PlanOut,
)
from forllm_server.clock import now
from forllm_server.discussions import automatic_store
from forllm_server.discussions import discussion_store as store
from forllm_server.discussions.making import DiscussionDraft, SeatDraft
from forllm_server.discussions.model import AutomaticReplies, Discussion, Kind, Limits
from forllm_server.discussions.wording import progress_words, state_words
from forllm_server.errors import NotFound
from forllm_server.forum import topic_store
from forllm_server.jobs import automatic
from forllm_server.jobs.discussing import begin, length_of, stop
from forllm_server.jobs.discussion_plan import plan_words, remaining_words
from forllm_server.jobs.discussion_prompts import result_of_steps
from forllm_server.web.current import current, current_user_id
from forllm_server.web.paging import decode_cursor

blueprint = Noun("Discussions", "Debates and councils of personas, and automatic replies.")


@blueprint.route("/discussions", methods=["GET"])
@blueprint.arguments(DiscussionsQuery, location="query")
@blueprint.response(200, listing(DiscussionOut))
def show_list(query: dict[str, Any]) -> dict[str, Any]:
    """List debates and councils, the newest first."""
    cursor = decode_cursor(query.get("after"), int)
    limit = query["limit"]
    part: dict[str, Any] = {"before_id": cursor[0] if cursor else None, "limit": limit + 1}
    with current().database.read() as connection:
        if "topic_id" in query:
            topic_store.get_topic(connection, query["topic_id"])
            found = store.list_discussions_of_topic(connection, query["topic_id"], **part)
        else:
            found = store.list_discussions(connection, **part)
    return page_of(found, limit, lambda discussion: (discussion.id,))


@blueprint.route("/posts/<int:post_id>/discussions", methods=["POST"])
@blueprint.arguments(DiscussionIn)
@blueprint.response(201, DiscussionWholeOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add(values: dict[str, Any], post_id: int) -> Response:
    """Have a post debated, or convene a council about it."""
    draft = _draft(values, post_id)

    def work(connection: Connection) -> Any:
        begun = begin(connection, draft, owner_id=current_user_id(), now=now())
        return DiscussionWholeOut().dump(_whole(connection, begun))

    return create(work, location="/api/v1/discussions/{id}")


@blueprint.route("/posts/<int:post_id>/discussion-plans", methods=["POST"])
@blueprint.arguments(DiscussionIn)
@blueprint.response(200, PlanOut)
def plan(values: dict[str, Any], post_id: int) -> dict[str, Any]:
    """Tell what it would add to the queue. Nothing is begun."""
    draft = _draft(values, post_id)
    with current().database.read() as connection:
        return {"llm_requests": length_of(draft), "words": plan_words(connection, draft, now())}


@blueprint.route("/discussions/<int:discussion_id>", methods=["GET"])
@blueprint.response(200, DiscussionWholeOut)
def show(discussion_id: int) -> dict[str, Any]:
    """Read one with its steps and its ranking."""
    with current().database.read() as connection:
        return _whole(connection, store.get_discussion(connection, discussion_id))


@blueprint.route("/discussions/<int:discussion_id>/cancellation", methods=["POST"])
@blueprint.response(200, DiscussionWholeOut)
def cancel(discussion_id: int) -> dict[str, Any]:
    """Stop it: what waits is called off. What was said stays."""
    with current().database.transaction() as connection:
        found = _whole(connection, stop(connection, discussion_id, now()))
    current().wake_worker()
    return found


@blueprint.route("/topics/<int:topic_id>/automatic-replies", methods=["GET"])
@blueprint.response(200, AutomaticRepliesOut)
def show_automatic(topic_id: int) -> AutomaticReplies:
    """Read the automatic replies of a topic, on or over. 404 when there never were any."""
    with current().database.read() as connection:
        topic_store.get_topic(connection, topic_id)
        return _existing(automatic_store.find_automatic(connection, topic_id))


@blueprint.route("/topics/<int:topic_id>/automatic-replies", methods=["PUT"])
@blueprint.arguments(AutomaticRepliesIn)
@blueprint.response(200, AutomaticRepliesOut)
def turn_on(values: dict[str, Any], topic_id: int) -> AutomaticReplies:
    """Turn them on, counted anew: the personas answer every new post by a person, within the limits."""
    with current().database.transaction() as connection:
        return automatic.turn_on(connection, topic_id, owner_id=current_user_id(), now=now(), **values)


@blueprint.route("/topics/<int:topic_id>/automatic-replies", methods=["DELETE"])
@blueprint.response(204)
def turn_off(topic_id: int) -> str:
    """Turn them off. What was asked is still answered."""
    with current().database.transaction() as connection:
        automatic.turn_off(connection, topic_id, now())
    return ""


def _existing(found: AutomaticReplies | None) -> AutomaticReplies:
    if found is None:
        raise NotFound("There are no automatic replies in this topic, and never were.")
    return found


def _whole(connection: Connection, discussion: Discussion) -> dict[str, Any]:
    steps = store.list_steps(connection, discussion.id)
    return vars(discussion) | {
        "steps": steps,
        "ranking": result_of_steps(steps),
        "progress": progress_words(discussion, steps),
        "state": state_words(discussion, steps),
        "remaining": remaining_words(connection, discussion, steps, now()),
    }


def _draft(values: dict[str, Any], post_id: int) -> DiscussionDraft:
    kind = Kind(values["kind"])
    limits = Limits(values["max_turns"], values["max_tokens"], values["max_minutes"])
    return DiscussionDraft(
        kind=kind,
        post_id=post_id,
        seats=tuple(SeatDraft(**seat) for seat in values["seats"]),
        closer=SeatDraft(**values["closer"]) if values["closer"] else None,
        motion=values["motion"],
        limits=limits if kind is Kind.DEBATE else Limits(),
        is_run_now=values["is_run_now"],
    )
