"""Where a backend is: checking and normalising the address that a person typed. Pure."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from forllm_server.catalog.model import BackendKind
from forllm_server.errors import Invalid

MAX_ADDRESS_CHARS = 2_000

#: What people paste after the address that the kind's own routes begin at.
_KNOWN_ENDINGS = {
    BackendKind.OLLAMA: ("/api", "/v1"),
    BackendKind.LLAMA_CPP: ("/v1",),
    BackendKind.OPENAI_COMPATIBLE: ("/chat/completions", "/models"),
}
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def clean_base_url(kind: BackendKind, text: str) -> str:
    """The address to store: scheme and host in lower case, no closing slash, no ending that FORLLM adds itself.

    A missing scheme means http, as in ``localhost:11434``. Raises Invalid(field="base_url") for another scheme than
    http and https, for a missing host, and for a user name, a query or a fragment in it: a password there would be
    shown and logged as part of the address.
    """
    typed = text.strip()
    if not typed:
        raise _invalid("An address is needed, for example http://127.0.0.1:11434.")
    if len(typed) > MAX_ADDRESS_CHARS or any(letter.isspace() or not letter.isprintable() for letter in typed):
        raise _invalid("That is not an address. It looks like http://127.0.0.1:11434, without spaces.")
    if "://" not in typed:
        typed = f"http://{typed}"
    parts, port = _split(typed)
    _refuse_extras(parts)
    path = _without_endings(kind, parts.path.rstrip("/"))
    return f"{parts.scheme}://{_host(parts)}{_port(parts.scheme, port)}{path}"


def origin(base_url: str) -> str:
    """Scheme, host and port of a normalised address: the server that an API key belongs to."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(base_url: str) -> bool:
    """Whether the address names this machine."""
    host = urlsplit(base_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(typed: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(typed)
        port = parts.port
    except ValueError as error:
        raise _invalid("That is not an address: its host or port cannot be read.") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise _invalid("The address must begin with http:// or https://.")
    if not parts.hostname or port == 0:
        raise _invalid("The address names no host, for example 127.0.0.1.")
    return parts, port


def _refuse_extras(parts: SplitResult) -> None:
    if "@" in parts.netloc:
        raise _invalid("Leave the user name and password out of the address and use the API key's field.")
    if parts.query or parts.fragment:
        raise _invalid("Leave out what follows ? or # in the address.")
    if not parts.path.isascii() or "\\" in parts.path or "/../" in f"{parts.path}/":
        raise _invalid("That is not an address: its path cannot be read.")


def _without_endings(kind: BackendKind, path: str) -> str:
    for ending in _KNOWN_ENDINGS.get(kind, ()):
        path = path.removesuffix(ending).rstrip("/")
    return path


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    try:
        if ":" in host:
            return f"[{ipaddress.IPv6Address(host)}]"
        plain = host.encode("idna").decode("ascii").lower().rstrip(".")
    except ValueError as error:
        raise _invalid("That is not an address: its host name cannot be read.") from error
    if not _HOST.fullmatch(plain):
        raise _invalid("That is not an address: its host name cannot be read.")
    return plain


def _port(scheme: str, port: int | None) -> str:
    return "" if port is None or port == _DEFAULT_PORTS[scheme] else f":{port}"


def _invalid(message: str) -> Invalid:
    return Invalid(message, field="base_url")
