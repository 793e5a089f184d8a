"""Personas of an original FORLLM with their versions, and where they were assigned."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import NameTaken
from forllm_server.exchange.fitting import fitted_instructions, fitted_name, numbered_name
from forllm_server.exchange.ledger import Ledger
from forllm_server.exchange.original_model import OriginalForum, OriginalPersona, OriginalPersonaVersion
from forllm_server.markup.names import name_key
from forllm_server.personas import persona_store, version_store
from forllm_server.personas.assigning import assign_persona
from forllm_server.personas.editing import (
    NAME_MAX_CHARS,
    change_persona,
    create_persona,
    delete_persona,
    ensure_builtin,
)
from forllm_server.personas.model import Persona, PersonaVersion

#: Names tried before one is given up: Critic, Critic (2), …
_MOST_NAMES = 100


@dataclass(frozen=True)
class Cast:
    """Who wrote the original's replies: its personas' versions here, oldest first, and the built-in one."""

    versions: Mapping[int, list[PersonaVersion]]
    builtin: PersonaVersion

    def version_at(self, persona_id: int | None, moment: datetime | None) -> PersonaVersion:
        """The version that was current then: the original keeps only which persona it was."""
        versions = self.versions.get(persona_id or 0, [self.builtin])
        earlier = [version for version in versions if moment is None or version.created_at <= moment]
        return (earlier or versions[:1])[-1]

    def current_version(self, persona_id: int | None) -> PersonaVersion:
        return self.versions.get(persona_id or 0, [self.builtin])[-1]


def import_personas(connection: Connection, forum: OriginalForum, ledger: Ledger) -> Cast:
    """Add the personas with all their versions. One that is here with the same text is not made again."""
    for persona in forum.personas:
        is_earlier = ledger.is_known("persona", persona.id)
        with ledger.item(connection, "persona"):
            if not is_earlier and not _is_matched(connection, persona, ledger):
                _add(connection, persona, ledger)
            elif is_earlier:
                _add_newer_versions(connection, persona, ledger)
    return _cast(connection, forum, ledger)


def import_assignments(connection: Connection, forum: OriginalForum, ledger: Ledger) -> None:
    """Make the personas available in the subforums where they were."""
    for assignment in forum.assignments:
        subforum_id = ledger.find("subforum", assignment.subforum_id)
        persona_id = ledger.find("persona", assignment.persona_id)
        if ledger.is_known("assignment", assignment.id) or subforum_id is None or persona_id is None:
            continue
        with ledger.item(connection, "assignment"):
            assign_persona(
                connection,
                subforum_id=subforum_id,
                persona_id=persona_id,
                is_default=assignment.is_default,
                now=ledger.now,
            )
            ledger.add(connection, "assignment", assignment.id, persona_id)


def _is_matched(connection: Connection, persona: OriginalPersona, ledger: Ledger) -> bool:
    texts = {fitted_instructions(version.instructions) for version in _versions(persona)}
    name = fitted_name(persona.name, max_chars=NAME_MAX_CHARS, otherwise=f"Persona {persona.id}")
    same_name = persona_store.find_persona_by_name_key(connection, name_key(name))
    for here in (same_name, ensure_builtin(connection, ledger.now)):
        if here is not None and texts == {here.version.instructions}:
            ledger.add(connection, "persona", persona.id, here.id, is_new=False)
            for version in persona.versions:
                ledger.add(connection, "persona_version", version.id, here.version.id, is_new=False)
            return True
    return False


def _add(connection: Connection, persona: OriginalPersona, ledger: Ledger) -> None:
    first, *later = _versions(persona)
    made = _create(connection, persona, first, ledger)
    ledger.add(connection, "persona", persona.id, made.id)
    _note_version(connection, first, made, made.version.id - 1, ledger)
    for version in later:
        _change(connection, made.id, version, ledger)
    if not persona.is_active:
        delete_persona(connection, made.id, ledger.now)


def _add_newer_versions(connection: Connection, persona: OriginalPersona, ledger: Ledger) -> None:
    local_id = ledger.local_ids["persona", persona.id]
    here = persona_store.find_persona(connection, local_id)
    for version in persona.versions:
        if ledger.is_known("persona_version", version.id) or here is None or here.is_deleted:
            continue
        if fitted_instructions(version.instructions) in _texts_here(connection, local_id):
            # every start of the original writes the first version of its own persona once more
            ledger.add(connection, "persona_version", version.id, here.version.id, is_new=False)
            continue
        _change(connection, local_id, version, ledger)


def _texts_here(connection: Connection, persona_id: int) -> set[str]:
    return {version.instructions for version in version_store.list_versions(connection, persona_id)}


def _create(connection: Connection, persona: OriginalPersona, first: OriginalPersonaVersion, ledger: Ledger) -> Persona:
    name = fitted_name(first.name or persona.name, max_chars=NAME_MAX_CHARS, otherwise=f"Persona {persona.id}")
    for number in range(1, _MOST_NAMES):
        wanted = name if number == 1 else numbered_name(name, number, max_chars=NAME_MAX_CHARS)
        if persona_store.find_persona_by_name_key(connection, name_key(wanted)) is not None:
            continue
        if number > 1:
            ledger.note(f"There is another persona {name} here, so the original's is called {wanted}.")
        return create_persona(
            connection,
            owner_id=ledger.owner_id,
            name=wanted,
            instructions=fitted_instructions(first.instructions),
            now=first.created_at or persona.created_at or ledger.now,
        )
    raise NameTaken(field="name")


def _change(connection: Connection, persona_id: int, version: OriginalPersonaVersion, ledger: Ledger) -> None:
    """Make the version the next one; under the name so far when its own is somebody else's."""
    before = persona_store.get_persona(connection, persona_id)
    name = fitted_name(version.name, max_chars=NAME_MAX_CHARS, otherwise=before.name)
    other = persona_store.find_persona_by_name_key(connection, name_key(name))
    changed = change_persona(
        connection,
        persona_id,
        editor_id=ledger.owner_id,
        name=before.name if other is not None and other.id != persona_id else name,
        instructions=fitted_instructions(version.instructions),
        model_id=before.version.model_id,
        parameters=before.version.parameters,
        now=version.created_at or ledger.now,
    )
    _note_version(connection, version, changed, before.version.id, ledger)


def _note_version(
    connection: Connection, version: OriginalPersonaVersion, persona: Persona, before_id: int, ledger: Ledger
) -> None:
    # a persona of a version without history has no rows of its own there
    if version.id:
        is_new = persona.version.id != before_id
        ledger.add(connection, "persona_version", version.id, persona.version.id, is_new=is_new)


def _versions(persona: OriginalPersona) -> tuple[OriginalPersonaVersion, ...]:
    """Its versions, the current text last even where the history lacks it."""
    current = OriginalPersonaVersion(0, persona.id, 0, persona.name, persona.instructions, persona.created_at)
    if persona.versions and persona.versions[-1].instructions == persona.instructions:
        return persona.versions
    return (*persona.versions, current)


def _cast(connection: Connection, forum: OriginalForum, ledger: Ledger) -> Cast:
    versions = {}
    for persona in forum.personas:
        local_id = ledger.find("persona", persona.id)
        if local_id is not None:
            versions[persona.id] = version_store.list_versions(connection, local_id)[::-1]
    return Cast(versions, ensure_builtin(connection, ledger.now).version)
