"""Numbers that grow with every change of the queue: what lets a poll be answered with "nothing new"."""

from sqlalchemy import Connection, bindparam, select, text

from forllm_server.db.types import Id
from forllm_server.queue.tables import queue_versions

#: The scope that stands for the whole queue; every other scope is a topic's id.
WHOLE_QUEUE = 0

_c = queue_versions.c
_BUMP = text(
    "INSERT INTO queue_versions (scope, version) VALUES (:scope, 1) "
    "ON CONFLICT (scope) DO UPDATE SET version = queue_versions.version + 1"
)
# Always the whole queue first: two writers then never wait for each other crosswise.
_BUMP_BOTH = text(
    f"INSERT INTO queue_versions (scope, version) VALUES ({WHOLE_QUEUE}, 1), (:scope, 1) "
    "ON CONFLICT (scope) DO UPDATE SET version = queue_versions.version + 1"
)
# On PostgreSQL the waiting workers of other processes hear of it when the transaction commits. One statement does both:
# each costs a round trip.
CHANNEL = "forllm_queue"
_BUMP_AND_WAKE = text(f"{_BUMP.text} RETURNING pg_notify('{CHANNEL}', '')")
_BUMP_BOTH_AND_WAKE = text(f"{_BUMP_BOTH.text} RETURNING pg_notify('{CHANNEL}', '')")
_READ = select(_c.scope, _c.version).where(_c.scope.in_([WHOLE_QUEUE, bindparam("scope", type_=Id)]))


def bump_versions(connection: Connection, topic_id: int | None, *, wakes: bool = True) -> None:
    """Say that the queue has changed, and that topic's requests with it; ``wakes`` the workers of other processes."""
    wakes = wakes and connection.dialect.name == "postgresql"
    if topic_id is None:
        connection.execute(_BUMP_AND_WAKE if wakes else _BUMP, {"scope": WHOLE_QUEUE})
    else:
        connection.execute(_BUMP_BOTH_AND_WAKE if wakes else _BUMP_BOTH, {"scope": topic_id})


def bump_topic_version(connection: Connection, topic_id: int) -> None:
    """Say that something of this topic's requests has changed which moves no other request: its text has grown."""
    connection.execute(_BUMP, {"scope": topic_id})


def get_versions(connection: Connection, topic_id: int) -> tuple[int, int]:
    """(version of the topic's requests, version of the whole queue); 0 where nothing has happened yet."""
    found = {row.scope: row.version for row in connection.execute(_READ, {"scope": topic_id})}
    return found.get(topic_id, 0), found.get(WHOLE_QUEUE, 0)
