"""Making personas available in subforums, and the defaults that answer when nobody asks for another."""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import NotFound
from forllm_server.personas import assignment_store, persona_store
from forllm_server.personas.model import Assignment, Persona
from forllm_server.settings.values import change_settings


def assign_persona(
    connection: Connection, *, subforum_id: int, persona_id: int, is_default: bool = False, now: datetime
) -> list[Assignment]:
    """Make a persona available in a subforum, and its default if so wished; the subforum's assignments then.

    Assigning it again changes nothing, except that ``is_default`` makes it the default. Raises NotFound.
    """
    _check_subforum(connection, subforum_id)
    # Locked, so that the persona cannot be deleted between this check and the end of the transaction.
    persona_store.get_persona_to_change(connection, persona_id)
    if not assignment_store.has_assignment(connection, subforum_id=subforum_id, persona_id=persona_id):
        assignment_store.insert_assignment(connection, subforum_id=subforum_id, persona_id=persona_id, now=now)
    if is_default:
        assignment_store.update_default(connection, subforum_id=subforum_id, persona_id=persona_id)
    return assignment_store.list_assignments(connection, subforum_id)


def unassign_persona(connection: Connection, *, subforum_id: int, persona_id: int) -> list[Assignment]:
    """Take a persona out of a subforum; if it was the default there is none then. Raises NotFound."""
    _check_subforum(connection, subforum_id)
    if not assignment_store.has_assignment(connection, subforum_id=subforum_id, persona_id=persona_id):
        raise NotFound("This persona is not assigned to this subforum.", field="persona_id")
    assignment_store.delete_assignment(connection, subforum_id=subforum_id, persona_id=persona_id)
    return assignment_store.list_assignments(connection, subforum_id)


def make_default(
    connection: Connection, *, subforum_id: int, persona_id: int | None, now: datetime
) -> list[Assignment]:
    """Let a persona answer in a subforum unless another is asked for (it is assigned if it was not); None: nobody.

    Raises NotFound.
    """
    if persona_id is not None:
        return assign_persona(connection, subforum_id=subforum_id, persona_id=persona_id, is_default=True, now=now)
    _check_subforum(connection, subforum_id)
    assignment_store.update_default(connection, subforum_id=subforum_id, persona_id=None)
    return assignment_store.list_assignments(connection, subforum_id)


def make_global_default(connection: Connection, persona_id: int, now: datetime) -> Persona:
    """Let a persona answer wherever no subforum has a default of its own. Raises NotFound."""
    persona = persona_store.get_persona_to_change(connection, persona_id)
    change_settings(connection, {"default_persona_id": persona_id}, now)
    return persona


def _check_subforum(connection: Connection, subforum_id: int) -> None:
    if not assignment_store.has_subforum(connection, subforum_id):
        raise NotFound("There is no such subforum. It may have been deleted.", field="subforum_id")
