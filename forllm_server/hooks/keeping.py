"""Adding, changing, deleting and trying hooks. A secret is sealed, bound to its hook and its server."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from forllm_server.crypto.sealing import CannotOpen, open_sealed, seal
from forllm_server.errors import Conflict, Invalid
from forllm_server.hooks import call_store, hook_store
from forllm_server.hooks.model import EVENTS, TEST, Call, Hook, HookKind, NewCall
from forllm_server.machine.commands import parse_command
from forllm_server.outward.addresses import clean_url, origin
from forllm_server.outward.failure import SendFailed

LONGEST_NAME = 100
LONGEST_SECRET = 1_000
MOST_HOOKS = 50
#: kind → the most seconds that a call may take
LONGEST_TIMEOUT = {HookKind.COMMAND: 3_600, HookKind.WEBHOOK: 300}
MOST_ATTEMPTS = 10
MOST_REPEATS = 5
DEFAULTS: Mapping[str, Any] = {
    "command": "",
    "url": "",
    "may_be_local": False,
    "timeout_seconds": 60,
    "most_attempts": 5,
    "most_repeats": 0,
    "is_enabled": True,
}
#: What has ended is listed for so long.
KEPT = timedelta(days=30)
#: What could not be made by then would surprise.
LATEST = timedelta(days=7)


def add_hook(
    connection: Connection,
    *,
    owner_id: int,
    kind: str,
    secret_key: bytes,
    now: datetime,
    secret: str | None = None,
    **values: Any,
) -> Hook:
    """Add a hook; ``values`` as in :func:`change_hook`. Raises Invalid."""
    if kind not in list(HookKind):
        raise Invalid("Choose one of: " + ", ".join(HookKind) + ".", field="kind")
    if hook_store.count_hooks(connection) >= MOST_HOOKS:
        raise Invalid(f"There are {MOST_HOOKS} hooks already; delete one first.", field="kind")
    cleaned = _clean(HookKind(kind), {"name": "", "events": (), **DEFAULTS, **values})
    hook = hook_store.insert_hook(connection, owner_id=owner_id, kind=kind, created_at=now, **cleaned)
    return _keep_secret(connection, hook, secret, secret_key) if secret else hook


def change_hook(
    connection: Connection,
    hook_id: int,
    *,
    secret_key: bytes,
    changes_secret: bool = False,
    secret: str | None = None,
    **values: Any,
) -> Hook:
    """Change a hook: any of name, events, command, url, may_be_local, timeout_seconds, most_attempts, most_repeats,
    is_enabled; with ``changes_secret`` its secret (None removes it). Raises NotFound, Invalid.

    A secret is kept for its server only: where that becomes another one, it has to be entered again.
    """
    hook = hook_store.get_hook(connection, hook_id, is_to_change=True)
    changed = _clean(hook.kind, values)
    is_elsewhere = "url" in changed and hook.url and origin(changed["url"]) != origin(hook.url)
    if is_elsewhere and hook.has_secret and not changes_secret:
        raise Invalid("This is another server: enter the key again, or remove it.", field="secret")
    if changed:
        hook_store.update_hook(connection, hook_id, **changed)
    hook = hook_store.get_hook(connection, hook_id)
    return _keep_secret(connection, hook, secret, secret_key) if changes_secret else hook


def delete_hook(connection: Connection, hook_id: int) -> None:
    """Delete a hook with the log of its calls. Raises NotFound."""
    hook_store.get_hook(connection, hook_id)
    hook_store.delete_hook(connection, hook_id)


def ask_test(connection: Connection, hook_id: int, now: datetime) -> Call:
    """Put a test in line; it is made within seconds. Raises NotFound, Conflict (the hook is switched off)."""
    hook = hook_store.get_hook(connection, hook_id)
    if not hook.is_enabled:
        raise Conflict("This hook is switched off. Switch it on, then try it.")
    new = NewCall(hook_id, TEST, str(uuid.uuid4()), {}, (hook_id,))
    call_id = call_store.insert_call(connection, new, now)
    return call_store.get_call(connection, call_id)


def call_again(connection: Connection, call_id: int, now: datetime) -> Call:
    """Have a call that was given up made after all. Raises NotFound, Conflict."""
    call_store.get_call(connection, call_id)
    if not call_store.update_due_again(connection, call_id, now):
        raise Conflict("Only a call that was given up can be made again.")
    return call_store.get_call(connection, call_id)


def clear_up(connection: Connection, now: datetime) -> int:
    """Give up what has waited for too long, and forget what ended long ago. Returns how many were given up."""
    problem = "It waited for a week: the hook was off, no process may run commands, or there was too much to do."
    expired = call_store.update_expired(connection, created_before=now - LATEST, problem=problem, now=now)
    call_store.delete_calls_before(connection, now - KEPT)
    return expired


def open_secret(hook: Hook, secret_key: bytes) -> str | None:
    """The key to sign with, or None. Raises SendFailed when it was sealed with another key file."""
    if hook.secret_sealed is None:
        return None
    try:
        return open_sealed(secret_key, hook.secret_sealed, context=_context(hook)).decode()
    except CannotOpen as error:
        message = f"The key of {hook.name} cannot be read with this key file. Enter it again."
        raise SendFailed(message, is_permanent=True) from error


def _keep_secret(connection: Connection, hook: Hook, secret: str | None, secret_key: bytes) -> Hook:
    text = (secret or "").strip()
    if text and hook.kind is HookKind.COMMAND:
        raise Invalid("A command needs no key: nobody else can call it.", field="secret")
    if len(text) > LONGEST_SECRET or not text.isprintable():
        raise Invalid(f"A key has up to {LONGEST_SECRET:,} visible characters.", field="secret")
    sealed = seal(secret_key, text.encode(), context=_context(hook)) if text else None
    hook_store.update_hook(connection, hook.id, secret_sealed=sealed)
    return hook_store.get_hook(connection, hook.id)


def _context(hook: Hook) -> str:
    return f"hooks.secret:{hook.id}:{origin(hook.url)}"


def _clean(kind: HookKind, values: Mapping[str, Any]) -> dict[str, Any]:
    cleaned: dict[str, Any] = {}
    for name, clean in (("name", _clean_name), ("events", _clean_events)):
        if name in values:
            cleaned[name] = clean(values[name])
    cleaned |= _clean_target(kind, values)
    limits = (
        ("timeout_seconds", 1, LONGEST_TIMEOUT[kind]),
        ("most_attempts", 1, MOST_ATTEMPTS),
        ("most_repeats", 0, MOST_REPEATS),
    )
    for name, least, most in limits:
        if name in values:
            cleaned[name] = _clean_number(values[name], least, most, name)
    return cleaned | {name: bool(values[name]) for name in ("may_be_local", "is_enabled") if name in values}


def _clean_target(kind: HookKind, values: Mapping[str, Any]) -> dict[str, Any]:
    own, other = ("command", "url") if kind is HookKind.COMMAND else ("url", "command")
    if values.get(other):
        raise Invalid(f"A {kind.value} has no {other}.", field=other)
    if own not in values:
        return {}
    if kind is HookKind.WEBHOOK:
        return {"url": clean_url(values["url"], field="url")}
    command = str(values["command"]).strip()
    if "\n" in command or "\r" in command:
        raise Invalid("A command is one line. Put more into a script.", field="command")
    parse_command(command, field="command")
    return {"command": command}


def _clean_name(given: Any) -> str:
    name = " ".join(str(given).split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Invalid(f"A name has 1 to {LONGEST_NAME} characters.", field="name")
    return name


def _clean_events(given: Sequence[str]) -> list[str]:
    unknown = next((event for event in given if event not in EVENTS), None)
    if unknown is not None:
        raise Invalid(f"There is no event “{str(unknown)[:60]}”. There are: {', '.join(EVENTS)}.", field="events")
    if not given:
        raise Invalid("Choose at least one event.", field="events")
    return [event for event in EVENTS if event in given]


def _clean_number(given: Any, least: int, most: int, field: str) -> int:
    if type(given) is not int or not least <= given <= most:
        raise Invalid(f"This is a whole number from {least} to {most:,}.", field=field)
    return given
