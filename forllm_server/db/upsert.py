"""``INSERT … ON CONFLICT`` on either database: the two dialects have a construct each. No rules here."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ColumnElement


def insert_here(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """The statement of this connection's database."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insert_or_update(
    connection: Connection,
    table: Table,
    keys: Mapping[str, Any],
    values: Mapping[str, Any],
    *,
    where: ColumnElement[bool] | None = None,
) -> bool:
    """Give the row with these ``keys`` these ``values``, and make it when there is none; whether it has them now.

    ``where``: only a row of which this holds is changed.
    """
    statement = insert_here(connection, table).values({**keys, **values})
    named = [table.c[key] for key in keys]
    changed = statement.on_conflict_do_update(index_elements=list(keys), set_=dict(values), where=where)
    return connection.execute(changed.returning(*named)).first() is not None


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add those rows that are not there yet."""
    if rows:
        connection.execute(insert_here(connection, table).on_conflict_do_nothing(), [dict(row) for row in rows])
