"""Whether the database itself is whole."""

from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError


def list_damage(connection: Connection) -> list[str]:
    """What SQLite's own check finds wrong, the first five; empty when the file is whole. PostgreSQL checks itself."""
    if connection.dialect.name != "sqlite":
        return []
    try:
        verdicts = list(connection.execute(text("PRAGMA integrity_check(5)")).scalars())
    except DatabaseError as error:
        return [str(error.orig)]
    return [] if verdicts == ["ok"] else verdicts


def list_broken_references(connection: Connection) -> list[str]:
    """The tables with rows that point to rows that are gone, one entry a row."""
    if connection.dialect.name != "sqlite":
        return []
    return [row[0] for row in connection.execute(text("PRAGMA foreign_key_check"))]
