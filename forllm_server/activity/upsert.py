"""``INSERT … ON CONFLICT`` on either database: the two dialects have a construct each. No rules here."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_or_update(connection: Connection, table: Table, keys: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Give the row with these ``keys`` these ``values``, and make it when there is none."""
    given = {**keys, **values}
    if connection.dialect.name == "postgresql":
        connection.execute(
            postgresql.insert(table).values(given).on_conflict_do_update(index_elements=list(keys), set_=dict(values))
        )
    else:
        connection.execute(
            sqlite.insert(table).values(given).on_conflict_do_update(index_elements=list(keys), set_=dict(values))
        )


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add those rows that are not there yet."""
    if not rows:
        return
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(make(table).on_conflict_do_nothing(), [dict(row) for row in rows])
