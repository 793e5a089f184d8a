"""Rows of ``hooks``."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from forllm_server.errors import NotFound
from forllm_server.hooks.model import Hook, HookKind
from forllm_server.hooks.tables import hooks

_c = hooks.c
# Built once: it runs for everything that happens, and building a statement costs more than running it.
_ENABLED = select(hooks).where(_c.is_enabled).order_by(_c.id)


def get_hook(connection: Connection, hook_id: int, *, is_to_change: bool = False) -> Hook:
    """The hook; raises NotFound. ``is_to_change``: nobody else changes it before this transaction ends."""
    query = select(hooks).where(_c.id == hook_id)
    row = connection.execute(query.with_for_update() if is_to_change else query).one_or_none()
    if row is None:
        raise NotFound("There is no such hook. It may have been deleted.")
    return _hook(row)


def list_hooks(connection: Connection) -> list[Hook]:
    """All hooks, oldest first."""
    return [_hook(row) for row in connection.execute(select(hooks).order_by(_c.id))]


def list_enabled(connection: Connection) -> list[Hook]:
    """The hooks that are in use, oldest first."""
    return [_hook(row) for row in connection.execute(_ENABLED)]


def count_hooks(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(hooks)).scalar_one()


def insert_hook(connection: Connection, **values: Any) -> Hook:
    """Add a hook."""
    return _hook(connection.execute(insert(hooks).values(**values).returning(hooks)).one())


def update_hook(connection: Connection, hook_id: int, **values: Any) -> None:
    """Change columns."""
    connection.execute(update(hooks).where(_c.id == hook_id).values(**values))


def update_busy(connection: Connection, hook_id: int, *, until: datetime, by: str, now: datetime) -> Hook | None:
    """Take a hook for one of its calls; None when another call is under way, or it is switched off or gone."""
    is_free = or_(_c.busy_until.is_(None), _c.busy_until <= now)
    taken = update(hooks).where(_c.id == hook_id, _c.is_enabled, is_free).values(busy_until=until, busy_by=by)
    row = connection.execute(taken.returning(hooks)).one_or_none()
    return _hook(row) if row else None


def update_free(connection: Connection, hook_id: int, *, until: datetime) -> None:
    """Let go of a hook that was taken until then; one that somebody else has taken since stays so."""
    connection.execute(
        update(hooks).where(_c.id == hook_id, _c.busy_until == until).values(busy_until=None, busy_by=None)
    )


def delete_hook(connection: Connection, hook_id: int) -> bool:
    """Delete a hook with its calls; whether there was one."""
    return connection.execute(delete(hooks).where(_c.id == hook_id)).rowcount > 0


def _hook(row: Row[Any]) -> Hook:
    values = dict(row._mapping)
    values["kind"] = HookKind(values["kind"])
    values["events"] = tuple(values["events"])
    return Hook(**values)
