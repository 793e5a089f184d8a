"""What the kinds of job are given: the database, the secret, and the connections to backends they share."""

import threading
from dataclasses import dataclass, field

from forllm_server.backends.base import Backend
from forllm_server.catalog.connecting import connect
from forllm_server.catalog.model import BackendRecord
from forllm_server.crypto.sealing import CannotOpen
from forllm_server.db import Database
from forllm_server.jobs.ledger import Ledger
from forllm_server.queue.job import Hopeless
from forllm_server.queue.model import Cause
from forllm_server.settings.values import Settings


class Connections:
    """One connected backend per row and configuration: the embedded one keeps its child process in it."""

    def __init__(self, secret_key: bytes) -> None:
        self._secret_key = secret_key
        self._guard = threading.Lock()
        self._held: dict[int, tuple[tuple[object, ...], Backend]] = {}

    def to(self, record: BackendRecord, settings: Settings) -> Backend:
        """The backend of this row; made anew when its address, key, options or patience have changed."""
        own = (record.kind, record.base_url, record.api_key_sealed, repr(record.options), record.silence_seconds)
        fingerprint = (own, settings.silence_seconds, settings.default_context_tokens)
        with self._guard:
            held = self._held.get(record.id)
            if held is not None and held[0] == fingerprint:
                return held[1]
            backend = connect(
                record,
                secret_key=self._secret_key,
                silence_seconds=settings.silence_seconds,
                default_context_tokens=settings.default_context_tokens,
            )
            self._held[record.id] = (fingerprint, backend)
        if held is not None:
            held[1].close()
        return backend

    def close(self) -> None:
        """End everything that is held: connections and child processes."""
        with self._guard:
            held, self._held = self._held, {}
        for _, backend in held.values():
            backend.close()


@dataclass(frozen=True)
class JobContext:
    """Handed to every kind when the registry is made."""

    database: Database
    connections: Connections = field(repr=False)
    #: what each reply costs in energy is measured by it
    ledger: Ledger = field(default_factory=Ledger, repr=False)

    def connect(self, record: BackendRecord, settings: Settings) -> Backend:
        """The backend of this row. Raises Hopeless when its stored key cannot be read."""
        try:
            return self.connections.to(record, settings)
        except CannotOpen as error:
            name = record.name
            message = f"The API key of {name} cannot be read with this key file. Enter it again on the backend's page."
            raise Hopeless(message, cause=Cause.ERROR) from error
