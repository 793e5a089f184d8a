"""Personas as files: our own JSON with every version, and character cards in JSON and PNG.

Our own: ``{"format": "forllm.persona", "format_version": 1, "tags": [...], "card": {...}, "versions": [...]}``,
versions oldest first, each with name, instructions, model, fallback_models (names), parameters, note, created_at.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.catalog.model_store import list_models
from forllm_server.errors import Invalid, NotFound, TooLarge
from forllm_server.exchange.cards import Card, card_json_of_png, is_card, png_texts, read_card, read_json, write_card
from forllm_server.exchange.png import is_png, with_texts
from forllm_server.markup.names import clean_name
from forllm_server.personas import picture_store, version_store
from forllm_server.personas.copying import insert_under_free_name
from forllm_server.personas.editing import NAME_MAX_CHARS, NOTE_MAX_CHARS, change_persona, clean_content
from forllm_server.personas.model import Persona, PersonaContent, PersonaVersion
from forllm_server.personas.persona_store import get_persona
from forllm_server.personas.pictures import PICTURE_BYTES_MOST, check_picture
from forllm_server.personas.tag_store import list_tags_of
from forllm_server.personas.tagging import TAG_MAX_CHARS, TAGS_MOST, tag_persona

FORMAT = "forllm.persona"
#: of files that hold a system prompt
TEXT_ENDINGS = ("txt", "md", "markdown", "prompt")
FILE_BYTES_MOST = 10 * 1024 * 1024
VERSIONS_MOST = 500


@dataclass(frozen=True)
class _Wish:
    """Where an import goes: whose it is, when it happens, and the models that there are by name."""

    owner_id: int
    now: datetime
    models: Mapping[str, int]


def import_persona(
    connection: Connection, content: bytes, *, owner_id: int, now: datetime, file_name: str = ""
) -> Persona:
    """Make a persona of a file: our JSON, a card in JSON, or a card in a PNG picture, which becomes its picture.

    What is called ``….txt`` or ``….md`` is a system prompt: its text becomes the instructions of a persona with the
    file's name. A name that is taken gets a number.

    Raises Invalid(field="file") telling what is wrong with the file, and TooLarge.
    """
    if len(content) > FILE_BYTES_MOST:
        raise TooLarge(f"The file is larger than {FILE_BYTES_MOST // 2**20} MB.", field="file")
    models = {listed.model.name: listed.model.id for listed in reversed(list_models(connection))}
    wish = _Wish(owner_id, now, models)
    name, _, ending = file_name.rpartition(".")
    try:
        if ending.lower() in TEXT_ENDINGS:
            return _import_text(connection, content, name, wish)
        if is_png(content):
            return _import_picture(connection, content, wish)
        return import_found(connection, read_json(content), wish)
    except Invalid as error:
        if error.field == "file":
            raise
        raise Invalid(f"This file cannot be taken: {error.message}", field="file") from error


def _import_text(connection: Connection, content: bytes, name: str, wish: _Wish) -> Persona:
    """Make a persona of a system prompt in a file of its own."""
    try:
        instructions = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid("This is no UTF-8 text.", field="file") from error
    cleaned = clean_name(name[:NAME_MAX_CHARS] or "Persona", field="file", max_chars=NAME_MAX_CHARS)
    return insert_under_free_name(
        connection,
        clean_content(connection, PersonaContent(cleaned, instructions, None, {})),
        note="From a system prompt in a file.",
        owner_id=wish.owner_id,
        now=wish.now,
    )


def import_found(connection: Connection, found: Any, wish: _Wish) -> Persona:
    """Make a persona of parsed JSON."""
    if isinstance(found, dict) and found.get("format") == FORMAT:
        return _import_versions(connection, found, wish)
    if is_card(found):
        return _import_card(connection, read_card(found), wish)
    raise Invalid("This is neither a persona of FORLLM nor a character card (V1, V2 or V3).", field="file")


def export_persona(connection: Connection, persona_id: int) -> dict[str, Any]:
    """A persona with all its versions, as our own JSON. Raises NotFound."""
    persona = get_persona(connection, persona_id)
    names = {listed.model.id: listed.model.name for listed in list_models(connection)}
    versions = reversed(version_store.list_versions(connection, persona_id))
    return {
        "format": FORMAT,
        "format_version": 1,
        "name": persona.name,
        "tags": list(list_tags_of(connection, [persona_id]).get(persona_id, ())),
        "card": dict(persona.card) if persona.card else None,
        "versions": [_version_out(version, names) for version in versions],
    }


def export_card(connection: Connection, persona_id: int) -> dict[str, Any]:
    """A persona as a character card of V3. Raises NotFound."""
    return write_card(_card_of(connection, get_persona(connection, persona_id)))


def export_card_picture(connection: Connection, persona_id: int) -> bytes:
    """A persona's PNG picture with its card in it. Raises NotFound when it has no such picture."""
    persona = get_persona(connection, persona_id)
    picture = picture_store.find_picture(connection, persona_id)
    if picture is None or picture.media_type != "image/png":
        raise NotFound("A card in a picture needs a PNG picture. Give this persona one, or take the card as JSON.")
    return with_texts(picture.content, png_texts(_card_of(connection, persona)))


