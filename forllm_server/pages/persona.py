"""Personas: their instructions, model and parameters, and every version they ever had."""

import json
from typing import Any

from flask import Blueprint, Response, request

from forllm_server.accounts.user_store import list_users
from forllm_server.clock import now
from forllm_server.markup.mentions import handle
from forllm_server.pages.changes import diff_lines
from forllm_server.pages.marks import portrait
from forllm_server.pages.persona_form import content_of_form, model_choices, read_form, tags_of_form
from forllm_server.pages.persona_list import LATELY, result_words
from forllm_server.pages.trash import in_trash_words
from forllm_server.personas.assigning import make_global_default
from forllm_server.personas.copying import duplicate_persona
from forllm_server.personas.draft_store import list_origins
from forllm_server.personas.editing import change_persona, create_persona, delete_persona, revert_persona
from forllm_server.personas.model import PersonaContent, PersonaVersion
from forllm_server.personas.overview_store import list_overviews
from forllm_server.personas.persona_store import find_persona, get_persona
from forllm_server.personas.tagging import tag_persona
from forllm_server.personas.version_store import get_version_by_number, list_versions
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("persona", __name__)
blueprint.add_app_template_global(portrait)


@blueprint.get("/personas/new")
def show_new(draft: PersonaContent | None = None) -> Response:
    """The form of a new persona; ``draft``: what stands in it."""
    with current().database.read() as connection:
        form = read_form(connection, None)
    return page("persona/new.html", form=form, persona=None, version=draft)


@blueprint.post("/personas/new")
@shows_again(show_new)
def create() -> Response:
    """Make a persona with its version 1."""
    form = Form.of_request()
    content, tags = content_of_form(form), tags_of_form(form)
    with current().database.transaction() as connection:
        persona = create_persona(connection, owner_id=current_user_id(), now=now(), **content)
        tag_persona(connection, persona.id, tags)
    notice(f"{persona.name} is there. Choose it where you ask, or call it by {handle(persona.name)} in a text.")
    return see_other(f"/personas/{persona.id}")


@blueprint.get("/personas/<int:persona_id>")
def show(persona_id: int) -> Response:
    """A persona as it is now, and its history."""
    with current().database.read() as connection:
        persona = get_persona(connection, persona_id)
        versions = list_versions(connection, persona_id)
        default_id = read_settings(connection).default_persona_id
        models = dict(model_choices(connection))
        (overview,) = list_overviews(connection, [persona], since=now() - LATELY)
        names = {user.id: user.name for user in list_users(connection)}
        origins = list_origins(connection, persona_id)
    return page(
        "persona/show.html",
        origin=next(iter(origins.values()), None),
        persona=persona,
        versions=versions,
        is_default=persona_id == default_id,
        models=models,
        overview=overview,
        results=result_words(overview.results),
        names=names,
    )


@blueprint.get("/personas/<int:persona_id>/versions/<int:number>")
def show_version(persona_id: int, number: int) -> Response:
    """A persona as it was: also of a deleted one, for its posts still name it."""
    with current().database.read() as connection:
        version = get_version_by_number(connection, persona_id, number)
        persona = find_persona(connection, persona_id)
        before = get_version_by_number(connection, persona_id, number - 1) if number > 1 else None
        models = dict(model_choices(connection))
        names = {user.id: user.name for user in list_users(connection)}
        origins = list_origins(connection, persona_id)
    changes = _compare(before, version, models) if before else None
    return page(
        "persona/version.html",
        persona=persona,
        version=version,
        changes=changes,
        models=models,
        names=names,
        origin=origins.get(version.id),
    )


@blueprint.get("/personas/<int:persona_id>/comparison")
def show_comparison(persona_id: int) -> Response:
    """What differs between two versions, ``from`` and ``to``."""
    form = Form(request.args.to_dict(flat=False))
    with current().database.read() as connection:
        persona = get_persona(connection, persona_id)
        versions = list_versions(connection, persona_id)
        first = form.integer("from", least=1) or max(1, persona.version.number - 1)
        before = get_version_by_number(connection, persona_id, first)
        after = get_version_by_number(connection, persona_id, form.integer("to", least=1) or persona.version.number)
        changes = _compare(before, after, dict(model_choices(connection)))
    return page(
        "persona/comparison.html", persona=persona, versions=versions, before=before, after=after, changes=changes
    )


