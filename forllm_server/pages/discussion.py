"""Debates and councils: beginning one about a post, watching it, stopping it."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, g, render_template, request
from sqlalchemy import Connection

from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.discussions import discussion_store as store
from forllm_server.discussions.making import (
    LEAST_SEATS,
    MOST_SEATS,
    MOTION_MAX_CHARS,
    ROLE_MAX_CHARS,
    USUAL_MINUTES,
    USUAL_TOKENS,
    USUAL_TURNS,
    DiscussionDraft,
    SeatDraft,
)
from forllm_server.discussions.model import Discussion, Kind, Limits, Seat, Step, StepKind
from forllm_server.discussions.wording import step_words
from forllm_server.errors import ForllmError, NotFound
from forllm_server.forum import post_store, topic_store
from forllm_server.forum.model import Topic
from forllm_server.forum.rendering import ensure_html
from forllm_server.jobs.discussing import begin, stop
from forllm_server.jobs.discussion_plan import plan_words, remaining_words
from forllm_server.jobs.fanning import new_group_id
from forllm_server.jobs.standing import Standing, list_standings
from forllm_server.pages.database import database
from forllm_server.pages.discussion_rows import DiscussionView, ranking_of, view_of
from forllm_server.pages.naming import model_label
from forllm_server.personas.persona_store import list_personas
from forllm_server.queue.line_store import list_llm_requests_by_ids
from forllm_server.queue.model import LlmRequest
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again, was_entered
from forllm_server.web.fragments import notice, page, see_other
from forllm_server.web.snapshot import page_read

blueprint = Blueprint("discussion", __name__)

LIST = "/discussions"
PER_PAGE = 50
#: So many of a topic are shown in it, the newest.
SHOWN_IN_TOPIC = 5
_BIGGEST_ID = 2**63 - 1
_KIND = "<any(debate, council):kind>"
_ROLES = ("for", "against")


@dataclass(frozen=True)
class StepRow:
    """A step of a discussion with its LLM request, where that still is there."""

    step: Step
    words: str
    seat: Seat
    request: LlmRequest | None
    standing: Standing | None


@blueprint.get(LIST)
def show_list() -> Response:
    """All debates and councils, the newest first."""
    before_id = Form(request.args.to_dict(flat=False)).integer("before", least=1, most=_BIGGEST_ID)
    with current().database.read() as connection:
        found = store.list_discussions(connection, before_id=before_id, limit=PER_PAGE + 1)
        views = _views(connection, found[:PER_PAGE])
        titles = topic_store.list_titles(connection, {each.topic_id for each in found if each.topic_id is not None})
    following = f"{LIST}?before={found[PER_PAGE - 1].id}" if len(found) > PER_PAGE else ""
    return page("discussion/list.html", views=views, titles=titles, next=following)


@blueprint.get(f"/posts/<int:post_id>/{_KIND}")
def show_new(post_id: int, kind: str) -> Response:
    """The form that begins one, with what it would add to the queue."""
    return _form_page(post_id, Kind(kind))


@blueprint.post(f"/posts/<int:post_id>/{_KIND}/preview")
@shows_again(show_new)
def preview(post_id: int, kind: str) -> Response:
    """What it would add to the queue; nothing is begun."""
    with current().database.read() as connection:
        plan_words(connection, _draft(Form.of_request(), Kind(kind), post_id), now())
    return _form_page(post_id, Kind(kind))


@blueprint.post(f"/posts/<int:post_id>/{_KIND}/estimate")
def show_estimate(post_id: int, kind: str) -> Response:
    """The same as a part of the page; empty for what cannot be begun so."""
    text = render_template("writing/_addition.html", adds=_adds(Form.of_request(), Kind(kind), post_id))
    return Response(text, content_type="text/html; charset=utf-8")


@blueprint.post(f"/posts/<int:post_id>/{_KIND}")
@shows_again(show_new)
def create(post_id: int, kind: str) -> Response:
    """Begin one."""
    draft = _draft(Form.of_request(), Kind(kind), post_id)
    with current().database.transaction() as connection:
        discussion = begin(connection, draft, owner_id=current_user_id(), now=now())
    current().wake_worker()
    notice(f"The {kind} has begun.", undo=f"{LIST}/{discussion.id}/cancellation")
    return see_other(f"{LIST}/{discussion.id}")


@blueprint.get(f"{LIST}/<int:discussion_id>")
def show(discussion_id: int) -> Response:
    """Where it stands, step by step; of a council also the ranking."""
    with current().database.read() as connection:
        discussion = store.get_discussion(connection, discussion_id)
        steps = store.list_steps(connection, discussion_id)
        topic = _find_topic(connection, discussion)
        rows = _step_rows(connection, discussion, steps)
        remaining = remaining_words(connection, discussion, steps, now())
        answer = _answer_text(connection, steps)
    if topic is not None:
        g.subforum_id = topic.subforum_id
    return page(
        "discussion/show.html",
        block="progress",
        view=view_of(discussion, steps),
        topic=topic,
        rows=rows,
        remaining=remaining,
        ranking=ranking_of(discussion, steps, answer),
    )


@blueprint.post(f"{LIST}/<int:discussion_id>/cancellation")
def cancel(discussion_id: int) -> Response:
    """Stop it: what waits is called off, what was said stays."""
    with current().database.transaction() as connection:
        discussion = stop(connection, discussion_id, now())
    current().wake_worker()
    notice(f"The {discussion.kind.value} is stopped. What was said stays.")
    if Form.of_request().text("next") == "topic" and discussion.topic_id is not None:
        return see_other(f"/topics/{discussion.topic_id}")
    return see_other(f"{LIST}/{discussion_id}")


@blueprint.app_template_global()
def discussions_of(topic_id: int) -> list[DiscussionView]:
    """The newest debates and councils of a topic, for its page."""
    with page_read() as connection:
        return _views(connection, store.list_discussions_of_topic(connection, topic_id, limit=SHOWN_IN_TOPIC))


def _views(connection: Connection, found: Sequence[Discussion]) -> list[DiscussionView]:
    steps = store.list_steps_of(connection, [each.id for each in found])
    return [view_of(each, steps[each.id]) for each in found]


def _step_rows(connection: Connection, discussion: Discussion, steps: Sequence[Step]) -> list[StepRow]:
    requests = {each.id: each for each in list_llm_requests_by_ids(connection, [step.llm_request_id for step in steps])}
    standings = list_standings(connection, list(requests.values()), now())
    return [
        StepRow(
            step=step,
            words=step_words(discussion, step),
            seat=discussion.seat(step.seat),
            request=requests.get(step.llm_request_id),
            standing=standings.get(step.llm_request_id),
        )
        for step in steps
    ]


def _answer_text(connection: Connection, steps: Sequence[Step]) -> str:
    ids = [step.post_id for step in steps if step.kind is StepKind.ANSWER and step.post_id is not None]
    return "".join(post.content for post in post_store.list_posts(connection, ids)) if ids else ""


def _find_topic(connection: Connection, discussion: Discussion) -> Topic | None:
    """Its topic; None when it was deleted."""
    try:
        return topic_store.get_topic(connection, discussion.topic_id or 0)
    except NotFound:
        return None


def _form_page(post_id: int, kind: Kind) -> Response:
    with current().database.read() as connection:
        post = post_store.get_post(connection, post_id)
        topic = topic_store.get_topic(connection, post.topic_id)
        personas = [(str(each.id), f"{each.name} v{each.version.number}") for each in list_personas(connection)]
        models = [
            (str(each.model.id), model_label(each))
            for each in list_models(connection, is_available=True)
            if each.may_be_asked
        ]
    g.subforum_id = topic.subforum_id
    (shown,) = ensure_html(database(), [post])
    values = request.form.to_dict() if request.form else _usual(kind, [value for value, _ in personas])
    adds = "" if was_entered() else _adds(Form({name: [value] for name, value in values.items()}), kind, post_id)
    return page(
        "discussion/new.html",
        topic=topic,
        post=shown,
        kind=kind.value,
        personas=personas,
        models=models,
        values=values,
        adds=adds,
        least=LEAST_SEATS[kind],
        most=MOST_SEATS[kind],
        motion_max_chars=MOTION_MAX_CHARS,
        role_max_chars=ROLE_MAX_CHARS,
        group_id=values.get("group_id") or new_group_id(),
    )


def _usual(kind: Kind, persona_ids: Sequence[str]) -> dict[str, str]:
    """What stands in the form at first: the oldest personas, and caps that a night allows."""
    number = LEAST_SEATS[kind]
    values = {f"persona_{place}": each for place, each in enumerate(persona_ids[:number], start=1)}
    values["closer"] = persona_ids[0] if persona_ids else ""
    if kind is Kind.DEBATE:
        values.setdefault("persona_2", values["closer"])
        values |= {f"role_{place}": role for place, role in enumerate(_ROLES, start=1)}
        values |= {"turns": str(USUAL_TURNS), "tokens": str(USUAL_TOKENS), "minutes": str(USUAL_MINUTES)}
    return values


def _adds(form: Form, kind: Kind, post_id: int) -> str:
    try:
        with current().database.read() as connection:
            return plan_words(connection, _draft(form, kind, post_id), now())
    except ForllmError:
        # What is wrong is said when it is to be begun; until then there is nothing to be foretold.
        return ""


def _draft(form: Form, kind: Kind, post_id: int) -> DiscussionDraft:
    seats = []
    for place in range(1, MOST_SEATS[kind] + 1):
        persona_id = form.integer(f"persona_{place}", least=1, most=_BIGGEST_ID)
        if persona_id is not None:
            model_id = form.integer(f"model_{place}", least=1, most=_BIGGEST_ID)
            seats.append(SeatDraft(persona_id, model_id, form.text(f"role_{place}", longest=1_000)))
    closer_id = form.integer("closer", least=1, most=_BIGGEST_ID)
    closer_model_id = form.integer("closer_model", least=1, most=_BIGGEST_ID)
    return DiscussionDraft(
        kind=kind,
        post_id=post_id,
        seats=tuple(seats),
        closer=SeatDraft(closer_id, closer_model_id) if closer_id is not None else None,
        motion=form.text("motion", longest=10_000),
        limits=Limits(form.integer("turns"), form.integer("tokens"), form.integer("minutes")),
        is_run_now=form.flag("is_run_now"),
        group_id=form.text("group_id", longest=100),
    )
