"""Where FORLLM may send to: addresses that a person typed, checked when they are kept and again when they are used.

A name is resolved once, every address that it leads to is looked at, and the connection goes to one of those: a name
that leads elsewhere a moment later gains nothing.
"""

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from forllm_server.errors import Invalid
from forllm_server.outward.failure import SendFailed

LONGEST_ADDRESS = 2_000
_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: A name that leads to more addresses than that would keep its caller waiting for all that do not answer.
_MOST_ADDRESSES = 4
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]+\]")


def clean_url(text: str, *, field: str) -> str:
    """The address to keep: http or https, a host, no user name, no fragment. Raises Invalid."""
    typed = text.strip()
    if not typed:
        raise Invalid("An address is needed, such as https://example.org/hook.", field=field)
    if len(typed) > LONGEST_ADDRESS or not typed.isascii() or any(letter <= " " for letter in typed) or "\\" in typed:
        raise Invalid("That is not an address: it has spaces or letters that no address has.", field=field)
    try:
        parts = urlsplit(typed)
        port = parts.port
    except ValueError as error:
        raise Invalid("That is not an address: its host or port cannot be read.", field=field) from error
    if parts.scheme not in _PORTS:
        raise Invalid("The address must begin with https:// or http://.", field=field)
    if "@" in parts.netloc:
        raise Invalid("Leave the user name and password out of the address.", field=field)
    if port == 0 or not _HOST.fullmatch(_bracketed(parts.hostname or "")):
        raise Invalid("The address names no host.", field=field)
    return typed.partition("#")[0]


def clean_host(text: str, *, field: str) -> str:
    """The name or number of a server. Raises Invalid."""
    host = text.strip().lower().strip("[]")
    if len(host) > 253 or not _HOST.fullmatch(_bracketed(host)):
        raise Invalid("That is not the name of a server. It looks like mail.example.org.", field=field)
    return host


def origin(url: str) -> str:
    """Scheme, host and port: where a secret is sent to."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{parts.port or _PORTS.get(parts.scheme, 0)}"


def is_loopback(host: str) -> bool:
    """Whether the host names this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def connect(host: str, port: int, *, may_be_local: bool, timeout_seconds: float) -> socket.socket:
    """A connection to the host. Raises SendFailed.

    Unless ``may_be_local``, every address of the host must be a public one.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SendFailed(f"The name {host} is not known to the network.") from error
    numbers = [str(entry[4][0]) for entry in found]
    if not may_be_local:
        refused = next((number for number in numbers if not _is_public(number)), None)
        if refused is not None:
            raise SendFailed(
                f"{host} is {refused}, an address of a network of one's own. Tick that this is meant, if it is.",
                is_permanent=True,
            )
    problem: OSError | None = None
    for number in list(dict.fromkeys(numbers))[:_MOST_ADDRESSES]:
        try:
            return socket.create_connection((number, port), timeout=timeout_seconds)
        except OSError as error:
            problem = error
    raise SendFailed(f"{host} does not answer on port {port}: {(problem and problem.strerror) or 'no reason given'}.")


def _is_public(number: str) -> bool:
    address = ipaddress.ip_address(number.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = _inner(address)
        if inner is None:
            # Reserved are also those that lead to an IPv4 address by ways that are none any more.
            return address.is_global and not (address.is_multicast or address.is_reserved or address.is_site_local)
        address = inner
    return address.is_global and not address.is_multicast


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to: mapped (RFC 4291), 6to4 (RFC 3056) or NAT64 (RFC 6052)."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
