"""Keyset paging: a cursor says after which row the next page begins. To its reader it is opaque."""

import base64
import binascii
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from forllm_server.errors import Invalid

Part = int | str | bytes | datetime


class Malformed(Invalid):
    """This cannot be read. Take it exactly as FORLLM gave it, or leave it out."""

    code = "malformed"


def encode_cursor(*parts: Part) -> str:
    """The cursor for a row with these sort keys: base64url of JSON."""
    text = json.dumps([_plain(part) for part in parts], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, *kinds: type[Part]) -> tuple[Any, ...] | None:
    """The sort keys in ``cursor``, of exactly these ``kinds``; nothing for no cursor. Raises :class:`Malformed`."""
    if not cursor:
        return None
    try:
        parts = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if not isinstance(parts, list) or len(parts) != len(kinds):
            raise Malformed(field="after")
        return tuple(_READERS[kind](part) for kind, part in zip(kinds, parts, strict=True))
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise Malformed(field="after") from error


def _plain(part: Part) -> int | str:
    if isinstance(part, bytes):
        return part.hex()
    return part.isoformat() if isinstance(part, datetime) else part


def _read_int(part: Any) -> int:
    # The databases hold 64 bits; a bigger number would fail there.
    if type(part) is not int or not -(2**63) <= part < 2**63:
        raise ValueError(part)
    return part


def _read_str(part: Any) -> str:
    if not isinstance(part, str) or "\0" in part:
        raise ValueError(part)
    part.encode()
    return part


def _read_datetime(part: Any) -> datetime:
    moment = datetime.fromisoformat(part)
    if moment.tzinfo is None:
        raise ValueError(part)
    return moment


_READERS: dict[type[Part], Callable[[Any], Part]] = {
    int: _read_int,
    str: _read_str,
    bytes: lambda part: bytes.fromhex(_read_str(part)),
    datetime: _read_datetime,
}
