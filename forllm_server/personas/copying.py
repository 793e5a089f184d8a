"""Making a second persona out of one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.errors import NameTaken
from forllm_server.personas import persona_store, picture_store, tag_store
from forllm_server.personas.editing import NAME_MAX_CHARS, insert_content
from forllm_server.personas.model import Persona, PersonaContent

#: So many names are tried: "Skeptic 2", "Skeptic 3" and so on.
_TRIED = 200


def duplicate_persona(connection: Connection, persona_id: int, *, owner_id: int, now: datetime) -> Persona:
    """A persona that begins as this one is now, with its tags and picture, under a name that is free.

    Raises NotFound.
    """
    original = persona_store.get_persona_to_change(connection, persona_id)
    note = f"A copy of {original.name}, version {original.version.number}."
    copied = insert_under_free_name(
        connection, original.version.content, card=original.card, note=note, owner_id=owner_id, now=now
    )
    tags = tag_store.list_tags_of(connection, [persona_id]).get(persona_id, ())
    tag_store.replace_tags(connection, copied.id, tags)
    picture_store.replace_picture(connection, copied.id, picture_store.find_picture(connection, persona_id), now)
    return copied


def insert_under_free_name(
    connection: Connection,
    content: PersonaContent,
    *,
    card: Mapping[str, Any] | None = None,
    note: str,
    owner_id: int,
    now: datetime,
) -> Persona:
    """Make a persona with this content, which has been cleaned; with a number after its name when that is taken."""
    for number in range(1, _TRIED):
        suffix = f" {number}" if number > 1 else ""
        name = content.name[: NAME_MAX_CHARS - len(suffix)].rstrip() + suffix
        try:
            return insert_content(connection, content, name=name, card=card, note=note, owner_id=owner_id, now=now)
        except NameTaken:
            continue
    raise NameTaken(field="name")
