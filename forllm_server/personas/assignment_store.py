"""Rows of ``persona_assignments``: the personas made available in a subforum."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from forllm_server.db.types import metadata
from forllm_server.personas.model import Assignment
from forllm_server.personas.tables import persona_assignments, personas


def list_assignments(connection: Connection, subforum_id: int) -> list[Assignment]:
    """The personas of a subforum, its default first, then by name."""
    query = (
        select(persona_assignments, personas.c.name.label("persona_name"))
        .join(personas, personas.c.id == persona_assignments.c.persona_id)
        .where(persona_assignments.c.subforum_id == subforum_id, personas.c.deleted_at.is_(None))
        .order_by(persona_assignments.c.is_default.desc(), personas.c.name_key)
    )
    return [Assignment(**row._mapping) for row in connection.execute(query)]


def list_subforum_ids(connection: Connection, persona_id: int) -> list[int]:
    """The subforums that a persona is assigned to."""
    query = select(persona_assignments.c.subforum_id).where(persona_assignments.c.persona_id == persona_id)
    return list(connection.execute(query.order_by(persona_assignments.c.subforum_id)).scalars())


def find_default_persona_id(connection: Connection, subforum_id: int) -> int | None:
    """The persona that answers in a subforum when nobody asks for another."""
    return connection.execute(_DEFAULT, {"subforum_id_": subforum_id}).scalar_one_or_none()


_DEFAULT = select(persona_assignments.c.persona_id).where(
    persona_assignments.c.subforum_id == bindparam("subforum_id_"), persona_assignments.c.is_default
)


def has_assignment(connection: Connection, *, subforum_id: int, persona_id: int) -> bool:
    query = select(persona_assignments.c.persona_id).where(
        persona_assignments.c.subforum_id == subforum_id, persona_assignments.c.persona_id == persona_id
    )
    return connection.execute(query).first() is not None


def has_subforum(connection: Connection, subforum_id: int) -> bool:
    """Whether there is such a subforum outside the trash."""
    subforums = metadata.tables["subforums"]
    query = select(subforums.c.id).where(subforums.c.id == subforum_id, subforums.c.deleted_at.is_(None))
    return connection.execute(query).first() is not None


def insert_assignment(connection: Connection, *, subforum_id: int, persona_id: int, now: datetime) -> None:
    connection.execute(
        insert(persona_assignments).values(
            subforum_id=subforum_id, persona_id=persona_id, is_default=False, created_at=now
        )
    )


def update_default(connection: Connection, *, subforum_id: int, persona_id: int | None) -> None:
    """Make one assignment the default of its subforum, or none. The other one goes first: there is never a second."""
    own = persona_assignments.c.subforum_id == subforum_id
    connection.execute(
        update(persona_assignments).where(own, persona_assignments.c.is_default).values(is_default=False)
    )
    if persona_id is not None:
        this = (own, persona_assignments.c.persona_id == persona_id)
        connection.execute(update(persona_assignments).where(*this).values(is_default=True))


def delete_assignment(connection: Connection, *, subforum_id: int, persona_id: int) -> None:
    connection.execute(
        delete(persona_assignments).where(
            persona_assignments.c.subforum_id == subforum_id, persona_assignments.c.persona_id == persona_id
        )
    )
