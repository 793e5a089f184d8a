"""``/api/v1/personas``: who can answer, and how they came to be as they are."""

from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.api.contract import Noun, listing
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_llm import PersonaChange, PersonaIn, PersonaOut, ReversionIn, VersionOut
from forllm_server.api.schemas_persona import TagsIn, TagsOut
from forllm_server.clock import now
from forllm_server.personas import editing, persona_store, version_store
from forllm_server.personas.copying import duplicate_persona
from forllm_server.personas.model import Persona
from forllm_server.personas.tagging import tag_persona
from forllm_server.web.current import current, current_user_id

blueprint = Noun("Personas", "Who can answer. Every change makes a new version; no version is ever changed.")


@blueprint.route("/personas", methods=["GET"])
@blueprint.response(200, listing(PersonaOut))
def show_list() -> dict[str, Any]:
    """List the personas."""
    with current().database.read() as connection:
        return {"items": persona_store.list_personas(connection), "next": None}


@blueprint.route("/personas", methods=["POST"])
@blueprint.arguments(PersonaIn)
@blueprint.response(201, PersonaOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add(values: dict[str, Any]) -> Response:
    """Create a persona."""

    def work(connection: Connection) -> Any:
        return PersonaOut().dump(editing.create_persona(connection, owner_id=current_user_id(), now=now(), **values))

    return create(work, location="/api/v1/personas/{id}")


@blueprint.route("/personas/<int:persona_id>", methods=["GET"])
@blueprint.response(200, PersonaOut)
def show(persona_id: int) -> Persona:
    """Read one persona."""
    with current().database.read() as connection:
        return persona_store.get_persona(connection, persona_id)


@blueprint.route("/personas/<int:persona_id>", methods=["PUT"])
@blueprint.arguments(PersonaChange)
@blueprint.response(200, PersonaOut)
def replace(values: dict[str, Any], persona_id: int) -> Persona:
    """Change a persona: a new version of it. What is left out is inherited again."""
    with current().database.transaction() as connection:
        return editing.change_persona(connection, persona_id, editor_id=current_user_id(), now=now(), **values)


@blueprint.route("/personas/<int:persona_id>", methods=["DELETE"])
@blueprint.response(204)
def delete(persona_id: int) -> str:
    """Delete a persona. What it wrote stays; the built-in one cannot be deleted."""
    with current().database.transaction() as connection:
        editing.delete_persona(connection, persona_id, now())
    return ""


@blueprint.route("/personas/<int:persona_id>/versions", methods=["GET"])
@blueprint.response(200, listing(VersionOut))
def show_versions(persona_id: int) -> dict[str, Any]:
    """List the versions of a persona, newest first."""
    with current().database.read() as connection:
        persona_store.get_persona(connection, persona_id)
        return {"items": version_store.list_versions(connection, persona_id), "next": None}


@blueprint.route("/personas/<int:persona_id>/tags", methods=["PUT"])
@blueprint.arguments(TagsIn)
@blueprint.response(200, TagsOut)
def tag(values: dict[str, Any], persona_id: int) -> dict[str, Any]:
    """File a persona under these words and no others."""
    with current().database.transaction() as connection:
        return {"tags": tag_persona(connection, persona_id, values["tags"])}


@blueprint.route("/personas/<int:persona_id>/copies", methods=["POST"])
@blueprint.response(201, PersonaOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def copy(persona_id: int) -> Response:
    """Duplicate a persona: its version, tags and picture, under a name that is free."""

    def work(connection: Connection) -> Any:
        copied = duplicate_persona(connection, persona_id, owner_id=current_user_id(), now=now())
        return PersonaOut().dump(copied)

    return create(work, location="/api/v1/personas/{id}")


@blueprint.route("/personas/<int:persona_id>/reversion", methods=["POST"])
@blueprint.arguments(ReversionIn)
@blueprint.response(200, PersonaOut)
def revert(values: dict[str, Any], persona_id: int) -> Persona:
    """Make an earlier version the current one again, as a new version."""
    with current().database.transaction() as connection:
        return editing.revert_persona(
            connection, persona_id, number=values["version"], editor_id=current_user_id(), now=now()
        )
