"""Deleted personas: they come back as they were, until they are erased."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from forllm_server.errors import Conflict, Invalid, NameTaken, NotFound
from forllm_server.personas import persona_store
from forllm_server.personas.model import Persona


def restore_persona(connection: Connection, persona_id: int) -> Persona:
    """Take a persona out of the trash, with its versions, tags, picture and assignments.

    It is not made the forum's default again. Raises NotFound, or Conflict when its name was given to another one.
    """
    persona = persona_store.find_persona(connection, persona_id)
    if persona is None or not persona.is_deleted or persona_store.is_erased(connection, persona_id):
        raise NotFound("There is no such persona in the trash. It may have been erased.")
    try:
        persona_store.update_persona(connection, persona_id, deleted_at=None)
    except NameTaken as error:
        raise Conflict(
            f"Another persona is called “{persona.name}” by now. Rename that one, then restore this one."
        ) from error
    return persona_store.get_persona(connection, persona_id)


def erase_deleted_personas(connection: Connection, *, older_than_days: int, now: datetime) -> int:
    """Have those deleted more than so many days ago not come back (0: any); how many.

    Their assignments, tags and pictures go; their versions stay, for posts name them.
    """
    if older_than_days < 0:
        raise Invalid("The number of days cannot be negative.", field="older_than_days")
    return persona_store.update_erased(connection, until=now - timedelta(days=older_than_days), now=now)
