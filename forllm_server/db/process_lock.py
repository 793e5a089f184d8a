"""A lock between processes that the death of its holder releases: many may share it, or one alone may hold it.

SQLite's own file locks are used, through an empty database beside the data: they are the same on every system,
Windows included, and they work where ``fcntl`` does not exist.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from forllm_server.errors import ConfigurationError, Unavailable


@contextmanager
def shared(file: Path, *, timeout_seconds: float = 0.5) -> Iterator[None]:
    """Hold the lock together with others. Raises Unavailable while somebody holds it alone."""
    with _held(file, ("BEGIN", "SELECT count(*) FROM held"), timeout_seconds):
        yield


@contextmanager
def alone(file: Path, *, timeout_seconds: float = 0.5) -> Iterator[None]:
    """Hold the lock alone. Raises Unavailable while anybody else holds it."""
    with _held(file, ("BEGIN EXCLUSIVE",), timeout_seconds):
        yield


@contextmanager
def _held(file: Path, statements: tuple[str, ...], timeout_seconds: float) -> Iterator[None]:
    try:
        connection = sqlite3.connect(file, timeout=timeout_seconds, isolation_level=None)
    except sqlite3.Error as error:
        raise ConfigurationError(f"The lock file {file} cannot be opened: {error}.") from error
    with closing(connection):
        try:
            _prepare(connection)
            for statement in statements:
                connection.execute(statement).fetchall()
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise Unavailable(f"Another process of FORLLM holds {file}. Try again when it has ended.") from error
            raise ConfigurationError(f"The lock file {file} cannot be used: {error}.") from error
        except sqlite3.DatabaseError as error:
            raise ConfigurationError(f"The lock file {file} is damaged; remove it.") from error
        # Closing the connection ends the transaction, and with it the lock.
        yield


def _prepare(connection: sqlite3.Connection) -> None:
    # Reading takes the shared lock only in a database that has something to read.
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        connection.execute("CREATE TABLE IF NOT EXISTS held (id INTEGER)")
