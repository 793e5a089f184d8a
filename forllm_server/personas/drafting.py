"""Personas that a model writes: what may be asked for, writing drafts down, and what a person does with them."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from forllm_server.errors import Conflict, Invalid
from forllm_server.markup.names import clean_name, clean_text, name_key
from forllm_server.personas import draft_store, persona_store
from forllm_server.personas.assigning import assign_persona
from forllm_server.personas.copying import insert_under_free_name
from forllm_server.personas.draft_model import Brief, DraftText, PersonaDraft
from forllm_server.personas.editing import NAME_MAX_CHARS, NOTE_MAX_CHARS, clean_content, insert_content
from forllm_server.personas.model import Persona, PersonaContent

BRIEF_MAX_CHARS = 8_000
REMARK_MAX_CHARS = 2_000
#: So many are written for one asking.
DRAFTS_MOST = 10
_NAMES_TRIED = 200


def clean_brief(given: Brief) -> Brief:
    """What may be asked for. Raises Invalid, of ``description`` or ``name``."""
    text = clean_text(given.text, field="description", max_chars=BRIEF_MAX_CHARS) if given.text.strip() else ""
    if not text and not given.is_for_subforum:
        raise Invalid("Describe the persona first: who it is, and what for.", field="description")
    name = clean_name(given.wished_name, field="name", max_chars=NAME_MAX_CHARS) if given.wished_name.strip() else ""
    return replace(given, text=text.strip(), wished_name=name)


def check_count(count: int) -> int:
    """Raises Invalid for none, or for more than are written at once."""
    if not 1 <= count <= DRAFTS_MOST:
        raise Invalid(f"This must be a whole number from 1 to {DRAFTS_MOST}.", field="count")
    return count


def clean_remark(remark: str) -> str:
    """Raises Invalid(field="remark")."""
    return clean_text(remark, field="remark", max_chars=REMARK_MAX_CHARS).strip() if remark.strip() else ""


def write_draft_down(
    connection: Connection, draft: PersonaDraft, text: DraftText, *, answer: str, model_name: str, now: datetime
) -> None:
    """Keep what was read from a model's answer; a name that is taken gets a number."""
    draft_store.update_draft(
        connection,
        draft.id,
        answer=answer,
        name=_free_name(connection, draft.id, text.name),
        description=text.description,
        instructions=text.instructions,
        model_name=model_name,
        written_at=now,
    )


def accept_draft(
    connection: Connection,
    draft_id: int,
    *,
    owner_id: int,
    name: str | None = None,
    instructions: str | None = None,
    is_assigned: bool = False,
    now: datetime,
) -> Persona:
    """Make a persona of a draft, with the name and instructions that the person gives it, else its own.

    ``is_assigned``: make it available in the subforum that it was written for. A name of its own that was taken
    meanwhile gets a number. Raises NotFound, Conflict, Invalid, or NameTaken for a name that the person gave it.
    """
    draft = draft_store.get_draft_to_change(connection, draft_id)
    _check_may_be_accepted(draft)
    given = PersonaContent(
        draft.text.name if name is None else name, draft.text.instructions if instructions is None else instructions
    )
    content = clean_content(connection, given)
    note = draft.note[:NOTE_MAX_CHARS]
    if name_key(content.name) == name_key(draft.text.name):
        persona = insert_under_free_name(connection, content, note=note, owner_id=owner_id, now=now)
    else:
        persona = insert_content(connection, content, note=note, owner_id=owner_id, now=now)
    draft_store.update_draft(connection, draft_id, accepted_at=now, persona_version_id=persona.version.id)
    if is_assigned and draft.brief.subforum_id is not None:
        assign_persona(connection, subforum_id=draft.brief.subforum_id, persona_id=persona.id, now=now)
    return persona


def drop_draft(connection: Connection, draft_id: int, now: datetime) -> PersonaDraft:
    """Put a draft aside; it can be taken back until it is erased. Raises NotFound, or Conflict for an accepted one."""
    draft = draft_store.get_draft_to_change(connection, draft_id)
    if draft.is_accepted:
        raise Conflict("This draft is a persona by now. Delete that one instead.")
    if not draft.is_dropped:
        draft_store.update_draft(connection, draft_id, dropped_at=now)
    return draft


def restore_draft(connection: Connection, draft_id: int) -> PersonaDraft:
    """Take a dropped draft back. Raises NotFound."""
    draft_store.get_draft_to_change(connection, draft_id)
    draft_store.update_draft(connection, draft_id, dropped_at=None)
    return draft_store.get_draft(connection, draft_id)


def erase_dropped_drafts(connection: Connection, *, older_than_days: int, now: datetime) -> int:
    """Erase for good what was dropped more than so many days ago; returns how many."""
    return draft_store.delete_dropped_drafts(connection, until=now - timedelta(days=older_than_days))


def _check_may_be_accepted(draft: PersonaDraft) -> None:
    if draft.is_accepted:
        raise Conflict("This draft is a persona already.")
    if draft.is_dropped:
        raise Conflict("This draft was dropped. Take it back first.")
    if not draft.is_written:
        raise Conflict("This draft is not written yet.")


def _free_name(connection: Connection, draft_id: int, name: str) -> str:
    """The name, with a number when a persona or another draft has it."""
    drafts = {name_key(each) for each in draft_store.list_open_names(connection, leaving_out=draft_id)}
    for number in range(1, _NAMES_TRIED):
        suffix = f" {number}" if number > 1 else ""
        found = name[: NAME_MAX_CHARS - len(suffix)].rstrip() + suffix
        key = name_key(found)
        if key not in drafts and persona_store.find_persona_by_name_key(connection, key) is None:
            return found
    return name
