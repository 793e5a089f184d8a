"""Making, changing, reverting and deleting personas. Every change is a new version; versions never change."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.errors import Conflict, Invalid, NotAllowed
from forllm_server.markup.names import clean_name, clean_text, name_key
from forllm_server.personas import persona_store, version_store
from forllm_server.personas.model import Persona, PersonaContent, PersonaVersion
from forllm_server.personas.parameters import clean_parameters
from forllm_server.settings.values import change_settings, read_settings

NAME_MAX_CHARS = 100
INSTRUCTIONS_MAX_CHARS = 65_536
NOTE_MAX_CHARS = 500
#: How many models a version may name, in the order of choice.
MODELS_MOST = 8
BUILTIN = PersonaContent(name="Assistant", instructions="You are a helpful assistant.")


def create_persona(
    connection: Connection,
    *,
    owner_id: int,
    name: str,
    instructions: str,
    model_id: int | None = None,
    parameters: Mapping[str, Any] | None = None,
    fallback_model_ids: Sequence[int] = (),
    note: str = "",
    now: datetime,
) -> Persona:
    """Make a persona with its version 1. Raises Invalid or NameTaken."""
    given = PersonaContent(name, instructions, model_id, parameters or {}, tuple(fallback_model_ids))
    content = clean_content(connection, given)
    return _insert(connection, content, note=_clean_note(note), owner_id=owner_id, is_builtin=False, now=now)


def change_persona(
    connection: Connection,
    persona_id: int,
    *,
    editor_id: int,
    name: str,
    instructions: str,
    model_id: int | None = None,
    parameters: Mapping[str, Any] | None = None,
    fallback_model_ids: Sequence[int] = (),
    note: str = "",
    expected_version: int | None = None,
    now: datetime,
) -> Persona:
    """Give a persona a new version with this content; the same content makes none.

    ``expected_version`` is the number that the editor began with. Raises NotFound, Invalid, NameTaken, or Conflict
    when there is a newer version by now.
    """
    persona = persona_store.get_persona_to_change(connection, persona_id)
    given = PersonaContent(name, instructions, model_id, parameters or {}, tuple(fallback_model_ids))
    content = clean_content(connection, given, before=persona.version)
    cleaned_note = _clean_note(note)
    if content == persona.version.content:
        return persona
    if expected_version is not None and expected_version != persona.version.number:
        raise Conflict(
            f"{persona.name} was changed while you edited it: there is version {persona.version.number} now. "
            "Copy your text, look at that one and try again.",
            field="instructions",
        )
    return _add_version(connection, persona.id, content, note=cleaned_note, editor_id=editor_id, now=now)


def revert_persona(connection: Connection, persona_id: int, *, number: int, editor_id: int, now: datetime) -> Persona:
    """Give a persona the content of its version ``number`` again, as a new version.

    Raises NotFound, or NameTaken when the old name is somebody else's now.
    """
    persona = persona_store.get_persona_to_change(connection, persona_id)
    old = version_store.get_version_by_number(connection, persona_id, number).content
    if old == persona.version.content:
        return persona
    note = f"Back to version {number}."
    return _add_version(connection, persona_id, old, note=note, editor_id=editor_id, now=now)


def delete_persona(connection: Connection, persona_id: int, now: datetime) -> None:
    """Put a persona into the trash: its posts and versions stay, and its assignments wait for it to come back.

    If it was the default of the whole forum the built-in one is. Raises NotFound, or NotAllowed for the built-in one.
    """
    persona = persona_store.get_persona_to_change(connection, persona_id)
    if persona.is_builtin:
        raise NotAllowed(
            f"{persona.name} is built in and cannot be deleted: it answers when nobody else is chosen. "
            "You can change it, or make another persona the default."
        )
    persona_store.update_persona(connection, persona_id, deleted_at=now)
    if read_settings(connection).default_persona_id == persona_id:
        builtin = ensure_builtin(connection, now)
        change_settings(connection, {"default_persona_id": builtin.id}, now)


def ensure_builtin(connection: Connection, now: datetime) -> Persona:
    """The persona that every forum has, made when there is none yet. Safe to call at every start."""
    found = persona_store.find_builtin(connection)
    if found is not None:
        return found
    return _insert(connection, BUILTIN, note="", owner_id=LOCAL_USER_ID, is_builtin=True, now=now)


def insert_content(
    connection: Connection,
    content: PersonaContent,
    *,
    name: str = "",
    card: Mapping[str, Any] | None = None,
    note: str,
    owner_id: int,
    now: datetime,
) -> Persona:
    """Make a persona of content that has been cleaned, perhaps under another name. Raises NameTaken."""
    named = replace(content, name=name or content.name)
    persona = _insert(connection, named, note=note, owner_id=owner_id, is_builtin=False, now=now)
    if card is None:
        return persona
    persona_store.update_persona(connection, persona.id, card=dict(card))
    return persona_store.get_persona(connection, persona.id)


def _insert(
    connection: Connection, content: PersonaContent, *, note: str, owner_id: int, is_builtin: bool, now: datetime
) -> Persona:
    key = name_key(content.name)
    persona_id = persona_store.insert_persona(
        connection, owner_id=owner_id, name=content.name, name_key=key, is_builtin=is_builtin, now=now
    )
    return _add_version(connection, persona_id, content, note=note, editor_id=owner_id, now=now)


def _add_version(
    connection: Connection, persona_id: int, content: PersonaContent, *, note: str, editor_id: int, now: datetime
) -> Persona:
    version = version_store.insert_version(
        connection, persona_id=persona_id, content=content, note=note, created_by=editor_id, now=now
    )
    persona_store.update_persona(
        connection, persona_id, name=content.name, name_key=name_key(content.name), current_version_id=version.id
    )
    return persona_store.get_persona(connection, persona_id)


def clean_content(
    connection: Connection, given: PersonaContent, before: PersonaVersion | None = None
) -> PersonaContent:
    """What a version may hold; ``before`` is the one that it follows. Raises Invalid with the field named."""
    name = clean_name(given.name, field="name", max_chars=NAME_MAX_CHARS)
    instructions = clean_text(given.instructions, field="instructions", max_chars=INSTRUCTIONS_MAX_CHARS)
    parameters = clean_parameters(given.parameters)
    models = _clean_models(connection, given, before)
    return PersonaContent(name, instructions, models[0] if models else None, parameters, tuple(models[1:]))


def _clean_models(connection: Connection, given: PersonaContent, before: PersonaVersion | None) -> list[int]:
    """The models in the order of choice, each once; without a first one the next is the first."""
    wished = [each for each in dict.fromkeys((given.model_id, *given.fallback_model_ids)) if each is not None]
    if len(wished) > MODELS_MOST:
        raise Invalid(f"A persona names up to {MODELS_MOST} models.", field="fallback_model_ids")
    # A model that went away after it was chosen may stay chosen: it may come back.
    kept = {before.model_id, *before.fallback_model_ids} if before is not None else set()
    new = [each for each in wished if each not in kept]
    there = version_store.list_models_there(connection, new) if new else set()
    for each in new:
        if each not in there:
            field = "model_id" if each == given.model_id else "fallback_model_ids"
            raise Invalid("There is no such model. Choose another one, or none.", field=field)
    return wished


def _clean_note(note: str) -> str:
    return clean_text(note, field="note", max_chars=NOTE_MAX_CHARS).strip() if note.strip() else ""
