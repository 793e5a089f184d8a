"""Personas: their instructions, model and parameters, and every version they ever had."""

import json
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.errors import Invalid
from forllm_server.pages.asking import model_label
from forllm_server.pages.changes import diff_lines
from forllm_server.personas.assigning import make_global_default
from forllm_server.personas.assignment_store import list_subforum_ids
from forllm_server.personas.editing import change_persona, create_persona, delete_persona, revert_persona
from forllm_server.personas.model import PersonaVersion
from forllm_server.personas.persona_store import find_persona, get_persona, list_personas
from forllm_server.personas.version_store import get_version_by_number, list_versions
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("persona", __name__)

#: What can be set per persona as a number: (name, label, lowest, highest, help)
NUMBERS = (
    ("temperature", "Temperature", 0, 2, "0 gives the likeliest words, more gives more variety."),
    ("top_p", "Top p", 0, 1, "Only the likeliest words that make up this share are considered."),
)
WHOLE_NUMBERS = (
    ("max_tokens", "Longest reply", 1, 131_072, "In tokens."),
    ("context_tokens", "Context size", 256, 1_048_576, "In tokens; how much the model may see."),
    ("seed", "Seed", -1, 2**63 - 1, "The same seed and prompt give the same reply, where the server allows it."),
)


@blueprint.get("/personas")
def show_list() -> Response:
    """Everybody who can answer."""
    with current().database.read() as connection:
        personas = list_personas(connection)
        default_id = read_settings(connection).default_persona_id
        models = _models(connection)
    return page("persona/list.html", personas=personas, default_id=default_id, models=dict(models))


@blueprint.get("/personas/new")
def show_new() -> Response:
    """The form of a new persona."""
    with current().database.read() as connection:
        models = _models(connection)
    return page("persona/new.html", models=models, version=None, numbers=NUMBERS, whole_numbers=WHOLE_NUMBERS)


@blueprint.post("/personas/new")
@shows_again(show_new)
def create() -> Response:
    """Make a persona with its version 1."""
    content = _content(Form.of_request())
    with current().database.transaction() as connection:
        persona = create_persona(connection, owner_id=current_user_id(), now=now(), **content)
    return see_other(f"/personas/{persona.id}")


@blueprint.get("/personas/<int:persona_id>")
def show(persona_id: int) -> Response:
    """A persona as it is now, and its history."""
    with current().database.read() as connection:
        persona = get_persona(connection, persona_id)
        versions = list_versions(connection, persona_id)
        default_id = read_settings(connection).default_persona_id
        models = dict(_models(connection))
        subforum_ids = list_subforum_ids(connection, persona_id)
    return page(
        "persona/show.html",
        persona=persona,
        versions=versions,
        is_default=persona_id == default_id,
        models=models,
        subforum_ids=subforum_ids,
    )


@blueprint.get("/personas/<int:persona_id>/versions/<int:number>")
def show_version(persona_id: int, number: int) -> Response:
    """A persona as it was: also of a deleted one, for its posts still name it."""
    with current().database.read() as connection:
        version = get_version_by_number(connection, persona_id, number)
        persona = find_persona(connection, persona_id)
        before = get_version_by_number(connection, persona_id, number - 1) if number > 1 else None
        models = dict(_models(connection))
    changes = _compare(before, version, models) if before else None
    return page("persona/version.html", persona=persona, version=version, changes=changes, models=models)


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
        changes = _compare(before, after, dict(_models(connection)))
    return page(
        "persona/comparison.html", persona=persona, versions=versions, before=before, after=after, changes=changes
    )


@blueprint.get("/personas/<int:persona_id>/edit")
def show_edit(persona_id: int) -> Response:
    """The form that makes the next version."""
    with current().database.read() as connection:
        persona = get_persona(connection, persona_id)
        models = _models(connection)
    return page(
        "persona/edit.html",
        persona=persona,
        version=persona.version,
        models=models,
        numbers=NUMBERS,
        whole_numbers=WHOLE_NUMBERS,
    )


@blueprint.post("/personas/<int:persona_id>/edit")
@shows_again(show_edit)
def change(persona_id: int) -> Response:
    """Make the next version."""
    form = Form.of_request()
    with current().database.transaction() as connection:
        change_persona(
            connection,
            persona_id,
            editor_id=current_user_id(),
            expected_version=form.integer("version", least=1),
            now=now(),
            **_content(form),
        )
    return see_other(f"/personas/{persona_id}")


@blueprint.post("/personas/<int:persona_id>/reversion")
def revert(persona_id: int) -> Response:
    """Make an old version the newest again."""
    number = Form.of_request().integer("version", least=1) or 0
    with current().database.transaction() as connection:
        persona = revert_persona(connection, persona_id, number=number, editor_id=current_user_id(), now=now())
    notice(f"Version {persona.version.number} says what version {number} said.")
    return see_other(f"/personas/{persona_id}")


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
    """Delete a persona; what it wrote stays."""
    with current().database.transaction() as connection:
        persona = get_persona(connection, persona_id)
        delete_persona(connection, persona_id, now())
    notice(f"{persona.name} was deleted. What it wrote stays.")
    return see_other("/personas")


def _content(form: Form) -> dict[str, Any]:
    parameters: dict[str, Any] = {name: form.number(name, least=low, most=high) for name, _, low, high, _ in NUMBERS}
    parameters |= {name: form.integer(name, least=low, most=high) for name, _, low, high, _ in WHOLE_NUMBERS}
    parameters["stop"] = [line for line in form.text("stop", longest=10_000).split("\n") if line]
    parameters["extra"] = _json(form.text("extra", longest=20_000))
    return {
        "name": form.text("name"),
        "instructions": form.text("instructions"),
        "model_id": form.integer("model_id", least=1, most=2**63 - 1),
        "parameters": {name: value for name, value in parameters.items() if value not in (None, [], {})},
        "note": form.text("note"),
    }


def _json(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid('This is not JSON. Write it like {"top_k": 40}.', field="extra") from error


def _models(connection: Connection) -> list[tuple[int, str]]:
    return [(listed.model.id, model_label(listed)) for listed in list_models(connection)]


def _compare(before: PersonaVersion, after: PersonaVersion, models: dict[int, str]) -> list[tuple[str, Any]]:
    texts = (("Instructions", before.instructions, after.instructions),)
    facts = (
        ("Name", before.name, after.name),
        ("Model and parameters", _as_text(before, models), _as_text(after, models)),
    )
    return [(label, diff_lines(old, new)) for label, old, new in (*texts, *facts) if old != new]


def _as_text(version: PersonaVersion, models: dict[int, str]) -> str:
    model = models.get(version.model_id or 0, "inherited" if version.model_id is None else "no longer there")
    parameters = (f"{name}: {json.dumps(value)}" for name, value in sorted(version.parameters.items()))
    return "\n".join((f"model: {model}", *parameters))