def _card_of(connection: Connection, persona: Persona) -> Card:
    tags = list_tags_of(connection, [persona.id]).get(persona.id, ())
    version = persona.version
    return Card(persona.name, version.instructions, tags, version.parameters, persona.card or {})


def _version_out(version: PersonaVersion, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "number": version.number,
        "name": version.name,
        "instructions": version.instructions,
        "model": names.get(version.model_id or 0),
        "fallback_models": [names[each] for each in version.fallback_model_ids if each in names],
        "parameters": dict(version.parameters),
        "note": version.note,
        "created_at": version.created_at.isoformat(),
    }


def _import_picture(connection: Connection, content: bytes, wish: _Wish) -> Persona:
    persona = import_found(connection, read_json(card_json_of_png(content)), wish)
    bare = with_texts(content, {})
    # A larger one is left out: the persona is what was wanted.
    if len(bare) <= PICTURE_BYTES_MOST:
        picture_store.replace_picture(connection, persona.id, check_picture(bare), wish.now)
    return persona


def _import_card(connection: Connection, card: Card, wish: _Wish) -> Persona:
    name = clean_name(card.name[: NAME_MAX_CHARS * 2], field="file", max_chars=NAME_MAX_CHARS * 2)[:NAME_MAX_CHARS]
    content = clean_content(connection, PersonaContent(name.strip(), card.instructions, None, card.parameters))
    persona = insert_under_free_name(
        connection, content, card=card.kept or None, note="From a character card.", owner_id=wish.owner_id, now=wish.now
    )
    tag_persona(connection, persona.id, _usable_tags(card.tags))
    return persona


def _import_versions(connection: Connection, found: Mapping[str, Any], wish: _Wish) -> Persona:
    versions = found.get("versions")
    if found.get("format_version") != 1:
        raise Invalid("This persona was written by a newer FORLLM. Bring this one up to date.", field="file")
    if not isinstance(versions, list) or not 0 < len(versions) <= VERSIONS_MOST:
        raise Invalid(f"A persona's file holds 1 to {VERSIONS_MOST} versions.", field="file")
    contents = [(_content_in(connection, each, wish), _note_in(each)) for each in versions]
    last = contents[-1][0]
    first, note = contents[0]
    card = found.get("card")
    persona = insert_under_free_name(
        connection,
        PersonaContent(last.name, first.instructions, first.model_id, first.parameters, first.fallback_model_ids),
        card=card if isinstance(card, dict) and card else None,
        note=note,
        owner_id=wish.owner_id,
        now=wish.now,
    )
    for content, each_note in contents[1:]:
        persona = change_persona(
            connection,
            persona.id,
            editor_id=wish.owner_id,
            name=persona.name,
            instructions=content.instructions,
            model_id=content.model_id,
            parameters=content.parameters,
            fallback_model_ids=content.fallback_model_ids,
            note=each_note,
            now=wish.now,
        )
    tags = found.get("tags")
    tag_persona(connection, persona.id, _usable_tags(tags if isinstance(tags, list) else ()))
    return persona


def _content_in(connection: Connection, given: Any, wish: _Wish) -> PersonaContent:
    """A version of a file; models that are not there are left out."""
    if not isinstance(given, dict):
        raise Invalid("A version in this file is no JSON object.", field="file")
    names, parameters = given.get("fallback_models"), given.get("parameters")
    others = [wish.models[each] for each in names if each in wish.models] if isinstance(names, list) else []
    model = given.get("model")
    return clean_content(
        connection,
        PersonaContent(
            name=str(given.get("name", "")),
            instructions=str(given.get("instructions", "")),
            model_id=wish.models.get(model) if isinstance(model, str) else None,
            parameters=parameters if isinstance(parameters, dict) else {},
            fallback_model_ids=tuple(others),
        ),
    )


def _note_in(given: Mapping[str, Any]) -> str:
    note = given.get("note")
    return note[:NOTE_MAX_CHARS] if isinstance(note, str) else ""


def _usable_tags(tags: Any) -> list[str]:
    """Those that can be tags here: a card with many or odd ones is taken all the same."""
    plain = (" ".join(tag.replace(",", " ").split()) for tag in tags if isinstance(tag, str))
    usable = [tag for tag in plain if tag and any(letter.isalnum() for letter in tag) and len(tag) <= TAG_MAX_CHARS]
    return usable[:TAGS_MOST]
