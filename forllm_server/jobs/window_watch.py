"""Noticing that the hours begin and end, for hooks: each once, by one process of all that look.

What was seen last is kept in the row ``hooks.window`` of ``settings``. The hours are those of any enabled backend that
has some; where none has, there is nothing to tell.
"""

from datetime import datetime

from forllm_server.catalog import backend_store
from forllm_server.db import Database
from forllm_server.hooks.telling import tell_hooks
from forllm_server.schedule.gate import read_gate
from forllm_server.settings.settings_store import find_stamped, update_if_unchanged
from forllm_server.settings.values import read_settings

KEY = "hooks.window"


def watch_windows(database: Database, now: datetime) -> bool | None:
    """Tell hooks when the hours have begun or ended since the last look. Returns what was told: open, closed, None."""
    with database.read() as connection:
        gate = read_gate(connection, now, read_settings(connection).zone)
        ids = [record.id for record in backend_store.list_backends(connection, is_enabled=True)]
        is_open = any(gate.is_open(each) for each in ids if not gate.is_always_open(each))
        seen = find_stamped(connection, KEY)
    was_open = seen[0].get("is_open") if seen and isinstance(seen[0], dict) else None
    if was_open is is_open:
        return None
    with database.transaction() as connection:
        written_at = seen[1] if seen else None
        if not update_if_unchanged(connection, KEY, {"is_open": is_open}, written_at=written_at, now=now):
            return None
        # At the very first look nothing has begun or ended yet.
        if was_open is None:
            return None
        tell_hooks(connection, "window.opened" if is_open else "window.closed", {}, now)
    return is_open
