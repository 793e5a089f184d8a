"""Getting messages there: each channel is told of an occasion once, and tried again for a while where it fails."""

import ssl
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from forllm_server import clock, log
from forllm_server.db import Database
from forllm_server.errors import Conflict
from forllm_server.notify import channel_store, delivery_store
from forllm_server.notify.channels import open_secret
from forllm_server.notify.model import Channel, Delivery, DeliveryStatus, Message, Occasion
from forllm_server.notify.sending import send
from forllm_server.notify.wording import BODY, SUBJECT, filled, one_line
from forllm_server.outward.failure import SendFailed
from forllm_server.outward.pauses import wait_after

#: Who took a delivery has it for so long; a process that ends in the middle delays it by as much.
LEASE = timedelta(minutes=3)
MOST_ATTEMPTS = 10
#: What has ended is listed for so long.
KEPT = timedelta(days=90)
_AT_ONCE = 20

#: (channel) → what it is told, or None
Compose = Callable[[Channel], Message | None]


def tell(connection: Connection, occasion: Occasion, compose: Compose, now: datetime) -> int:
    """Put a message in line for every enabled channel that wants to hear of such an occasion. Returns for how many."""
    told = 0
    for channel in channel_store.list_channels(connection, is_enabled=True):
        is_wanted = channel.tells_nights if occasion is Occasion.NIGHT else channel.tells_stalls
        message = compose(channel) if is_wanted else None
        if message is not None:
            told += delivery_store.insert_delivery(connection, channel.id, message, now) is not None
    return told


def compose(
    channel: Channel, occasion: Occasion, key: str, values: dict[str, str], facts: dict[str, object]
) -> Message:
    """A message in the channel's words; only about a night does it have its own."""
    has_own = occasion is Occasion.NIGHT
    subject = (channel.subject if has_own else "") or SUBJECT
    body = (channel.body if has_own else "") or BODY
    return Message(
        occasion, key, one_line(filled(subject, values)) or "FORLLM", filled(body, values) or "FORLLM", facts
    )


def send_due(database: Database, secret_key: bytes, now: datetime, *, tls: ssl.SSLContext | None = None) -> int:
    """Send what is due, one after the other. Returns how many were sent. Any number of processes may do it at once."""
    with database.read() as connection:
        due = delivery_store.list_due_ids(connection, now, limit=_AT_ONCE)
    ended = [_send(database, delivery_id, secret_key, now, tls) for delivery_id in due]
    return sum(delivery is not None and delivery.status is DeliveryStatus.SENT for delivery in ended)


def send_test(
    database: Database, channel_id: int, secret_key: bytes, now: datetime, *, tls: ssl.SSLContext | None = None
) -> Delivery:
    """Send a test message now, and say how it went; a test is not tried again. Raises NotFound."""
    with database.transaction() as connection:
        channel = channel_store.get_channel(connection, channel_id)
        message = Message(
            Occasion.TEST,
            f"test:{uuid.uuid4()}",
            "A test from FORLLM",
            f"This is what {channel.name} will be told by.",
            {"link": channel.options.get("forum_url", "")},
        )
        delivery_id = delivery_store.insert_delivery(connection, channel_id, message, now) or 0
    _send(database, delivery_id, secret_key, now, tls)
    with database.read() as connection:
        return delivery_store.get_delivery(connection, delivery_id)


def try_again(connection: Connection, delivery_id: int, now: datetime) -> None:
    """Have a delivery that was given up sent after all. Raises NotFound, Conflict."""
    delivery_store.get_delivery(connection, delivery_id)
    if not delivery_store.update_due_again(connection, delivery_id, now):
        raise Conflict("Only a delivery that was given up can be tried again.")


def forget_old(connection: Connection, now: datetime) -> int:
    """Forget what ended long ago."""
    return delivery_store.delete_deliveries_before(connection, now - KEPT)


def _send(
    database: Database, delivery_id: int, secret_key: bytes, now: datetime, tls: ssl.SSLContext | None
) -> Delivery | None:
    with database.transaction() as connection:
        taken = delivery_store.update_taken(connection, delivery_id, until=now + LEASE, now=now)
        if taken is None:
            return None
        channel = channel_store.get_channel(connection, taken.channel_id)
    try:
        # No transaction is open while the other side is spoken to.
        send(channel, taken, open_secret(channel, secret_key), now, tls=tls)
    except SendFailed as failure:
        return _note_failure(database, channel, taken, failure)
    with database.transaction() as connection:
        delivery_store.update_ended(connection, taken, DeliveryStatus.SENT, problem=None, now=clock.now())
        ended = delivery_store.get_delivery(connection, taken.id)
    log.event("delivery.sent", delivery=taken.id, channel=channel.name, occasion=taken.occasion.value)
    return ended


def _note_failure(database: Database, channel: Channel, taken: Delivery, failure: SendFailed) -> Delivery:
    is_over = failure.is_permanent or taken.attempts >= MOST_ATTEMPTS or taken.occasion is Occasion.TEST
    now = clock.now()
    with database.transaction() as connection:
        if is_over:
            delivery_store.update_ended(connection, taken, DeliveryStatus.FAILED, problem=failure.message, now=now)
        else:
            due_at = now + wait_after(taken.attempts)
            delivery_store.update_postponed(connection, taken, problem=failure.message, due_at=due_at)
        ended = delivery_store.get_delivery(connection, taken.id)
    log.event(
        "delivery.failed" if is_over else "delivery.postponed",
        level=log.WARNING,
        delivery=taken.id,
        channel=channel.name,
        attempt=taken.attempts,
        detail=failure.message,
    )
    return ended
