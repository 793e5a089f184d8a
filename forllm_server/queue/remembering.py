"""What is dear to read and changes only with the queue: kept in this process until the queue's version grows."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from forllm_server.db.engine import READS_ONLY
from forllm_server.queue.version_store import WHOLE_QUEUE, get_versions

T = TypeVar("T")

#: By database: what is known under each key, and of which version of the queue.
_known: WeakKeyDictionary[Engine, dict[Hashable, tuple[int, Any]]] = WeakKeyDictionary()


def remembered(connection: Connection, key: Hashable, read: Callable[[], T]) -> T:
    """What ``read`` returned for ``key`` since the queue last changed; it is shared, so nobody may change it.

    Read anew in a transaction that may write: what it sees may be taken back, and the version with it.
    """
    if not connection.get_execution_options().get(READS_ONLY):
        return read()
    held = _known.setdefault(connection.engine, {})
    # Before the rest, so that what is kept is never older than it is said to be.
    _, version = get_versions(connection, WHOLE_QUEUE)
    found = held.get(key)
    if found is None or found[0] != version:
        found = held[key] = (version, read())
    value: T = found[1]
    return value
