"""Recurring topics: "every Monday at 22:00", what is opened then, and who is asked."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.forum.subforum_store import list_subforums
from forllm_server.jobs.recurring import open_now
from forllm_server.pages.frame import current_settings
from forllm_server.pages.naming import model_label
from forllm_server.pages.words import counted
from forllm_server.personas.persona_store import list_personas
from forllm_server.schedule import recurring
from forllm_server.schedule.planning import read_clock
from forllm_server.schedule.recurrence import (
    MOST_CAUGHT_UP,
    Missed,
    RecurringDraft,
    RecurringTopic,
    TopicAsk,
    next_words,
    recurrence_words,
)
from forllm_server.schedule.recurring_store import get_recurring_topic, list_recurring_topics
from forllm_server.schedule.windows import DAYS
from forllm_server.schedule.words import DAY_WORDS, clock_words
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("recurring", __name__)

LIST = "/schedule/recurring"
#: how many can be chosen at once in a form; more by changing it again
LEAST_ASK_ROWS = 3
NOBODY = "nobody"

MISSED_WORDS = (
    (Missed.LATEST.value, "open the last one, once"),
    (Missed.SKIP.value, "leave them out"),
    (Missed.ALL.value, f"open all of them, {MOST_CAUGHT_UP} at most"),
)


@dataclass(frozen=True)
class AskRow:
    """A line of the form that says whom to ask: the names of its two fields and what is chosen in them."""

    number: int
    persona: str
    model: str


@blueprint.get(LIST)
def show() -> Response:
    """All of them, each with its next occurrence in words."""
    with current().database.read() as connection:
        found = list_recurring_topics(connection)
    return page(
        "recurring/list.html",
        recurring_topics=found,
        recurrence_words=recurrence_words,
        next_words=lambda item: next_words(item, now(), current_settings().zone),
    )


@blueprint.get(f"{LIST}/new")
def show_new() -> Response:
    """The form of a new one, in the subforum ``?subforum_id=``."""
    subforum_id = Form(request.args.to_dict(flat=False)).integer("subforum_id", least=1, most=2**63 - 1)
    return page("recurring/new.html", subforum_id=subforum_id or "", **_choices(None))


@blueprint.post(f"{LIST}/new")
@shows_again(show_new)
def create() -> Response:
    """Add one."""
    draft = _draft(Form.of_request())
    with current().database.transaction() as connection:
        added = recurring.add_recurring_topic(connection, draft, owner_id=current_user_id(), now=now())
    notice(f"“{added.title}”: {_next(added)}.")
    return see_other(LIST)


@blueprint.get(f"{LIST}/<int:recurring_id>")
def show_edit(recurring_id: int) -> Response:
    """The form that changes one."""
    with current().database.read() as connection:
        item = get_recurring_topic(connection, recurring_id)
    return page(
        "recurring/edit.html", item=item, words=recurrence_words(item), next_words=_next(item), **_choices(item)
    )


@blueprint.post(f"{LIST}/<int:recurring_id>")
@shows_again(show_edit)
def change(recurring_id: int) -> Response:
    """Change one."""
    draft = _draft(Form.of_request())
    with current().database.transaction() as connection:
        changed = recurring.change_recurring_topic(connection, recurring_id, draft, now())
    notice(f"“{changed.title}”: {_next(changed)}.")
    return see_other(LIST)


def _show_after(recurring_id: int) -> Response:
    """The list again, when a button of one of its rows could not be followed."""
    return show()


@blueprint.post(f"{LIST}/<int:recurring_id>/enable")
@shows_again(_show_after)
def enable(recurring_id: int) -> Response:
    """Switch one on."""
    with current().database.transaction() as connection:
        enabled = recurring.enable_recurring_topic(connection, recurring_id, now())
    notice(f"“{enabled.title}”: {_next(enabled)}.")
    return see_other(LIST)


@blueprint.post(f"{LIST}/<int:recurring_id>/disable")
def disable(recurring_id: int) -> Response:
    """Switch one off."""
    with current().database.transaction() as connection:
        disabled = recurring.disable_recurring_topic(connection, recurring_id)
    notice(f"“{disabled.title}” is switched off.")
    return see_other(LIST)


@blueprint.post(f"{LIST}/<int:recurring_id>/runs")
@shows_again(_show_after)
def run(recurring_id: int) -> Response:
    """Open its topic once now; when it is due next stays as it is."""
    with current().database.transaction() as connection:
        opened = open_now(connection, recurring_id, now())
    current().wake_worker()
    asked = len(opened.llm_request_ids)
    notice(f"Opened; {counted(asked, 'question is', 'questions are')} queued." if asked else "Opened.")
    for problem in opened.problems:
        notice(problem, kind="warning")
    return see_other(f"/topics/{opened.topic_id}")


@blueprint.get(f"{LIST}/<int:recurring_id>/delete")
def show_delete(recurring_id: int) -> Response:
    """Ask before deleting one."""
    with current().database.read() as connection:
        item = get_recurring_topic(connection, recurring_id)
    return page("recurring/delete.html", item=item)


@blueprint.post(f"{LIST}/<int:recurring_id>/delete")
def delete(recurring_id: int) -> Response:
    """Delete one. The topics that it opened stay."""
    with current().database.transaction() as connection:
        recurring.delete_recurring_topic(connection, recurring_id)
    notice("The recurring topic was deleted.")
    return see_other(LIST)


def _next(item: RecurringTopic) -> str:
    return next_words(item, now(), current_settings().zone)


def _draft(form: Form) -> RecurringDraft:
    return recurring.new_recurring_topic(
        subforum_id=form.integer("subforum_id", least=1, most=2**63 - 1) or 0,
        title=form.text("title"),
        content=form.text("content"),
        days=form.words("days"),
        minute=read_clock(form.text("minute", longest=20, is_required=True), "minute"),
        asks=_asks(form),
        timezone=form.text("timezone", longest=100).strip() or None,
        missed=form.choice("missed", [missed.value for missed in Missed], default=Missed.LATEST),
        is_enabled=form.flag("is_enabled"),
    )


def _asks(form: Form) -> list[TopicAsk]:
    asks = []
    for number in range(1, recurring.MAX_ASKS + 1):
        persona = f"persona_{number}"
        if form.has(persona) and form.text(persona, longest=40) != NOBODY:
            persona_id = form.integer(persona, least=1, most=2**63 - 1)
            asks.append(TopicAsk(persona_id, form.integer(f"model_{number}", least=1, most=2**63 - 1)))
    return asks


def _choices(item: RecurringTopic | None) -> dict[str, Any]:
    """What the form offers; what was chosen before and is gone since is named as such, so that it is not lost."""
    asks = item.asks if item is not None else (TopicAsk(),)
    with current().database.read() as connection:
        subforums = [(subforum.id, subforum.name) for subforum in list_subforums(connection)]
        personas = _personas(connection, asks)
        models = _models(connection, asks)
    if item is not None and item.subforum_name is None:
        subforums.insert(0, (item.subforum_id, "one that is in the trash"))
    return {
        "subforums": subforums,
        "personas": personas,
        "models": models,
        "ask_rows": _ask_rows(asks),
        "missed_words": MISSED_WORDS,
        "day_words": tuple(DAY_WORDS.items()),
        "days": item.days if item is not None else frozenset({DAYS[0]}),
        "clock_words": clock_words,
    }


def _ask_rows(asks: tuple[TopicAsk, ...]) -> list[AskRow]:
    count = min(max(LEAST_ASK_ROWS, len(asks) + 1), recurring.MAX_ASKS)
    rows = [AskRow(n, _value(ask.persona_id), _value(ask.model_id)) for n, ask in enumerate(asks, start=1)]
    return rows + [AskRow(n, NOBODY, "") for n in range(len(rows) + 1, count + 1)]


def _personas(connection: Connection, asks: tuple[TopicAsk, ...]) -> list[tuple[str, str]]:
    personas = list_personas(connection)
    gone = {ask.persona_id for ask in asks} - {persona.id for persona in personas} - {None}
    return [
        (NOBODY, "Nobody"),
        ("", "Whoever answers in that subforum"),
        *((str(persona.id), persona.name) for persona in sorted(personas, key=lambda persona: persona.name)),
        *((_value(persona_id), "one that was deleted") for persona_id in gone),
    ]


def _models(connection: Connection, asks: tuple[TopicAsk, ...]) -> list[tuple[str, str]]:
    chosen = {ask.model_id for ask in asks} - {None}
    listed = list_models(connection)
    offered = [each for each in listed if each.may_be_asked or each.model.id in chosen]
    gone = chosen - {each.model.id for each in listed}
    return [
        ("", "The persona’s own, else the default"),
        *((str(each.model.id), model_label(each) + ("" if each.may_be_asked else " · not there")) for each in offered),
        *((_value(model_id), "one that is gone") for model_id in gone),
    ]


def _value(row_id: int | None) -> str:
    return "" if row_id is None else str(row_id)
