"""``/api/v1/subforums/{id}/personas``: who may answer in a subforum, who does when nobody is asked for, and why."""

from typing import Any

from forllm_server.api.contract import Noun, listing
from forllm_server.api.schemas_llm import (
    AssignmentIn,
    AssignmentOut,
    DefaultPersonaIn,
    DefaultPersonaOut,
    EffectivePersonaOut,
    EffectivePersonaQuery,
)
from forllm_server.clock import now
from forllm_server.forum.subforum_store import get_subforum
from forllm_server.personas import assigning, assignment_store
from forllm_server.personas.choosing import choose
from forllm_server.personas.model import Assignment, Choice
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current

blueprint = Noun("Assignments", "Personas made available in a subforum. One of them can be its default.")


@blueprint.route("/subforums/<int:subforum_id>/personas", methods=["GET"])
@blueprint.response(200, listing(AssignmentOut))
def show_list(subforum_id: int) -> dict[str, Any]:
    """List the personas of a subforum, its default first."""
    with current().database.read() as connection:
        get_subforum(connection, subforum_id)
        return {"items": assignment_store.list_assignments(connection, subforum_id), "next": None}


@blueprint.route("/subforums/<int:subforum_id>/personas/<int:persona_id>", methods=["PUT"])
@blueprint.arguments(AssignmentIn)
@blueprint.response(200, AssignmentOut)
def assign(values: dict[str, Any], subforum_id: int, persona_id: int) -> Assignment:
    """Make a persona available in a subforum, and its default or no longer its default if `is_default` says so."""
    wish = values.get("is_default")
    with current().database.transaction() as connection:
        found = assigning.assign_persona(
            connection, subforum_id=subforum_id, persona_id=persona_id, is_default=bool(wish), now=now()
        )
        if wish is False and assignment_store.find_default_persona_id(connection, subforum_id) == persona_id:
            found = assigning.make_default(connection, subforum_id=subforum_id, persona_id=None, now=now())
    return next(assignment for assignment in found if assignment.persona_id == persona_id)


@blueprint.route("/subforums/<int:subforum_id>/personas/<int:persona_id>", methods=["DELETE"])
@blueprint.response(204)
def unassign(subforum_id: int, persona_id: int) -> str:
    """Take a persona out of a subforum. If it was the default there is none then."""
    with current().database.transaction() as connection:
        assigning.unassign_persona(connection, subforum_id=subforum_id, persona_id=persona_id)
    return ""


@blueprint.route("/subforums/<int:subforum_id>/default-persona", methods=["GET"])
@blueprint.response(200, DefaultPersonaOut)
def show_default(subforum_id: int) -> dict[str, Any]:
    """The subforum's own default; null when the forum's default answers there."""
    with current().database.read() as connection:
        get_subforum(connection, subforum_id)
        return _default_of(assignment_store.list_assignments(connection, subforum_id))


@blueprint.route("/subforums/<int:subforum_id>/default-persona", methods=["PUT"])
@blueprint.arguments(DefaultPersonaIn)
@blueprint.response(200, DefaultPersonaOut)
def change_default(values: dict[str, Any], subforum_id: int) -> dict[str, Any]:
    """Let a persona answer in a subforum unless another is asked for; null: the forum's default. It is assigned too."""
    with current().database.transaction() as connection:
        found = assigning.make_default(connection, subforum_id=subforum_id, persona_id=values["persona_id"], now=now())
    return _default_of(found)


@blueprint.route("/subforums/<int:subforum_id>/effective-persona", methods=["GET"])
@blueprint.arguments(EffectivePersonaQuery, location="query")
@blueprint.response(200, EffectivePersonaOut)
def show_effective(query: dict[str, Any], subforum_id: int) -> Choice:
    """Who would answer here, and why: the one asked for, the subforum's default, the forum's, or the built-in one."""
    with current().database.read() as connection:
        get_subforum(connection, subforum_id)
        return choose(
            connection,
            asked_persona_id=query.get("persona_id"),
            subforum_id=subforum_id,
            default_persona_id=read_settings(connection).default_persona_id,
        )


def _default_of(assignments: list[Assignment]) -> dict[str, Any]:
    default = next((assignment for assignment in assignments if assignment.is_default), None)
    return {
        "persona_id": default.persona_id if default else None,
        "persona_name": default.persona_name if default else None,
    }
