"""The database: one engine, two kinds of connection, and the few differences between SQLite and PostgreSQL.

Knows no forum word. Rooms declare their tables on :data:`metadata`; stores take a connection and never commit.
"""

from forllm_server.db.engine import Database
from forllm_server.db.types import Json, UtcDateTime, metadata

__all__ = ["Database", "Json", "UtcDateTime", "metadata"]
