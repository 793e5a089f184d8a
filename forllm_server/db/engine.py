"""One engine per process, and the two ways in: ``read()`` and ``transaction()``."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import Pool, QueuePool

from forllm_server import clock
from forllm_server.db.lines import forget_lines, write_lines
from forllm_server.errors import ConfigurationError, Unavailable

#: How long a writer waits for another one before it says that the database is busy.
BUSY_TIMEOUT_SECONDS = 10.0
#: How long the end waits for connections that are still in use.
CLOSE_SECONDS = 1.0
#: The execution option of connections that never write.
READS_ONLY = "forllm_reads_only"


class Database:
    """A SQLite file or a PostgreSQL database.

    ``url`` is a SQLAlchemy URL: ``sqlite:////path/forllm.db`` or ``postgresql+psycopg://…``
    (``postgresql://…`` and ``postgres://…`` are understood).
    """

    def __init__(self, url: str, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> None:
        self.url = _normalised(url)
        self.dialect = make_url(self.url).get_backend_name()
        self.busy_timeout_seconds = busy_timeout_seconds
        self.engine = self._create_engine()
        # PostgreSQL would look anew with each statement: a list and what belongs to it could be of two moments.
        snapshot = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        # The same pool. Set once: setting an option costs a connection more than checking it out.
        self._reading = self.engine.execution_options(**{READS_ONLY: True}, **snapshot)

    @classmethod
    def at(cls, path: Path, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> "Database":
        """The SQLite database in the file ``path``."""
        return cls(f"sqlite:///{path}", busy_timeout_seconds=busy_timeout_seconds)

    @property
    def is_sqlite(self) -> bool:
        return self.dialect == "sqlite"

    @property
    def path(self) -> Path | None:
        """The file of a SQLite database."""
        name = make_url(self.url).database
        return Path(name) if self.is_sqlite and name else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read from: one consistent snapshot, nothing is ever written."""
        with _busy_as_unavailable(), self._reading.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that may write: committed at the end, rolled back by any exception.

        On SQLite it takes the write lock at once (``BEGIN IMMEDIATE``), so that it can never fail half-way
        for having read first. When it returns, what was written is on the disk.
        """
        with _busy_as_unavailable(), self.engine.connect() as connection:
            forget_lines(connection)
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
            write_lines(connection)

    def close(self) -> None:
        """Close every connection, after a moment for threads that still read and that nobody else waits for: what is
        left open would leave SQLite's write-ahead log beside the file."""
        deadline = clock.monotonic() + CLOSE_SECONDS
        while _is_in_use(self.engine.pool) and clock.monotonic() < deadline:
            time.sleep(0.01)
        self.engine.dispose()

    def _create_engine(self) -> Engine:
        if not self.is_sqlite:
            return create_engine(self.url, pool_size=10, max_overflow=20, pool_pre_ping=True)
        engine = create_engine(
            self.url,
            poolclass=QueuePool,
            pool_size=10,
            max_overflow=20,
            # Both ways in end their transactions themselves.
            pool_reset_on_return=None,
            connect_args={"timeout": self.busy_timeout_seconds, "check_same_thread": False},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        return engine


def _is_in_use(pool: Pool) -> bool:
    return isinstance(pool, QueuePool) and pool.checkedout() > 0


def _normalised(url: str) -> str:
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    if not url.startswith(("sqlite:", "postgresql+psycopg:")):
        raise ConfigurationError("database_url must begin with sqlite:/// or postgresql://", field="database_url")
    return url


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # SQLAlchemy's own transaction control: the driver's would begin too late (before the first write only).
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
        # FULL: an acknowledged question survives a power cut (docs/queue.md); NORMAL does not promise that.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA temp_store=MEMORY")
        # In KiB, for each connection, and a server has twenty: the system's own cache holds the file anyway.
        cursor.execute("PRAGMA cache_size=-4000")
    finally:
        cursor.close()


@contextmanager
def _busy_as_unavailable() -> Iterator[None]:
    """Translate what a person can wait out (locked, full, read-only, gone) into :class:`Unavailable`."""
    try:
        yield
    except OperationalError as error:
        reason = str(error.orig).lower()
        if "locked" in reason or "busy" in reason or "deadlock detected" in reason:
            raise Unavailable() from error
        if "full" in reason:
            raise Unavailable("The disk is full: FORLLM could not save. Make some room and try again.") from error
        if "readonly" in reason:
            raise Unavailable(
                "The database file is read-only: FORLLM could not save. Check the file's permissions."
            ) from error
        raise
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("The database cannot be reached just now. Try again in a moment.") from error
        raise
