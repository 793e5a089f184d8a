"""Rows of ``persona_versions``: written once, never changed."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select

from forllm_server.db.among import among
from forllm_server.db.types import metadata
from forllm_server.errors import NotFound
from forllm_server.personas.model import PersonaContent, PersonaVersion
from forllm_server.personas.tables import persona_versions, personas


def get_version(connection: Connection, version_id: int) -> PersonaVersion:
    """The version with that id; raises NotFound."""
    return _get(connection, persona_versions.c.id == version_id)


def get_version_by_number(connection: Connection, persona_id: int, number: int) -> PersonaVersion:
    """Version ``number`` (1 is the oldest) of a persona; raises NotFound."""
    return _get(connection, persona_versions.c.persona_id == persona_id, persona_versions.c.number == number)


def list_versions(connection: Connection, persona_id: int) -> list[PersonaVersion]:
    """All versions of a persona, newest first."""
    query = select(persona_versions).where(persona_versions.c.persona_id == persona_id)
    rows = connection.execute(query.order_by(persona_versions.c.number.desc()))
    return [_version(row._mapping) for row in rows]


def list_versions_by_ids(connection: Connection, version_ids: Collection[int]) -> list[PersonaVersion]:
    """The versions of these ids that exist, oldest first."""
    if not version_ids:
        return []
    return [_version(row._mapping) for row in connection.execute(_BY_IDS, {"ids": [*version_ids]})]


# Built once: it is asked with every page of every topic.
_BY_IDS = select(persona_versions).where(among(persona_versions.c.id, "ids")).order_by(persona_versions.c.id)


def list_former_names(connection: Connection) -> list[tuple[int, str]]:
    """Every name that a persona has or had: its id and the name, each once."""
    query = select(persona_versions.c.persona_id, persona_versions.c.name).distinct()
    return [(row.persona_id, row.name) for row in connection.execute(query)]


def list_versions_of_present(connection: Connection, *, limit: int) -> list[PersonaVersion]:
    """All versions of the personas that are not deleted, by their present names, the newest of each first."""
    query = (
        select(persona_versions)
        .join(personas, personas.c.id == persona_versions.c.persona_id)
        .where(personas.c.deleted_at.is_(None))
        .order_by(personas.c.name_key, personas.c.id, persona_versions.c.number.desc())
        .limit(limit)
    )
    return [_version(row._mapping) for row in connection.execute(query)]


def insert_version(
    connection: Connection, *, persona_id: int, content: PersonaContent, note: str, created_by: int, now: datetime
) -> PersonaVersion:
    """Add the next version of a persona. The caller has the persona locked, so that no number is taken twice."""
    own = persona_versions.c.persona_id == persona_id
    last: int = connection.execute(
        select(func.coalesce(func.max(persona_versions.c.number), 0)).where(own)
    ).scalar_one()
    statement = insert(persona_versions).values(
        persona_id=persona_id,
        number=last + 1,
        name=content.name,
        instructions=content.instructions,
        model_id=content.model_id,
        parameters=dict(content.parameters),
        fallback_model_ids=list(content.fallback_model_ids),
        note=note,
        created_at=now,
        created_by=created_by,
    )
    return _version(connection.execute(statement.returning(persona_versions)).one()._mapping)


def list_models_there(connection: Connection, model_ids: Collection[int]) -> set[int]:
    """Which of these models a version may name: those that are known, and whose backend was not deleted."""
    models, backends = metadata.tables["models"], metadata.tables["backends"]
    query = select(models.c.id).join(backends, backends.c.id == models.c.backend_id)
    return set(connection.execute(query.where(models.c.id.in_(model_ids), backends.c.deleted_at.is_(None))).scalars())


def version_from(values: Mapping[str, Any]) -> PersonaVersion:
    """The columns of ``persona_versions`` by name, as a value."""
    fallbacks = tuple(values["fallback_model_ids"] or ())
    return PersonaVersion(**{**values, "parameters": values["parameters"] or {}, "fallback_model_ids": fallbacks})


def _version(row: RowMapping) -> PersonaVersion:
    return version_from({column.name: row[column] for column in persona_versions.c})


def _get(connection: Connection, *which: Any) -> PersonaVersion:
    row = connection.execute(select(persona_versions).where(*which)).one_or_none()
    if row is None:
        raise NotFound("There is no such version of this persona.", field="version")
    return _version(row._mapping)
