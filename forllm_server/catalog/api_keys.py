"""API keys at rest: sealed, and bound to the row and the server that they were entered for."""

from forllm_server.catalog.addresses import origin
from forllm_server.catalog.model import BackendRecord
from forllm_server.crypto.sealing import open_sealed, seal


def seal_api_key(record: BackendRecord, api_key: str, *, secret_key: bytes) -> bytes:
    """The key as it is stored: readable only with ``secret_key``, for this row and this server."""
    return seal(secret_key, api_key.encode(), context=_context(record))


def open_api_key(record: BackendRecord, *, secret_key: bytes) -> str | None:
    """The key to send, or None. Raises CannotOpen when the row was altered or the secret is another one."""
    if record.api_key_sealed is None:
        return None
    return open_sealed(secret_key, record.api_key_sealed, context=_context(record)).decode()


def _context(record: BackendRecord) -> str:
    # Bound to the server: whoever can write rows cannot have the key sent elsewhere.
    return f"backends.api_key:{record.id}:{origin(record.base_url)}"
