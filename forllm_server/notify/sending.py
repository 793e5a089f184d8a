"""Sending one message by a channel's kind."""

import json
import ssl
from datetime import datetime

from forllm_server.notify.mailing import build_mail, send_mail
from forllm_server.notify.model import Channel, ChannelKind, Delivery, Occasion
from forllm_server.outward.posting import post
from forllm_server.outward.signing import SIGNATURE, sign


def send(
    channel: Channel, delivery: Delivery, secret: str | None, now: datetime, *, tls: ssl.SSLContext | None = None
) -> None:
    """Send it now. Raises SendFailed."""
    if channel.kind is ChannelKind.EMAIL:
        domain = str(channel.options["sender"]).rpartition("@")[2]
        mail = build_mail(
            channel.options,
            subject=delivery.subject,
            body=delivery.body,
            message_id=f"<forllm.{delivery.id}.{int(delivery.created_at.timestamp())}@{domain}>",
            now=now,
        )
        send_mail(channel.options, secret, mail, tls=tls)
    elif channel.kind is ChannelKind.NTFY:
        _publish(channel, delivery, secret, tls)
    else:
        _call(channel, delivery, secret, now, tls)


def _call(channel: Channel, delivery: Delivery, secret: str | None, now: datetime, tls: ssl.SSLContext | None) -> None:
    told = {
        "occasion": delivery.occasion.value,
        "delivery": delivery.id,
        "created_at": delivery.created_at.isoformat(),
        "subject": delivery.subject,
        "text": delivery.body,
        **delivery.facts,
    }
    body = json.dumps(told, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "X-Forllm-Delivery": str(delivery.id)}
    if secret:
        headers[SIGNATURE] = sign(secret, body, int(now.timestamp()))
    post(str(channel.options["url"]), body, headers, may_be_local=bool(channel.options["may_be_local"]), tls=tls)


def _publish(channel: Channel, delivery: Delivery, secret: str | None, tls: ssl.SSLContext | None) -> None:
    """As JSON, because headers cannot carry every letter. Source: docs.ntfy.sh, "Publish as JSON"."""
    message: dict[str, object] = {
        "topic": channel.options["topic"],
        "title": delivery.subject,
        "message": delivery.body,
        "tags": ["warning" if delivery.occasion is Occasion.STALL else "sunny"],
    }
    link = delivery.facts.get("link")
    if isinstance(link, str) and link.startswith(("http://", "https://")):
        message["click"] = link
    headers = {"Content-Type": "application/json"}
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    body = json.dumps(message, ensure_ascii=False).encode()
    post(str(channel.options["base_url"]), body, headers, may_be_local=bool(channel.options["may_be_local"]), tls=tls)
