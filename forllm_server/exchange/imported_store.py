"""Rows of ``imported_records``: which record from elsewhere became which one here."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select

from forllm_server.exchange.tables import imported_records

_c = imported_records.c


def find_source(connection: Connection, fingerprints: Sequence[str]) -> str | None:
    """The fingerprint under which something was imported already, the most trusted first."""
    known = set(connection.execute(select(_c.source).where(_c.source.in_(fingerprints)).distinct()).scalars())
    return next((fingerprint for fingerprint in fingerprints if fingerprint in known), None)


def list_local_ids(connection: Connection, source: str) -> dict[tuple[str, int], int]:
    """Everything imported from ``source``: (kind, original id) → id here."""
    rows = connection.execute(select(_c.kind, _c.original_id, _c.local_id).where(_c.source == source))
    return {(row.kind, row.original_id): row.local_id for row in rows}


def insert_record(
    connection: Connection, *, source: str, kind: str, original_id: int, local_id: int, now: datetime
) -> None:
    connection.execute(
        insert(imported_records).values(
            source=source, kind=kind, original_id=original_id, local_id=local_id, imported_at=now
        )
    )
