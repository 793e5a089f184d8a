"""Rows of ``personas``, each with its current version."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from forllm_server.errors import NameTaken, NotFound
from forllm_server.markup import names
from forllm_server.personas.model import Persona
from forllm_server.personas.tables import (
    persona_assignments,
    persona_pictures,
    persona_tags,
    persona_versions,
    personas,
)
from forllm_server.personas.version_store import version_from

_IS_THERE = personas.c.deleted_at.is_(None)


def get_persona(connection: Connection, persona_id: int) -> Persona:
    """The persona; raises NotFound when there is none or it was deleted."""
    return _existing(find_persona(connection, persona_id))


def get_persona_to_change(connection: Connection, persona_id: int) -> Persona:
    """Like :func:`get_persona`, and nobody else changes it before this transaction ends."""
    row = connection.execute(_select().where(personas.c.id == persona_id).with_for_update(of=personas)).one_or_none()
    return _existing(_persona(row) if row else None)


def find_persona(connection: Connection, persona_id: int) -> Persona | None:
    """The persona, deleted or not: its posts still name it."""
    row = connection.execute(_BY_ID, {"id_": persona_id}).one_or_none()
    return _persona(row) if row else None


def find_builtin(connection: Connection) -> Persona | None:
    """The persona that every forum has; None only before it was made."""
    row = connection.execute(_select().where(personas.c.is_builtin).order_by(personas.c.id).limit(1)).one_or_none()
    return _persona(row) if row else None


def find_persona_by_name_key(connection: Connection, name_key: str) -> Persona | None:
    row = connection.execute(_select().where(personas.c.name_key == name_key, _IS_THERE)).one_or_none()
    return _persona(row) if row else None


def list_personas(
    connection: Connection, *, limit: int | None = None, after_id: int = 0, words: Sequence[str] = (), tag: str = ""
) -> list[Persona]:
    """All that are not deleted, oldest first (the built-in one); with ``limit`` a page that begins after an id.

    ``words``: each of them stands in the name or the instructions; ``tag``: only those that have it.
    """
    query = _select().where(_IS_THERE, personas.c.id > after_id).order_by(personas.c.id).limit(limit)
    for word in words:
        is_in_name = personas.c.name_key.contains(names.name_key(word), autoescape=True)
        query = query.where(or_(is_in_name, persona_versions.c.instructions.icontains(word, autoescape=True)))
    if tag:
        query = query.where(personas.c.id.in_(select(persona_tags.c.persona_id).where(persona_tags.c.tag == tag)))
    return [_persona(row) for row in connection.execute(query)]


def count_personas(connection: Connection) -> int:
    """How many are not deleted."""
    count: int = connection.execute(select(func.count()).select_from(personas).where(_IS_THERE)).scalar_one()
    return count


def insert_persona(
    connection: Connection, *, owner_id: int, name: str, name_key: str, is_builtin: bool = False, now: datetime
) -> int:
    """Add a persona without a version, to be given one in the same transaction; its id. Raises NameTaken."""
    statement = insert(personas).values(
        owner_id=owner_id, name=name, name_key=name_key, is_builtin=is_builtin, created_at=now
    )
    try:
        with connection.begin_nested():
            persona_id: int = connection.execute(statement.returning(personas.c.id)).scalar_one()
    except IntegrityError as error:
        raise NameTaken(field="name") from error
    return persona_id


def update_persona(connection: Connection, persona_id: int, **values: Any) -> None:
    """Change columns. Raises NameTaken."""
    try:
        with connection.begin_nested():
            connection.execute(update(personas).where(personas.c.id == persona_id).values(**values))
    except IntegrityError as error:
        raise NameTaken(field="name") from error


def is_erased(connection: Connection, persona_id: int) -> bool:
    """Whether a deleted persona cannot come back any more."""
    query = select(personas.c.erased_at.is_not(None)).where(personas.c.id == persona_id)
    return connection.execute(query).scalar_one()


def update_erased(connection: Connection, *, until: datetime, now: datetime) -> int:
    """Mark those deleted until then as erased, with all that only they had; how many."""
    is_due = (personas.c.deleted_at <= until, personas.c.erased_at.is_(None))
    due = select(personas.c.id).where(*is_due)
    for table in (persona_assignments, persona_tags, persona_pictures):
        connection.execute(delete(table).where(table.c.persona_id.in_(due)))
    return connection.execute(update(personas).where(*is_due).values(erased_at=now)).rowcount


def _existing(persona: Persona | None) -> Persona:
    if persona is None or persona.is_deleted:
        raise NotFound("There is no such persona. It may have been deleted.")
    return persona


def _select() -> Select[Any]:
    version = [column.label(f"version_{column.name}") for column in persona_versions.c]
    return select(personas, *version).join(persona_versions, persona_versions.c.id == personas.c.current_version_id)


# Built once: every question asks for it, and putting the statement together takes longer than executing it.
_BY_ID = _select().where(personas.c.id == bindparam("id_"))


def _persona(row: Row[Any]) -> Persona:
    return Persona(
        id=row.id,
        owner_id=row.owner_id,
        name=row.name,
        is_builtin=row.is_builtin,
        created_at=row.created_at,
        deleted_at=row.deleted_at,
        card=row.card,
        version=version_from({column.name: row._mapping[f"version_{column.name}"] for column in persona_versions.c}),
    )
