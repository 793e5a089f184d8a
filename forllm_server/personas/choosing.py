"""Which persona answers: the one asked for, else the subforum's default, else the forum's, else the built-in one."""

from sqlalchemy import Connection

from forllm_server.errors import NotFound
from forllm_server.personas import assignment_store, persona_store
from forllm_server.personas.model import Choice, ChoiceReason, Persona


def choose(
    connection: Connection,
    *,
    asked_persona_id: int | None,
    subforum_id: int | None,
    default_persona_id: int | None,
) -> Choice:
    """The persona that will answer, in its current version, and why it does.

    A default that was deleted is passed over. Raises NotFound when the one asked for is not there.
    """
    if asked_persona_id is not None:
        return _choice(_get_asked(connection, asked_persona_id), ChoiceReason.ASKED)
    if subforum_id is not None:
        subforum_default = assignment_store.find_default_persona_id(connection, subforum_id)
        if persona := _find_present(connection, subforum_default):
            return _choice(persona, ChoiceReason.SUBFORUM_DEFAULT)
    if persona := _find_present(connection, default_persona_id):
        return _choice(persona, ChoiceReason.GLOBAL_DEFAULT)
    builtin = persona_store.find_builtin(connection)
    if builtin is None:
        raise NotFound("The built-in persona is missing. Start FORLLM again: it is made at every start.")
    return _choice(builtin, ChoiceReason.BUILTIN)


def _get_asked(connection: Connection, persona_id: int) -> Persona:
    persona = persona_store.find_persona(connection, persona_id)
    if persona is None:
        raise NotFound("There is no such persona. Choose another one.", field="persona_id")
    if persona.is_deleted:
        raise NotFound(f"The persona {persona.name} was deleted. Choose another one.", field="persona_id")
    return persona


def _find_present(connection: Connection, persona_id: int | None) -> Persona | None:
    persona = None if persona_id is None else persona_store.find_persona(connection, persona_id)
    return None if persona is None or persona.is_deleted else persona


def _choice(persona: Persona, reason: ChoiceReason) -> Choice:
    return Choice(persona=persona, version=persona.version, reason=reason)
