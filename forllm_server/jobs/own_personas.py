"""Personas that FORLLM makes for its own work (gists, summaries): they can be changed like any other."""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.errors import NameTaken
from forllm_server.personas import persona_store
from forllm_server.personas.editing import create_persona
from forllm_server.personas.model import Persona
from forllm_server.settings.settings_store import find_stamped, update_setting


def find_own_persona(connection: Connection, key: str) -> Persona | None:
    """The one that is kept under ``key`` in the settings; None when it was never made, or was deleted."""
    stored = find_stamped(connection, key)
    persona = persona_store.find_persona(connection, stored[0]) if stored and type(stored[0]) is int else None
    return None if persona is None or persona.is_deleted else persona


def make_own_persona(connection: Connection, key: str, *, name: str, instructions: str, now: datetime) -> Persona:
    """Make it, with a name that is free, and keep it under ``key``. Raises NameTaken when none is."""
    for number in range(1, 100):
        free = name if number == 1 else f"{name} {number}"
        try:
            persona = create_persona(connection, owner_id=LOCAL_USER_ID, name=free, instructions=instructions, now=now)
        except NameTaken:
            continue
        update_setting(connection, key, persona.id, now=now)
        return persona
    raise NameTaken()
