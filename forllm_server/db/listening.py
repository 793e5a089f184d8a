"""Hearing from other processes through PostgreSQL (LISTEN/NOTIFY). SQLite has nothing of the kind."""

import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from forllm_server import log
from forllm_server.db.engine import Database

#: How long a stop may have to wait, and how soon a lost connection is made again.
LOOK_SECONDS = 0.5
RECONNECT_SECONDS = 5.0


class Listener:
    """Calls ``on_notice`` in a thread of its own for what is sent to ``channel``, and after every reconnection.

    On SQLite it does nothing: who starts it polls.
    """

    def __init__(self, database: Database, channel: str, on_notice: Callable[[], None]) -> None:
        self._database = database
        self._channel = channel
        self._on_notice = on_notice
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
        self.is_listening = threading.Event()

    def start(self) -> None:
        if not self._database.is_sqlite:
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(4 * LOOK_SECONDS)

    def _listen(self) -> None:
        driver_error = self._driver_error()
        while not self._stopped.is_set():
            try:
                self._hear()
            except (SQLAlchemyError, driver_error, OSError) as error:
                self.is_listening.clear()
                log.event("listener.lost", level=log.WARNING, channel=self._channel, detail=str(error).strip())
                self._stopped.wait(RECONNECT_SECONDS)

    def _hear(self) -> None:
        pooled = self._database.engine.raw_connection()
        connection: Any = pooled.driver_connection
        # It listens for as long as the process lives, so it is no connection of the pool's any more.
        pooled.detach()
        try:
            connection.autocommit = True
            connection.execute(f"LISTEN {self._channel}")
            self.is_listening.set()
            # What was sent while nobody listened is lost; so look once.
            self._on_notice()
            while not self._stopped.is_set():
                for _ in connection.notifies(timeout=LOOK_SECONDS, stop_after=1):
                    self._on_notice()
        finally:
            connection.close()

    def _driver_error(self) -> type[Exception]:
        error: type[Exception] = self._database.engine.dialect.loaded_dbapi.Error
        return error
