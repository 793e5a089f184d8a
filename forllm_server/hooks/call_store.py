"""Rows of ``hook_calls``, ``hook_attempts`` and ``hook_posts``."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, func, insert, or_, select, text, update

from forllm_server.errors import NotFound
from forllm_server.hooks.model import Attempt, Call, CallStatus, HookKind, NewCall
from forllm_server.hooks.tables import hook_attempts, hook_calls, hook_posts, hooks
from forllm_server.outward import line_store

_c = hook_calls.c
_a = hook_attempts.c
# In letters, not as a parameter: only so do the databases see that the index of what waits is meant.
_IS_WAITING = text("hook_calls.status = 'waiting'")
# Built once: these run for everything that happens.
_INSERT = insert(hook_calls)


def get_call(connection: Connection, call_id: int) -> Call:
    """The call; raises NotFound."""
    row = connection.execute(select(hook_calls).where(_c.id == call_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such call. It may be too old, or its hook was deleted.")
    return _call(row)


def find_by_event_id(connection: Connection, event_id: str) -> Call | None:
    """The call that carries this id."""
    row = connection.execute(select(hook_calls).where(_c.event_id == event_id)).one_or_none()
    return _call(row) if row else None


def insert_calls(connection: Connection, news: Sequence[NewCall], now: datetime) -> None:
    """Put calls in line, or note why they are not to be made."""
    connection.execute(_INSERT, [_values(new, now) for new in news])


def insert_call(connection: Connection, new: NewCall, now: datetime) -> int:
    """Put a call in line; its id."""
    return int(connection.execute(_INSERT.values(_values(new, now)).returning(_c.id)).scalar_one())


def list_ready_hook_ids(connection: Connection, now: datetime, kinds: Collection[HookKind]) -> list[int]:
    """The hooks of these kinds that are in use, have a call to be made and none under way."""
    is_free = or_(hooks.c.busy_until.is_(None), hooks.c.busy_until <= now)
    has_due = exists().where(_c.hook_id == hooks.c.id, _IS_WAITING, _c.due_at <= now)
    query = select(hooks.c.id).where(
        hooks.c.is_enabled, hooks.c.kind.in_([kind.value for kind in kinds]), is_free, has_due
    )
    return list(connection.execute(query.order_by(hooks.c.id)).scalars())


def update_next_taken(connection: Connection, hook_id: int, *, until: datetime, now: datetime) -> Call | None:
    """Take the oldest call of a hook that is due; None: there is none."""
    due = select(_c.id).where(_c.hook_id == hook_id, _IS_WAITING, _c.due_at <= now).order_by(_c.id).limit(1)
    call_id = connection.execute(due).scalar_one_or_none()
    row = None if call_id is None else line_store.update_taken(connection, hook_calls, call_id, until=until, now=now)
    return _call(row) if row else None


def update_ended(
    connection: Connection, taken: Call, status: CallStatus, *, problem: str | None, now: datetime
) -> bool:
    """Note how a call that was taken ended; False when it was taken from us meanwhile."""
    return line_store.update_ended(
        connection, hook_calls, taken.id, attempt=taken.attempts, status=status.value, problem=problem, now=now
    )


def update_postponed(connection: Connection, taken: Call, *, problem: str, due_at: datetime) -> bool:
    """Note that it is tried again."""
    return line_store.update_postponed(
        connection, hook_calls, taken.id, attempt=taken.attempts, problem=problem, due_at=due_at
    )


def update_given_back(connection: Connection, taken: Call, now: datetime) -> None:
    """Put a call that was not its fault to break off back in line, without counting the attempt."""
    own = (_c.id == taken.id, _IS_WAITING, _c.attempts == taken.attempts)
    connection.execute(update(hook_calls).where(*own).values(attempts=taken.attempts - 1, due_at=now))


def update_due_of_lost(connection: Connection, hook_id: int, *, until: datetime, now: datetime) -> None:
    """The call that was taken until then may be made at once: whoever took it is gone."""
    own = (_c.hook_id == hook_id, _IS_WAITING, _c.due_at == until)
    connection.execute(update(hook_calls).where(*own).values(due_at=now))


def update_due_again(connection: Connection, call_id: int, now: datetime) -> bool:
    """Have a call that was given up made again; whether there was one."""
    return line_store.update_due_again(connection, hook_calls, call_id, now)


def update_expired(connection: Connection, *, created_before: datetime, problem: str, now: datetime) -> int:
    """Give up what has waited since then and is not under way; how many."""
    values = {"status": CallStatus.FAILED.value, "problem": problem, "ended_at": now, "due_at": None}
    old = update(hook_calls).where(_IS_WAITING, _c.created_at < created_before, _c.due_at <= now)
    return connection.execute(old.values(values)).rowcount


def list_calls(
    connection: Connection,
    *,
    hook_id: int | None = None,
    status: CallStatus | None = None,
    before_id: int | None = None,
    limit: int,
) -> list[Call]:
    """Newest first, by keyset: those with an id below ``before_id``."""
    query = select(hook_calls).order_by(_c.id.desc()).limit(limit)
    if hook_id is not None:
        query = query.where(_c.hook_id == hook_id)
    if status is not None:
        query = query.where(_c.status == status.value)
    if before_id is not None:
        query = query.where(_c.id < before_id)
    return [_call(row) for row in connection.execute(query)]


def count_waiting(connection: Connection) -> dict[int, int]:
    """Hook → how many of its calls are to be made."""
    query = select(_c.hook_id, func.count()).where(_IS_WAITING).group_by(_c.hook_id)
    return {row[0]: row[1] for row in connection.execute(query)}


def delete_calls_before(connection: Connection, moment: datetime) -> int:
    """Forget calls that ended before, with their attempts; how many."""
    return connection.execute(delete(hook_calls).where(_c.ended_at < moment)).rowcount


def insert_attempt(connection: Connection, call_id: int, **values: Any) -> None:
    """Note how calling went once."""
    connection.execute(insert(hook_attempts).values(call_id=call_id, **values))


def list_attempts(connection: Connection, call_id: int) -> list[Attempt]:
    """The attempts of a call, the first one first."""
    query = select(hook_attempts).where(_a.call_id == call_id).order_by(_a.id)
    return [Attempt(**row._mapping) for row in connection.execute(query)]


def insert_post(connection: Connection, post_id: int, chain: Sequence[int]) -> None:
    """Note that calls of hooks brought a post about."""
    connection.execute(insert(hook_posts).values(post_id=post_id, chain=list(chain)))


def find_chain_of_post(connection: Connection, post_id: int) -> tuple[int, ...]:
    """The hooks whose calls brought a post about; none: nobody but a person or a model did."""
    found = connection.execute(select(hook_posts.c.chain).where(hook_posts.c.post_id == post_id)).scalar_one_or_none()
    return tuple(found or ())


def _values(new: NewCall, now: datetime) -> dict[str, Any]:
    return {
        "hook_id": new.hook_id,
        "event": new.event,
        "event_id": new.event_id,
        "facts": dict(new.facts),
        "chain": list(new.chain),
        "status": (CallStatus.STOPPED if new.stopped else CallStatus.WAITING).value,
        "attempts": 0,
        "created_at": now,
        "due_at": None if new.stopped else now,
        "ended_at": now if new.stopped else None,
        "problem": new.stopped,
    }


def _call(row: Row[Any]) -> Call:
    values = dict(row._mapping)
    values["status"] = CallStatus(values["status"])
    values["chain"] = tuple(values["chain"])
    return Call(**values)
