"""Backends from the configuration file: brought in line with it at every start.

    [[backends]]
    name = "Workshop"
    kind = "ollama"
    base_url = "http://workshop.lan:11434"

The keys are those of ``add_backend``, plus ``api_key_env``, the name of an environment variable that holds the API key,
so that the file need not.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.catalog import backend_store, model_store
from forllm_server.catalog.editing import BackendChange, add_backend, change_backend, list_faults
from forllm_server.catalog.model import BackendRecord
from forllm_server.errors import ConfigurationError, ForllmError
from forllm_server.markup.names import name_key

_REQUIRED = ("name", "kind", "base_url")
_KEYS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "kind": str,
    "base_url": str,
    "api_key": str,
    "api_key_env": str,
    "concurrency": int,
    "silence_seconds": int,
    "is_enabled": bool,
    "options": dict,
}


def check_configured(entries: Sequence[Any], environ: Mapping[str, str]) -> list[str]:
    """What is wrong with the file's list of backends, a sentence each; empty when it can be used."""
    problems: list[str] = []
    seen: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        label = f"backends, entry {number}"
        if not isinstance(entry, Mapping):
            problems.append(f"{label}: must be a table with name, kind and base_url.")
            continue
        problems += [f"{label}: {problem}" for problem in _problems(entry, environ)]
        key = name_key(str(entry.get("name", "")))
        if key and key in seen:
            problems.append(f"{label}: the name {entry['name']!r} is used twice.")
        seen.add(key)
    return problems


def apply_configured(
    connection: Connection,
    entries: Sequence[Mapping[str, Any]],
    *,
    owner_id: int,
    secret_key: bytes,
    environ: Mapping[str, str],
    now: datetime,
) -> list[BackendRecord]:
    """Add or change the backends named in the file, by name; the same file again changes nothing.

    One that left the file stays, and is then changed and deleted in the page like any other. Raises ConfigurationError
    naming the entry, for the whole file: nothing is half applied when the caller's transaction rolls back.
    """
    problems = check_configured(entries, environ)
    if problems:
        raise ConfigurationError(" ".join(problems), field="backends")
    applied = []
    for number, entry in enumerate(entries, start=1):
        try:
            record = _apply(connection, entry, owner_id=owner_id, secret_key=secret_key, environ=environ, now=now)
        except ForllmError as error:
            raise ConfigurationError(f"backends, entry {number}: {error.message}", field="backends") from error
        applied.append(record)
    _release_others(connection, {record.id for record in applied})
    return applied


def _apply(
    connection: Connection,
    entry: Mapping[str, Any],
    *,
    owner_id: int,
    secret_key: bytes,
    environ: Mapping[str, str],
    now: datetime,
) -> BackendRecord:
    values: dict[str, Any] = {
        "name": entry["name"],
        "base_url": entry["base_url"],
        "api_key": _api_key(entry, environ),
        "concurrency": entry.get("concurrency", 1),
        "silence_seconds": entry.get("silence_seconds"),
        "options": entry.get("options", {}),
    }
    record = backend_store.find_backend_by_name_key(connection, name_key(entry["name"]))
    if record is None:
        record = add_backend(
            connection, owner_id=owner_id, kind=entry["kind"], secret_key=secret_key, now=now, **values
        )
    else:
        record = _with_kind(connection, record, entry["kind"])
        record = change_backend(connection, record.id, BackendChange.of(**values), secret_key=secret_key)
    is_enabled = entry.get("is_enabled", True)
    options = {**record.options, "is_configured": True}
    return backend_store.update_backend(connection, record.id, {"is_enabled": is_enabled, "options": options})


def _with_kind(connection: Connection, record: BackendRecord, kind: str) -> BackendRecord:
    """The record as that kind. Its models were another protocol's, so they wait for the next probe."""
    if record.kind.value == kind:
        return record
    if record.is_embedded:
        raise ConfigurationError("The name of the embedded backend cannot be used for another kind.")
    model_store.update_all_unavailable(connection, record.id)
    return backend_store.update_backend(connection, record.id, {"kind": kind, "options": {}})


def _release_others(connection: Connection, applied_ids: set[int]) -> None:
    for record in backend_store.list_backends(connection):
        if record.is_configured and record.id not in applied_ids:
            options = {name: value for name, value in record.options.items() if name != "is_configured"}
            backend_store.update_backend(connection, record.id, {"options": options})


def _api_key(entry: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    return environ[entry["api_key_env"]] if "api_key_env" in entry else entry.get("api_key")


def _problems(entry: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    problems = [f"{name} is missing." for name in _REQUIRED if name not in entry]
    usable: dict[str, Any] = {}
    for name, value in entry.items():
        if name not in _KEYS:
            problems.append(f"there is no key {str(name)[:60]!r}.")
        elif not isinstance(value, _KEYS[name]) or (_KEYS[name] is int and isinstance(value, bool)):
            problems.append(f"{name} has a value of the wrong sort.")
        else:
            usable[name] = value
    problems += list_faults(usable) if "kind" in usable else []
    variable = entry.get("api_key_env")
    if "api_key" in entry and "api_key_env" in entry:
        problems.append("give api_key or api_key_env, not both.")
    if isinstance(variable, str) and variable not in environ:
        problems.append(f"the environment variable {variable} (api_key_env) is not set.")
    return problems
