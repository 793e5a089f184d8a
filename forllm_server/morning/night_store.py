"""Rows of ``nights`` and ``pause_records``."""

from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy import Connection, or_, select, update

from forllm_server.db.upsert import insert_missing, insert_or_update
from forllm_server.morning.model import Night, PauseRecord
from forllm_server.morning.tables import nights, pause_records
from forllm_server.queue.model import Pause

_n, _p = nights.c, pause_records.c
_NIGHT = (_n.day, _n.begins_at, _n.ends_at, _n.counts_from, _n.counts_until)


def list_nights(connection: Connection, first: date, last: date) -> dict[date, Night]:
    """The nights of these mornings that were kept."""
    rows = connection.execute(select(*_NIGHT).where(_n.day >= first, _n.day <= last))
    return {row.day: Night(*row) for row in rows}


def replace_night(connection: Connection, night: Night) -> None:
    """Keep a night, or correct the one kept: its hours may be changed while it is under way."""
    hours = {
        "begins_at": night.begins_at,
        "ends_at": night.ends_at,
        "counts_from": night.counts_from,
        "counts_until": night.counts_until,
    }
    insert_or_update(connection, nights, {"day": night.day}, hours)


def is_closed(connection: Connection, day: date) -> bool:
    """Whether a night was summed up."""
    return connection.execute(select(_n.day).where(_n.day == day, _n.closed_at.is_not(None))).first() is not None


def update_closed(connection: Connection, day: date, now: datetime) -> bool:
    """Say that a kept night is summed up; whether this call is the first to say so."""
    statement = update(nights).where(_n.day == day, _n.closed_at.is_(None)).values(closed_at=now)
    return connection.execute(statement).rowcount > 0


def list_open_pauses(connection: Connection) -> list[PauseRecord]:
    """The pauses whose end was not seen yet."""
    return [PauseRecord(*row) for row in connection.execute(select(pause_records).where(_p.ended_at.is_(None)))]


def list_pauses_between(connection: Connection, start: datetime, end: datetime, *, limit: int) -> list[PauseRecord]:
    """The pauses that held at some time from ``start`` until ``end``, in the order of their beginnings."""
    query = (
        select(pause_records)
        .where(_p.began_at < end, or_(_p.ended_at.is_(None), _p.ended_at > start))
        .order_by(_p.began_at, _p.scope)
        .limit(limit)
    )
    return [PauseRecord(*row) for row in connection.execute(query)]


def insert_pauses(connection: Connection, seen: Mapping[int, Pause]) -> None:
    """Note pauses that hold, each once."""
    rows = [
        {
            "scope": scope,
            "began_at": each.created_at,
            "reason": each.reason,
            "is_by_machine": each.is_by_machine,
        }
        for scope, each in seen.items()
    ]
    insert_missing(connection, pause_records, rows)


def update_pause_ended(connection: Connection, record: PauseRecord, ended_at: datetime) -> None:
    """Note when a pause ended."""
    connection.execute(
        update(pause_records)
        .where(_p.scope == record.scope, _p.began_at == record.began_at, _p.ended_at.is_(None))
        .values(ended_at=ended_at)
    )
