"""What helps while writing: the preview by the renderer of the pages, how much of a model's context a text takes,
who can be called in it, and how Markdown is written."""

from dataclasses import dataclass, replace
from datetime import timedelta

from flask import Blueprint, Response, render_template, request
from sqlalchemy import Connection

from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.forum.attachment_store import list_attachments, list_attachments_of_topic
from forllm_server.forum.post_store import get_post
from forllm_server.forum.topic_store import get_topic
from forllm_server.jobs.forecast import forecast_for_new
from forllm_server.jobs.mentioning import find_mentioned
from forllm_server.jobs.previewing import Draft, estimate
from forllm_server.markup.mentions import handle, slug
from forllm_server.markup.render import render
from forllm_server.pages.asking import Wish, new_ask, read_addition
from forllm_server.pages.bar import BarPart, bar_parts
from forllm_server.pages.chips import with_mentions
from forllm_server.pages.mentioning import wish_of
from forllm_server.pages.naming import model_words
from forllm_server.personas.assignment_store import list_assignments
from forllm_server.personas.model import Persona
from forllm_server.personas.persona_store import list_personas
from forllm_server.prompts.budget import Breakdown
from forllm_server.schedule.words import duration_words
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form
from forllm_server.web.fragments import page

blueprint = Blueprint("writing", __name__)
blueprint.add_app_template_filter(with_mentions, "with_mentions")

#: What the guide shows.
GUIDE = (
    "**bold**, *italic*, ~~gone~~ and `code`",
    "A heading\n### Like this",
    "- one\n- two\n  - and within it\n\n1. first\n2. second",
    "- [ ] to do\n- [x] done",
    "> What somebody said",
    '```python\nprint("with its colours")\n```',
    "[a link](https://example.org) or https://example.org",
    "| Disk | Size |\n| --- | ---: |\n| one | 4 TB |",
    "A sentence with a note.[^1]\n\n[^1]: The note.",
    "$E = mc^2$",
)

#: How many personas are offered at once while one is being called.
MOST_OFFERED = 8
#: Among so many of a topic's newest files the one that is meant is looked for.
MOST_LOOKED_AT = 200
_BIGGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class Callable:
    """A persona that can be called: by ``handle``, on which model, and how long its reply would take about."""

    persona: Persona
    handle: str
    model_name: str
    duration: str
    is_of_subforum: bool


@blueprint.post("/preview")
def show_preview() -> Response:
    """The text as it will look."""
    text = Form.of_request().text("content")
    html = with_mentions(render(text, anchor_prefix="preview").html) if text.strip() else ""
    return _html(html or '<p class="quiet">Nothing to show yet.</p>')


@blueprint.post("/estimate")
def show_estimate() -> Response:
    """How the text would fill the context of the model that would answer it, and what asking adds to the queue."""
    form = Form.of_request()
    wish = chosen = Wish.of_form(form)
    draft = Draft(
        text=form.text("content"),
        title=form.text("title", longest=10_000),
        parent_id=form.integer("parent_id", least=1, most=2**63 - 1),
        subforum_id=form.integer("subforum_id", least=1, most=2**63 - 1),
        persona_id=wish.persona_ids[0],
        model_id=wish.model_id,
    )
    with current().database.read() as connection:
        mentioned = find_mentioned(connection, draft.text)
        wish = wish_of(form, mentioned)
        draft = replace(draft, persona_id=next(iter(wish.persona_ids), draft.persona_id))
        found = estimate(connection, draft)
        tokens = found.new_ask.prompt_tokens if found.new_ask else None
        links = [persona_id for chain in mentioned.chains for persona_id in chain]
        wish = replace(wish, persona_ids=(*wish.persona_ids, *links))
        adds = _addition(connection, wish, draft, tokens) if wish.persona_ids else ""
    parts = parts_of_breakdown(found.breakdown.as_dict()) if isinstance(found.breakdown, Breakdown) else []
    is_called = form.flag("is_asking") and None in chosen.persona_ids and bool(mentioned.persona_ids or links)
    return _html(render_template("writing/_estimate.html", found=found, parts=parts, adds=adds, is_called=is_called))


@blueprint.post("/addition")
def show_addition() -> Response:
    """What asking about a post that is there would add to the queue."""
    form = Form.of_request()
    draft = Draft(text="", parent_id=form.integer("post_id", least=1, most=2**63 - 1, default=0))
    with current().database.read() as connection:
        adds = _addition(connection, Wish.of_form(form), draft, None)
    return _html(render_template("writing/_addition.html", adds=adds))


