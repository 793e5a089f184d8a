"""Automatic replies of a topic: turning them on within limits, seeing how far they are, stopping them."""

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Response, g, request
from sqlalchemy import Connection

from forllm_server.clock import now
from forllm_server.discussions.automatic_store import find_automatic
from forllm_server.discussions.making import (
    LEAST_DEEP,
    LEAST_HOURS,
    LEAST_REPLIES,
    MOST_AUTOMATIC_PERSONAS,
    MOST_DEEP,
    MOST_HOURS,
    MOST_REPLIES,
    USUAL_DEEP,
    USUAL_HOURS,
    USUAL_REPLIES,
)
from forllm_server.discussions.model import AutomaticReplies
from forllm_server.discussions.wording import AUTOMATIC_ENDING_WORDS
from forllm_server.forum import topic_store
from forllm_server.jobs.automatic import turn_off, turn_on
from forllm_server.pages.words import counted
from forllm_server.personas.persona_store import find_persona, list_personas
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other
from forllm_server.web.snapshot import page_read

blueprint = Blueprint("automatic", __name__)

_BIGGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class AutomaticView:
    """The automatic replies of a topic in words."""

    names: str
    words: tuple[str, ...]
    is_on: bool
    until_at: datetime | None
    ending: str


@blueprint.get("/topics/<int:topic_id>/automatic-replies")
def show(topic_id: int) -> Response:
    """How they stand, and the form that turns them on."""
    with current().database.read() as connection:
        topic = topic_store.get_topic(connection, topic_id)
        found = find_automatic(connection, topic_id)
        personas = [(str(each.id), f"{each.name} v{each.version.number}") for each in list_personas(connection)]
    g.subforum_id = topic.subforum_id
    chosen = [str(persona_id) for persona_id in found.persona_ids] if found else []
    return page(
        "automatic/edit.html",
        topic=topic,
        automatic=automatic_of(topic_id),
        personas=personas,
        chosen=request.form.getlist("persona_ids") if request.form else chosen,
        values={
            "is_each_other": bool(found and found.is_each_other),
            "most_deep": found.most_deep if found else USUAL_DEEP,
            "most_replies": found.most_replies if found else USUAL_REPLIES,
            "hours": USUAL_HOURS,
        },
        deep=(LEAST_DEEP, MOST_DEEP),
        replies=(LEAST_REPLIES, MOST_REPLIES),
        hours=(LEAST_HOURS, MOST_HOURS),
        most_personas=MOST_AUTOMATIC_PERSONAS,
    )


@blueprint.post("/topics/<int:topic_id>/automatic-replies")
@shows_again(show)
def change(topic_id: int) -> Response:
    """Turn them on, counted anew."""
    form = Form.of_request()
    with current().database.transaction() as connection:
        found = turn_on(
            connection,
            topic_id,
            owner_id=current_user_id(),
            persona_ids=form.integers("persona_ids", most=_BIGGEST_ID),
            is_each_other=form.flag("is_each_other"),
            most_deep=form.integer("most_deep", least=LEAST_DEEP, most=MOST_DEEP, default=USUAL_DEEP) or 0,
            most_replies=form.integer("most_replies", least=LEAST_REPLIES, most=MOST_REPLIES, default=USUAL_REPLIES)
            or 0,
            hours=form.integer("hours", least=LEAST_HOURS, most=MOST_HOURS),
            now=now(),
        )
    number = counted(len(found.persona_ids), "persona answers", "personas answer")
    notice(
        f"From now on {number} by themselves here.",
        undo=f"/topics/{topic_id}/automatic-replies/stop",
    )
    return see_other(f"/topics/{topic_id}")


@blueprint.post("/topics/<int:topic_id>/automatic-replies/stop")
def stop(topic_id: int) -> Response:
    """Turn them off. What was asked is still answered."""
    with current().database.transaction() as connection:
        turn_off(connection, topic_id, now())
    notice("No more automatic replies here. What was asked already is still answered; cancel it where it stands.")
    return see_other(f"/topics/{topic_id}")


@blueprint.app_template_global()
def automatic_of(topic_id: int) -> AutomaticView | None:
    """The automatic replies of a topic, on or over; None when there never were any."""
    with page_read() as connection:
        found = find_automatic(connection, topic_id)
        return None if found is None else _view(connection, found)


def _view(connection: Connection, found: AutomaticReplies) -> AutomaticView:
    personas = [find_persona(connection, persona_id) for persona_id in found.persona_ids]
    names = ", ".join(each.name if each and not each.is_deleted else "a deleted persona" for each in personas)
    words = [f"{found.asked_count} of {counted(found.most_replies, 'reply', 'replies')} asked for"]
    if found.is_each_other:
        words.append(f"one another, up to {found.most_deep} deep")
    # Their time may be over without anybody having posted since.
    is_over = found.until_at is not None and now() >= found.until_at
    ending = AUTOMATIC_ENDING_WORDS[found.ending] if found.ending else "their time is over"
    return AutomaticView(names, tuple(words), found.is_on and not is_over, found.until_at, ending)