@blueprint.get("/personas/<int:persona_id>/edit")
def show_edit(persona_id: int, draft: PersonaContent | None = None) -> Response:
    """The form that makes the next version; ``draft``: what stands in it instead of the present one."""
    with current().database.read() as connection:
        persona = get_persona(connection, persona_id)
        form = read_form(connection, persona)
    return page("persona/edit.html", persona=persona, version=draft or persona.version, form=form)


@blueprint.post("/personas/<int:persona_id>/edit")
@shows_again(show_edit)
def change(persona_id: int) -> Response:
    """Make the next version."""
    form = Form.of_request()
    before = form.integer("version", least=1)
    with current().database.transaction() as connection:
        persona = change_persona(
            connection,
            persona_id,
            editor_id=current_user_id(),
            expected_version=before,
            now=now(),
            **content_of_form(form),
        )
        tag_persona(connection, persona_id, tags_of_form(form))
    number = persona.version.number
    notice(f"Saved. It still is version {number}." if number == before else f"Version {number} is saved.")
    return see_other(f"/personas/{persona_id}")


@blueprint.post("/personas/<int:persona_id>/reversion")
def revert(persona_id: int) -> Response:
    """Make an old version the newest again."""
    number = Form.of_request().integer("version", least=1) or 0
    with current().database.transaction() as connection:
        persona = revert_persona(connection, persona_id, number=number, editor_id=current_user_id(), now=now())
    notice(f"Version {persona.version.number} says what version {number} said.")
    return see_other(f"/personas/{persona_id}")


@blueprint.post("/personas/<int:persona_id>/copy")
def duplicate(persona_id: int) -> Response:
    """Make a second persona that begins as this one is."""
    with current().database.transaction() as connection:
        copied = duplicate_persona(connection, persona_id, owner_id=current_user_id(), now=now())
    notice(f"This is the copy. It is called {copied.name} until you change that.")
    return see_other(f"/personas/{copied.id}/edit")


@blueprint.post("/personas/<int:persona_id>/default")
def make_default(persona_id: int) -> Response:
    """Let a persona answer wherever no subforum says otherwise."""
    with current().database.transaction() as connection:
        persona = make_global_default(connection, persona_id, now())
    notice(f"{persona.name} answers now wherever no subforum says otherwise.")
    return see_other(f"/personas/{persona_id}")


@blueprint.get("/personas/<int:persona_id>/delete")
def show_delete(persona_id: int) -> Response:
    """Ask before a persona is deleted."""
    with current().database.read() as connection:
        persona = get_persona(connection, persona_id)
    return page("persona/delete.html", persona=persona)


@blueprint.post("/personas/<int:persona_id>/delete")
def delete(persona_id: int) -> Response:
    """Put a persona into the trash; what it wrote stays."""
    with current().database.transaction() as connection:
        persona = get_persona(connection, persona_id)
        delete_persona(connection, persona_id, now())
    notice(f"{in_trash_words(persona.name)} What it wrote stays.", undo=f"/trash/persona/{persona_id}/restore")
    return see_other("/personas")


def _compare(before: PersonaVersion, after: PersonaVersion, models: dict[int, str]) -> list[tuple[str, Any]]:
    texts = (("Instructions", before.instructions, after.instructions),)
    facts = (
        ("Name", before.name, after.name),
        ("Model and parameters", _as_text(before, models), _as_text(after, models)),
    )
    return [(label, diff_lines(old, new)) for label, old, new in (*texts, *facts) if old != new]


def _as_text(version: PersonaVersion, models: dict[int, str]) -> str:
    model = models.get(version.model_id or 0, "inherited" if version.model_id is None else "no longer there")
    others = (f"else: {models.get(each, 'no longer there')}" for each in version.fallback_model_ids)
    parameters = (f"{name}: {json.dumps(value)}" for name, value in sorted(version.parameters.items()))
    return "\n".join((f"model: {model}", *others, *parameters))
