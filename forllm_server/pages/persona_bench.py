"""The test bench of a persona: the exact prompt of a draft, and asking it without posting."""

import re

from flask import Blueprint, Response, request

from forllm_server.clock import now
from forllm_server.errors import NotFound
from forllm_server.jobs.standing import list_standings
from forllm_server.jobs.trying import TRIAL, Draft, ask_trial, draft_of, preview
from forllm_server.markup.render import render
from forllm_server.pages import persona
from forllm_server.pages.persona_form import LABELS, draft_content, post_of_form
from forllm_server.personas.persona_store import find_persona
from forllm_server.personas.trial_store import find_trial
from forllm_server.queue.chunk_store import find_partial
from forllm_server.queue.llm_request_store import get_llm_request
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, keep_entered, shows_again
from forllm_server.web.fragments import page, see_other

blueprint = Blueprint("persona_bench", __name__)

_ID = re.compile(r"[0-9]{1,18}")


@blueprint.post("/personas/preview")
def show_preview() -> Response:
    """What would be sent about the chosen post, exactly; what stands in the way is told in its place."""
    form = Form.of_request()
    with current().database.read() as connection:
        shown = preview(connection, lambda: _draft(form), now())
    typed = [(name, value) for name, value in request.form.items(multi=True) if name != "csrf_token"]
    is_begun = bool(request.form.get("name", "").strip() and request.form.get("instructions", "").strip())
    label = LABELS.get(shown.field or "")
    return page("persona/preview.html", block="prompt", shown=shown, typed=typed, is_begun=is_begun, label=label)


def show_form() -> Response:
    """The form that the draft stands in."""
    persona_id = request.form.get("persona_id", "")
    is_id = _ID.fullmatch(persona_id) is not None
    return persona.show_edit(int(persona_id)) if is_id else persona.show_new()


@blueprint.post("/personas/form")
def show_form_again() -> Response:
    """The draft as it was when its prompt was looked at."""
    keep_entered()
    return show_form()


@blueprint.post("/personas/trials")
@shows_again(show_form)
def try_draft() -> Response:
    """Ask the draft about the chosen post, at once and without posting."""
    form = Form.of_request()
    with current().database.transaction() as connection:
        asked = ask_trial(connection, _draft(form), owner_id=current_user_id(), now=now())
    current().wake_worker()
    return see_other(f"/personas/trials/{asked.id}")


@blueprint.get("/personas/trials/<int:llm_request_id>")
def show_trial(llm_request_id: int) -> Response:
    """What the draft answered, or where that stands."""
    with current().database.read() as connection:
        llm_request = get_llm_request(connection, llm_request_id)
        if llm_request.kind != TRIAL:
            raise NotFound("This LLM request is no trial of a persona.")
        trial = find_trial(connection, llm_request_id)
        partial = find_partial(connection, llm_request_id)
        standing = list_standings(connection, [llm_request], now())[llm_request_id]
        tried = find_persona(connection, llm_request.persona_id or 0)
    html = render(trial.text, anchor_prefix="trial").html if trial else ""
    return page(
        "persona/trial.html",
        block="answer",
        llm_request=llm_request,
        draft=draft_of(llm_request.input),
        post_id=llm_request.input.get("post_id"),
        persona=tried,
        trial=trial,
        partial=partial,
        standing=standing,
        html=html,
    )


@blueprint.get("/personas/trials/<int:llm_request_id>/draft")
def show_tried_draft(llm_request_id: int) -> Response:
    """The form with the draft that was tried, to go on with or to save."""
    with current().database.read() as connection:
        llm_request = get_llm_request(connection, llm_request_id)
        if llm_request.kind != TRIAL:
            raise NotFound("This LLM request is no trial of a persona.")
        tried = find_persona(connection, llm_request.persona_id or 0)
    draft = draft_of(llm_request.input)
    return persona.show_edit(tried.id, draft) if tried and not tried.is_deleted else persona.show_new(draft)


def _draft(form: Form) -> Draft:
    persona_id = form.integer("persona_id", least=1, most=2**63 - 1)
    return Draft(draft_content(form), post_of_form(form), persona_id)
