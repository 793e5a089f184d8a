"""What all lines of things to be sent share: who sends one takes it first, so that of several processes one does.

The table of a line has ``id``, ``status``, ``attempts``, ``due_at``, ``ended_at`` and ``problem``. While somebody
tries, ``due_at`` is when another one may; the number of the try tells who took it last.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, select, update

WAITING = "waiting"
FAILED = "failed"


def has_due(connection: Connection, line: Table, now: datetime) -> bool:
    """Whether anything is to be sent."""
    return connection.execute(select(line.c.id).where(*_is_due(line, now)).limit(1)).first() is not None


def list_due_ids(connection: Connection, line: Table, now: datetime, *, limit: int) -> list[int]:
    """What is to be sent, the longest due first."""
    query = select(line.c.id).where(*_is_due(line, now)).order_by(line.c.due_at, line.c.id).limit(limit)
    return list(connection.execute(query).scalars())


def update_taken(
    connection: Connection, line: Table, thing_id: int, *, until: datetime, now: datetime
) -> Row[Any] | None:
    """Take what is due; None when somebody else has it. Nobody else takes it before ``until``."""
    statement = (
        update(line)
        .where(line.c.id == thing_id, *_is_due(line, now))
        .values(due_at=until, attempts=line.c.attempts + 1)
        .returning(line)
    )
    return connection.execute(statement).one_or_none()


def update_ended(
    connection: Connection, line: Table, thing_id: int, *, attempt: int, status: str, problem: str | None, now: datetime
) -> bool:
    """Note how what was taken ended; False when it was taken from us meanwhile."""
    values = {"status": status, "problem": problem, "ended_at": now, "due_at": None}
    return _settle(connection, line, thing_id, attempt, values)


def update_postponed(
    connection: Connection, line: Table, thing_id: int, *, attempt: int, problem: str, due_at: datetime
) -> bool:
    """Note that it is tried again."""
    return _settle(connection, line, thing_id, attempt, {"problem": problem, "due_at": due_at})


def update_due_again(connection: Connection, line: Table, thing_id: int, now: datetime) -> bool:
    """Have what was given up tried again; whether there was one."""
    values = {"status": WAITING, "attempts": 0, "due_at": now, "ended_at": None}
    given_up = update(line).where(line.c.id == thing_id, line.c.status == FAILED)
    return connection.execute(given_up.values(values)).rowcount > 0


def _is_due(line: Table, now: datetime) -> tuple[Any, Any]:
    return line.c.status == WAITING, line.c.due_at <= now


def _settle(connection: Connection, line: Table, thing_id: int, attempt: int, values: dict[str, Any]) -> bool:
    own = (line.c.id == thing_id, line.c.status == WAITING, line.c.attempts == attempt)
    return connection.execute(update(line).where(*own).values(values)).rowcount > 0
