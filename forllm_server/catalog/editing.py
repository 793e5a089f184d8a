"""Adding, changing and removing backends. Every function works inside the caller's transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.catalog import backend_store
from forllm_server.catalog.addresses import clean_base_url, is_loopback, origin
from forllm_server.catalog.api_keys import seal_api_key
from forllm_server.catalog.model import MOST_AT_ONCE, BackendKind, BackendRecord
from forllm_server.catalog.options import clean_options, is_whole
from forllm_server.config import is_placeholder
from forllm_server.errors import Invalid, NameTaken, NotAllowed
from forllm_server.markup.names import clean_name, name_key

#: The backend that is always there; made by :func:`ensure_embedded`.
EMBEDDED_BACKEND_ID = 1
EMBEDDED_NAME = "Embedded"

MAX_NAME_CHARS = 100
MAX_API_KEY_CHARS = 10_000
CONCURRENCY_RANGE = (1, MOST_AT_ONCE)
#: Slow machines are the point, so up to a day; less than 5 s would cut every model that thinks.
SILENCE_SECONDS_RANGE = (5, 86_400)


@dataclass(frozen=True)
class BackendChange:
    """What to change; a field that is not in ``names`` stays. ``api_key`` None in ``names`` removes the key.

    ``concurrency`` None in ``names``: as many replies at once as the server says that it has slots.
    """

    names: frozenset[str]
    name: str | None = None
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    concurrency: int | None = None
    silence_seconds: int | None = None
    is_enabled: bool | None = None
    options: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, **values: Any) -> "BackendChange":
        """The change that sets exactly the fields given."""
        return cls(names=frozenset(values), **values)


def add_backend(
    connection: Connection,
    *,
    owner_id: int,
    name: str,
    kind: str,
    base_url: str,
    secret_key: bytes,
    now: datetime,
    api_key: str | None = None,
    concurrency: int | None = None,
    silence_seconds: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> BackendRecord:
    """Add a model server. Nothing is sent to it here: a probe follows (catalog/probing.py).

    ``concurrency``: how many replies at once; None: as many as the server says that it has slots where it is a
    llama.cpp server on another machine, else one: a machine that is worked at answers best one at a time.
    Raises Invalid with the field's name, or NameTaken. A second embedded backend is refused: there is one, and its
    model file is an option of it.
    """
    chosen_kind = _kind(kind)
    cleaned = clean_name(name, field="name", max_chars=MAX_NAME_CHARS)
    _refuse_taken(connection, cleaned, except_id=None)
    address = clean_base_url(chosen_kind, base_url)
    record = backend_store.insert_backend(
        connection,
        {
            "owner_id": owner_id,
            "name": cleaned,
            "name_key": name_key(cleaned),
            "kind": chosen_kind.value,
            "base_url": address,
            "concurrency": 1 if concurrency is None else _concurrency(concurrency),
            "follows_slots": concurrency is None and chosen_kind is BackendKind.LLAMA_CPP and not is_loopback(address),
            "silence_seconds": _silence(silence_seconds),
            "is_enabled": True,
            "options": clean_options(chosen_kind, options or {}),
            "created_at": now,
        },
    )
    sealed = _sealed(record, api_key, secret_key)
    if sealed is None:
        return record
    return backend_store.update_backend(connection, record.id, {"api_key_sealed": sealed})


def list_faults(values: Mapping[str, Any]) -> list[str]:
    """What the rules for a backend have against ``values`` (as :func:`add_backend` takes them, each of its right
    type), a sentence each; what only the database can tell, such as a name that is taken, is not looked at."""
    kind = values.get("kind", "")
    is_known = kind in list(BackendKind)
    rules: list[Callable[[], object]] = []
    if not is_known:
        rules.append(lambda: _kind(kind))
    if "name" in values:
        rules.append(lambda: clean_name(values["name"], field="name", max_chars=MAX_NAME_CHARS))
    if is_known and "base_url" in values and kind != BackendKind.EMBEDDED:
        rules.append(lambda: clean_base_url(BackendKind(kind), values["base_url"]))
    if "concurrency" in values:
        rules.append(lambda: _concurrency(values["concurrency"]))
    if "silence_seconds" in values:
        rules.append(lambda: _silence(values["silence_seconds"]))
    if is_known and "options" in values:
        rules.append(lambda: clean_options(BackendKind(kind), values["options"]))
    return [message for message in map(_refusal, rules) if message]


def _refusal(rule: Callable[[], object]) -> str | None:
    try:
        rule()
    except Invalid as refused:
        return refused.message
    return None


def change_backend(
    connection: Connection, backend_id: int, change: BackendChange, *, secret_key: bytes
) -> BackendRecord:
    """Change the fields named; raises NotFound, Invalid with the field's name, NameTaken or NotAllowed.

    An API key stays with the server that it was entered for: an address on another server needs the key again.
    """
    record = backend_store.get_backend(connection, backend_id)
    values = _changed_values(record, change)
    if "name" in change.names:
        _refuse_taken(connection, values["name"], except_id=backend_id)
    if values:
        record = backend_store.update_backend(connection, backend_id, values)
    if "api_key" in change.names:
        sealed = _sealed(record, change.api_key, secret_key)
        record = backend_store.update_backend(connection, backend_id, {"api_key_sealed": sealed})
    return record


def enable_backend(connection: Connection, backend_id: int) -> BackendRecord:
    backend_store.get_backend(connection, backend_id)
    return backend_store.update_backend(connection, backend_id, {"is_enabled": True})


def disable_backend(connection: Connection, backend_id: int) -> BackendRecord:
    """Stop using a backend: its models are not offered, its waiting LLM requests wait."""
    backend_store.get_backend(connection, backend_id)
    return backend_store.update_backend(connection, backend_id, {"is_enabled": False})


def ensure_embedded(connection: Connection, *, owner_id: int, now: datetime, is_enabled: bool = True) -> BackendRecord:
    """The embedded backend, made at first start with id 1. Its model's row comes with the first probe.

    ``is_enabled`` False where its engine is left out: the row is there, so that the id stays its own.
    """
    record = backend_store.find_backend(connection, EMBEDDED_BACKEND_ID)
    if record is not None:
        return record
    return backend_store.insert_first_backend(
        connection,
        EMBEDDED_BACKEND_ID,
        {
            "owner_id": owner_id,
            "name": EMBEDDED_NAME,
            "name_key": name_key(EMBEDDED_NAME),
            "kind": BackendKind.EMBEDDED.value,
            "base_url": "",
            "concurrency": 1,
            "silence_seconds": None,
            "is_enabled": is_enabled,
            "options": {},
            "created_at": now,
        },
    )


def _changed_values(record: BackendRecord, change: BackendChange) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if "name" in change.names:
        cleaned = clean_name(change.name or "", field="name", max_chars=MAX_NAME_CHARS)
        values |= {"name": cleaned, "name_key": name_key(cleaned)}
    if "base_url" in change.names:
        values["base_url"] = _changed_base_url(record, change)
    if "concurrency" in change.names:
        values["follows_slots"] = change.concurrency is None
        values["concurrency"] = 1 if change.concurrency is None else _concurrency(change.concurrency)
    if "silence_seconds" in change.names:
        values["silence_seconds"] = _silence(change.silence_seconds)
    if "options" in change.names:
        values["options"] = clean_options(record.kind, change.options or {}, kept=record.options)
    if "is_enabled" in change.names:
        values["is_enabled"] = bool(change.is_enabled)
    return values


def _changed_base_url(record: BackendRecord, change: BackendChange) -> str:
    if record.is_embedded:
        raise NotAllowed("The embedded backend has no address: it runs inside FORLLM.", field="base_url")
    base_url = clean_base_url(record.kind, change.base_url or "")
    if record.has_api_key and "api_key" not in change.names and origin(base_url) != origin(record.base_url):
        raise Invalid(
            "The API key was entered for another server and is not sent to a new one. "
            "Enter it again with the new address, or remove it.",
            field="api_key",
        )
    return base_url


def _refuse_taken(connection: Connection, name: str, *, except_id: int | None) -> None:
    other = backend_store.find_backend_by_name_key(connection, name_key(name))
    if other is not None and other.id != except_id:
        raise NameTaken(field="name")


def _sealed(record: BackendRecord, api_key: str | None, secret_key: bytes) -> bytes | None:
    cleaned = (api_key or "").strip()
    if not cleaned:
        return None
    if record.is_embedded:
        raise NotAllowed("The embedded backend needs no API key.", field="api_key")
    if len(cleaned) > MAX_API_KEY_CHARS or not cleaned.isascii() or not cleaned.isprintable():
        raise Invalid("That is not an API key: only printable ASCII characters go into one.", field="api_key")
    if is_placeholder(cleaned):
        raise Invalid("That is a placeholder, not a key: put the server's real one there, or none.", field="api_key")
    return seal_api_key(record, cleaned, secret_key=secret_key)


def _kind(kind: str) -> BackendKind:
    addable = [known.value for known in BackendKind if known is not BackendKind.EMBEDDED]
    if kind not in addable:
        raise Invalid(f"The kind must be one of {', '.join(addable)}.", field="kind")
    return BackendKind(kind)


def _concurrency(concurrency: int | None) -> int:
    low, high = CONCURRENCY_RANGE
    if not is_whole(concurrency) or not low <= concurrency <= high:
        raise Invalid(f"The replies at once must be a whole number from {low} to {high}.", field="concurrency")
    return concurrency


def _silence(silence_seconds: int | None) -> int | None:
    low, high = SILENCE_SECONDS_RANGE
    if silence_seconds is None:
        return None
    if not is_whole(silence_seconds) or not low <= silence_seconds <= high:
        raise Invalid(f"The silence must be from {low} to {high:,} seconds.", field="silence_seconds")
    return silence_seconds