@blueprint.get("/writing/personas")
def show_personas() -> Response:
    """Who can be called by what was typed after an ``@``, those of the subforum first: the options of a list."""
    form = Form(request.args.to_dict(flat=False))
    typed = slug(form.text("typed", longest=200))
    with current().database.read() as connection:
        subforum_id, topic_id = _place(connection, form)
        assigned = {each.persona_id for each in list_assignments(connection, subforum_id)}
        personas = [persona for persona in list_personas(connection) if typed in slug(persona.name)]
        personas.sort(key=lambda p: (*_how_far(p, typed), p.id not in assigned, p.name.casefold()))
        models = {
            each.model.id: model_words(each.model.name, each.model.backend_id)
            for each in list_models(connection, is_available=True)
        }
        found = [
            _callable(connection, persona, models, assigned, subforum_id, topic_id)
            for persona in personas[:MOST_OFFERED]
        ]
    return _html(render_template("writing/_personas.html", found=found))


@blueprint.get("/writing/files")
def show_files() -> Response:
    """The files that can be linked to by what was typed after a ``#``, the form's own first: the options of a list."""
    form = Form(request.args.to_dict(flat=False))
    typed = form.text("typed", longest=200).casefold()
    ids = form.integers("attachment_ids", most=_BIGGEST_ID)
    with current().database.read() as connection:
        _, topic_id = _place(connection, form)
        own = [each for each in list_attachments(connection, ids) if each.owner_id == current_user_id()]
        others = list_attachments_of_topic(connection, topic_id, limit=MOST_LOOKED_AT) if topic_id else []
    known = {each.id: each for each in (*own, *others)}
    found = [each for each in known.values() if typed in each.name.casefold()]
    return _html(render_template("writing/_files.html", found=found[:MOST_OFFERED]))


@blueprint.get("/writing/guide")
def show_guide() -> Response:
    """How Markdown is written here, with what each line becomes."""
    return page(
        "writing/guide.html", examples=[(source, render(source, anchor_prefix="guide").html) for source in GUIDE]
    )


def _callable(
    connection: Connection,
    persona: Persona,
    models: dict[int, str],
    assigned: set[int],
    subforum_id: int,
    topic_id: int | None,
) -> Callable:
    ask = new_ask(connection, Wish(), persona.id, subforum_id, topic_id)
    seconds = forecast_for_new(connection, [ask], now()).machine_seconds if ask else None
    return Callable(
        persona=persona,
        handle=handle(persona.name),
        model_name=models.get(ask.model_id, "") if ask else "",
        duration=duration_words(timedelta(seconds=seconds)) if seconds is not None else "",
        is_of_subforum=persona.id in assigned,
    )


def _how_far(persona: Persona, typed: str) -> tuple[bool, bool]:
    """For sorting: names that begin with it come before those with a word that does, and these before the rest."""
    word = slug(persona.name)
    return not word.startswith(typed), f"-{typed}" not in word


def _place(connection: Connection, form: Form) -> tuple[int, int | None]:
    post_id = form.integer("parent_id", least=1, most=_BIGGEST_ID)
    if post_id is None:
        return form.integer("subforum_id", least=1, most=_BIGGEST_ID) or 0, None
    topic = get_topic(connection, get_post(connection, post_id).topic_id)
    return topic.subforum_id, topic.id


def _addition(connection: Connection, wish: Wish, draft: Draft, first_prompt_tokens: int | None) -> str:
    if draft.parent_id is None:
        return read_addition(connection, wish, draft.subforum_id or 0, first_prompt_tokens=first_prompt_tokens)
    topic = get_topic(connection, get_post(connection, draft.parent_id).topic_id)
    return read_addition(
        connection, wish, topic.subforum_id, topic_id=topic.id, first_prompt_tokens=first_prompt_tokens
    )


@blueprint.app_template_global()
def parts_of_breakdown(breakdown: dict[str, int]) -> list[BarPart]:
    """Where the tokens of a prompt go, as parts of the model's context."""
    named = (
        ("persona", breakdown["persona_tokens"]),
        ("your instructions", breakdown.get("custom_tokens", 0)),
        ("thread", breakdown["ancestor_tokens"]),
        ("summary of earlier posts", breakdown.get("summary_tokens", 0)),
        ("other branches", breakdown.get("ambient_tokens", 0)),
        ("post", breakdown["post_tokens"]),
        ("kept for the reply", breakdown["reply_tokens"]),
    )
    return bar_parts(named, breakdown["context_tokens"])


def _html(text: str) -> Response:
    return Response(text, content_type="text/html; charset=utf-8")
