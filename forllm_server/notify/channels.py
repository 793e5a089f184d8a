"""Adding, changing and deleting channels. Secrets are sealed, bound to their channel and its server."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.crypto.sealing import CannotOpen, open_sealed, seal
from forllm_server.errors import Invalid
from forllm_server.notify import channel_store
from forllm_server.notify.model import Channel, ChannelKind
from forllm_server.notify.options import clean_options, destination
from forllm_server.notify.wording import LONGEST_BODY, LONGEST_SUBJECT, check_template
from forllm_server.outward.failure import SendFailed

LONGEST_NAME = 100
LONGEST_SECRET = 1_000
MOST_CHANNELS = 50
#: what a person may change besides the options and the secret
_PLAIN = ("name", "tells_nights", "tells_stalls", "is_enabled", "subject", "body")


def add_channel(
    connection: Connection,
    *,
    owner_id: int,
    kind: str,
    options: Mapping[str, Any],
    secret_key: bytes,
    now: datetime,
    secret: str | None = None,
    **values: Any,
) -> Channel:
    """Add a channel; ``values`` as in :func:`change_channel`. Raises Invalid."""
    if kind not in list(ChannelKind):
        raise Invalid("Choose one of: " + ", ".join(ChannelKind) + ".", field="kind")
    if len(channel_store.list_channels(connection)) >= MOST_CHANNELS:
        raise Invalid(f"There are {MOST_CHANNELS} channels already; delete one first.", field="kind")
    defaults = {"name": "", "tells_nights": True, "tells_stalls": True, "is_enabled": True, "subject": "", "body": ""}
    plain = _clean(defaults | values)
    channel = channel_store.insert_channel(
        connection,
        owner_id=owner_id,
        kind=kind,
        options=clean_options(ChannelKind(kind), options),
        created_at=now,
        **plain,
    )
    return _keep_secret(connection, channel, secret, secret_key)


def change_channel(
    connection: Connection,
    channel_id: int,
    *,
    secret_key: bytes,
    options: Mapping[str, Any] | None = None,
    changes_secret: bool = False,
    secret: str | None = None,
    **values: Any,
) -> Channel:
    """Change a channel: any of name, tells_nights, tells_stalls, is_enabled, subject, body; with ``options`` all of
    its options; with ``changes_secret`` its secret (None removes it). Raises NotFound, Invalid.

    A secret is kept for its server only: where that becomes another one, it has to be entered again.
    """
    channel = channel_store.get_channel_to_change(connection, channel_id)
    changed: dict[str, Any] = _clean(values)
    if options is not None:
        changed["options"] = clean_options(channel.kind, options)
        is_elsewhere = destination(channel.kind, changed["options"]) != destination(channel.kind, channel.options)
        if is_elsewhere and channel.has_secret and not changes_secret:
            raise Invalid("This is another server: enter the secret again, or remove it.", field="secret")
    if changed:
        channel_store.update_channel(connection, channel_id, **changed)
    channel = channel_store.get_channel(connection, channel_id)
    return _keep_secret(connection, channel, secret, secret_key) if changes_secret else channel


def delete_channel(connection: Connection, channel_id: int) -> None:
    """Delete a channel and the list of its deliveries. Raises NotFound."""
    channel_store.get_channel(connection, channel_id)
    channel_store.delete_channel(connection, channel_id)


def open_secret(channel: Channel, secret_key: bytes) -> str | None:
    """The secret to send with, or None. Raises SendFailed when it was sealed with another key."""
    if channel.secret_sealed is None:
        return None
    try:
        return open_sealed(secret_key, channel.secret_sealed, context=_context(channel)).decode()
    except CannotOpen as error:
        message = f"The secret of {channel.name} cannot be read with this key file. Enter it again."
        raise SendFailed(message, is_permanent=True) from error


def _keep_secret(connection: Connection, channel: Channel, secret: str | None, secret_key: bytes) -> Channel:
    text = (secret or "").strip()
    if len(text) > LONGEST_SECRET or not text.isprintable():
        raise Invalid(f"A secret has up to {LONGEST_SECRET:,} visible characters.", field="secret")
    if channel.kind is ChannelKind.NTFY and not text.isascii():
        raise Invalid("A token of ntfy has only plain letters, digits and signs.", field="secret")
    sealed = seal(secret_key, text.encode(), context=_context(channel)) if text else None
    channel_store.update_channel(connection, channel.id, secret_sealed=sealed)
    return channel_store.get_channel(connection, channel.id)


def _context(channel: Channel) -> str:
    return f"channels.secret:{channel.id}:{destination(channel.kind, channel.options)}"


def _clean(values: Mapping[str, Any]) -> dict[str, Any]:
    cleaned = {name: value for name, value in values.items() if name in _PLAIN}
    if "name" in cleaned:
        name = " ".join(str(cleaned["name"]).split())
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise Invalid(f"A name has 1 to {LONGEST_NAME} characters.", field="name")
        cleaned["name"] = name
    if "subject" in cleaned:
        cleaned["subject"] = check_template(cleaned["subject"], field="subject", longest=LONGEST_SUBJECT)
    if "body" in cleaned:
        cleaned["body"] = check_template(cleaned["body"], field="body", longest=LONGEST_BODY)
    return cleaned
