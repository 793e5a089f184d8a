"""``/api/v1/recurring-topics``: topics that are opened from a template at a time of the week."""

from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.api.contract import Noun, listing
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_recurring import RecurringTopicChange, RecurringTopicIn, RecurringTopicOut, RunOut
from forllm_server.clock import now
from forllm_server.jobs.recurring import open_now
from forllm_server.schedule import recurring, recurring_store
from forllm_server.schedule.recurrence import RecurringTopic
from forllm_server.web.current import current, current_user_id

blueprint = Noun("Recurring topics", "Topics opened from a template at a time of the week, and asked about.")


@blueprint.route("/recurring-topics", methods=["GET"])
@blueprint.response(200, listing(RecurringTopicOut))
def show_list() -> dict[str, Any]:
    """List the recurring topics, those that are switched off too."""
    with current().database.read() as connection:
        return {"items": recurring_store.list_recurring_topics(connection), "next": None}


@blueprint.route("/recurring-topics", methods=["POST"])
@blueprint.arguments(RecurringTopicIn)
@blueprint.response(201, RecurringTopicOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add(values: dict[str, Any]) -> Response:
    """Add a recurring topic. It is opened for the first time at its next occurrence."""

    def work(connection: Connection) -> Any:
        draft = recurring.new_recurring_topic(**values)
        added = recurring.add_recurring_topic(connection, draft, owner_id=current_user_id(), now=now())
        return RecurringTopicOut().dump(added)

    return create(work, location="/api/v1/recurring-topics/{id}")


@blueprint.route("/recurring-topics/<int:recurring_id>", methods=["GET"])
@blueprint.response(200, RecurringTopicOut)
def show(recurring_id: int) -> RecurringTopic:
    """Read one recurring topic."""
    with current().database.read() as connection:
        return recurring_store.get_recurring_topic(connection, recurring_id)


@blueprint.route("/recurring-topics/<int:recurring_id>", methods=["PATCH"])
@blueprint.arguments(RecurringTopicChange)
@blueprint.response(200, RecurringTopicOut)
def change(values: dict[str, Any], recurring_id: int) -> RecurringTopic:
    """Change some fields of a recurring topic; `is_enabled` switches it on and off."""
    with current().database.transaction() as connection:
        before = recurring_store.get_recurring_topic_to_change(connection, recurring_id)
        return recurring.change_recurring_topic(
            connection, recurring_id, recurring.changed_draft(before, values), now()
        )


@blueprint.route("/recurring-topics/<int:recurring_id>", methods=["DELETE"])
@blueprint.response(204)
def delete(recurring_id: int) -> str:
    """Delete a recurring topic. The topics that it opened stay."""
    with current().database.transaction() as connection:
        recurring.delete_recurring_topic(connection, recurring_id)
    return ""


@blueprint.route("/recurring-topics/<int:recurring_id>/runs", methods=["POST"])
@blueprint.response(201, RunOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def run(recurring_id: int) -> Response:
    """Open its topic once now, and ask about it. When it is due next stays as it is."""

    def work(connection: Connection) -> Any:
        return RunOut().dump(open_now(connection, recurring_id, now()))

    return create(work, location="/api/v1/topics/{topic_id}")
