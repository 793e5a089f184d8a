"""Rows of ``persona_tags``: the words that personas are filed under."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, delete, func, insert, select

from forllm_server.personas.tables import persona_tags, personas

_c = persona_tags.c


def list_tags(connection: Connection) -> list[tuple[str, int]]:
    """Every tag with the number of personas that have it, by name."""
    query = select(_c.tag, func.count()).join(personas, personas.c.id == _c.persona_id)
    query = query.where(personas.c.deleted_at.is_(None)).group_by(_c.tag).order_by(_c.tag)
    return [(tag, number) for tag, number in connection.execute(query)]


def list_tags_of(connection: Connection, persona_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """The tags of each of these personas that has any, by name."""
    query = select(_c.persona_id, _c.tag).where(_c.persona_id.in_(persona_ids)).order_by(_c.tag)
    found: dict[int, list[str]] = {}
    for persona_id, tag in connection.execute(query):
        found.setdefault(persona_id, []).append(tag)
    return {persona_id: tuple(tags) for persona_id, tags in found.items()}


def replace_tags(connection: Connection, persona_id: int, tags: Sequence[str]) -> None:
    connection.execute(delete(persona_tags).where(_c.persona_id == persona_id))
    if tags:
        connection.execute(insert(persona_tags), [{"persona_id": persona_id, "tag": tag} for tag in tags])
