"""What each kind of channel needs to know: checked when it is entered. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from forllm_server.errors import Invalid
from forllm_server.notify.model import ChannelKind
from forllm_server.outward.addresses import clean_host, clean_url, is_loopback, origin

SECURITIES = ("tls", "starttls", "none")
MOST_RECIPIENTS = 20
_USUAL_PORTS = {"tls": 465, "starttls": 587, "none": 25}
_NTFY_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAILBOX = re.compile(r"[^\s@<>,;:\"\\()\[\]\x00-\x1f\x7f]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
#: kind → the names of its options
NAMES = {
    ChannelKind.WEBHOOK: ("url",),
    ChannelKind.NTFY: ("base_url", "topic"),
    ChannelKind.EMAIL: ("host", "port", "security", "username", "sender", "recipients"),
}
SHARED = ("may_be_local", "forum_url")


def clean_options(kind: ChannelKind, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options to keep. Raises Invalid whose field is the option's name."""
    unknown = next((name for name in given if name not in (*NAMES[kind], *SHARED)), None)
    if unknown is not None:
        raise Invalid(f"A channel of this kind has no option “{unknown[:60]}”.", field=unknown[:60])
    own = {ChannelKind.WEBHOOK: _webhook, ChannelKind.NTFY: _ntfy, ChannelKind.EMAIL: _email}[kind](given)
    forum_url = _text(given, "forum_url")
    own["forum_url"] = clean_url(forum_url, field="forum_url").rstrip("/") if forum_url else ""
    own["may_be_local"] = given.get("may_be_local", False) is True
    return own


def destination(kind: ChannelKind, options: Mapping[str, Any]) -> str:
    """The server that a secret is for."""
    if kind is ChannelKind.EMAIL:
        return f"smtp://{options['host']}:{options['port']}"
    return origin(str(options["base_url" if kind is ChannelKind.NTFY else "url"]))


def _webhook(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"url": clean_url(_text(given, "url"), field="url")}


def _ntfy(given: Mapping[str, Any]) -> dict[str, Any]:
    topic = _text(given, "topic")
    if not _NTFY_TOPIC.fullmatch(topic):
        raise Invalid("A topic of ntfy has 1 to 64 letters, digits, - and _.", field="topic")
    base_url = clean_url(_text(given, "base_url") or "https://ntfy.sh", field="base_url").rstrip("/")
    if "?" in base_url:
        raise Invalid("Leave out what follows ? in the address.", field="base_url")
    return {"base_url": base_url, "topic": topic}


def _email(given: Mapping[str, Any]) -> dict[str, Any]:
    host = clean_host(_text(given, "host"), field="host")
    security = _text(given, "security") or "starttls"
    if security not in SECURITIES:
        raise Invalid("Choose one of: " + ", ".join(SECURITIES) + ".", field="security")
    if security == "none" and not is_loopback(host):
        raise Invalid("Without TLS only a mail server on this machine is spoken to.", field="security")
    port = _USUAL_PORTS[security] if given.get("port") is None else given["port"]
    if type(port) is not int or not 1 <= port <= 65535:
        raise Invalid("A port is a whole number from 1 to 65535.", field="port")
    username = _text(given, "username")
    if len(username) > 200 or not username.isprintable():
        raise Invalid("A user name has up to 200 visible characters.", field="username")
    return {
        "host": host,
        "port": port,
        "security": security,
        "username": username,
        "sender": _mailbox(_text(given, "sender"), "sender"),
        "recipients": _recipients(given.get("recipients", "")),
    }


def _recipients(given: Any) -> list[str]:
    texts = re.split(r"[\s,;]+", given.strip()) if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Invalid("Recipients are mail addresses.", field="recipients")
    found = list(dict.fromkeys(_mailbox(text, "recipients") for text in texts))
    if not 1 <= len(found) <= MOST_RECIPIENTS:
        raise Invalid(f"A mail goes to 1 to {MOST_RECIPIENTS} recipients.", field="recipients")
    return found


def _mailbox(text: str, field: str) -> str:
    if not _MAILBOX.fullmatch(text):
        raise Invalid("That is not a mail address. It looks like mara@example.org.", field=field)
    return text


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise Invalid("This must be a text.", field=name)
    return value.strip()
