"""The private part of the feeds' addresses: random, found by its digest, and kept sealed for showing it again."""

import hmac
import re
import secrets
from datetime import datetime
from hashlib import blake2b

from sqlalchemy import Connection

from forllm_server.crypto.keys import derive
from forllm_server.crypto.sealing import CannotOpen, open_sealed, seal
from forllm_server.notify import feed_token_store

_BYTES = 24
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")


def find_token(connection: Connection, owner_id: int, secret_key: bytes) -> str | None:
    """The token of a person; None when there is none, or none that this key file opens."""
    sealed = feed_token_store.find_sealed(connection, owner_id)
    if sealed is None:
        return None
    try:
        return open_sealed(secret_key, sealed, context=_context(owner_id)).decode()
    except CannotOpen:
        return None


def renew_token(connection: Connection, owner_id: int, secret_key: bytes, now: datetime) -> str:
    """A new token; the addresses with the one before lead nowhere from now on."""
    token = secrets.token_urlsafe(_BYTES)
    sealed = seal(secret_key, token.encode(), context=_context(owner_id))
    digest = _digest(token, secret_key)
    feed_token_store.replace_token(connection, owner_id, digest=digest, sealed=sealed, now=now)
    return token


def remove_token(connection: Connection, owner_id: int) -> None:
    """Switch the feeds off."""
    feed_token_store.delete_token(connection, owner_id)


def find_owner_of(connection: Connection, token: str, secret_key: bytes) -> int | None:
    """Whose token this is, or None. What is compared is a keyed digest: how long that takes tells nothing of tokens."""
    digest = _digest(token if _TOKEN.fullmatch(token) else "", secret_key)
    found = feed_token_store.find_owner(connection, digest)
    return found[0] if found and hmac.compare_digest(found[1], digest) else None


def forum_mark(secret_key: bytes) -> str:
    """What tells this forum from all others in the ids of its feeds; it never changes, whatever its address."""
    return derive(secret_key, "feeds.forum").hex()[:16]


def _digest(token: str, secret_key: bytes) -> bytes:
    return blake2b(token.encode(), digest_size=32, key=derive(secret_key, "feeds.token")).digest()


def _context(owner_id: int) -> str:
    return f"feed_tokens.token:{owner_id}"
