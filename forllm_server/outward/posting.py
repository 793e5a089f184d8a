"""One HTTP request outward: bounded in time and size, to the address that was checked, never redirected or proxied."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from forllm_server.outward.addresses import connect
from forllm_server.outward.failure import SendFailed

CONNECT_SECONDS = 10.0
#: for everything after the connection, however slowly the other side drips
TOTAL_SECONDS = 20.0
_READ_BYTES = 4_096
_USUAL_PORTS = {"http": 80, "https": 443}
#: answers after which another try may end otherwise
_PASSING = frozenset({408, 409, 425, 429})


@dataclass(frozen=True)
class Answer:
    """What the other side said to what it took. ``text``: the beginning, where it was to be kept."""

    status: int
    text: str = ""


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    may_be_local: bool,
    tls: ssl.SSLContext | None = None,
    total_seconds: float = TOTAL_SECONDS,
    keeps_text: bool = False,
) -> Answer:
    """Post to a checked address. ``keeps_text``: whether the answer's beginning is read. Raises SendFailed for
    anything but a 2xx answer."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or _USUAL_PORTS[parts.scheme]
    if not may_be_local and port not in _USUAL_PORTS.values():
        raise SendFailed(
            f"{url} is on port {port}; only 80 and 443 are used unless you tick that this is meant.", is_permanent=True
        )
    plain = connect(host, port, may_be_local=may_be_local, timeout_seconds=CONNECT_SECONDS)
    plain.settimeout(total_seconds)
    # The handshake comes later: wrapping takes the plain socket away, and whoever ends it must hold the other one.
    is_secure = parts.scheme == "https"
    context = (tls or tls_context()) if is_secure else None
    spoken = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False) if context else plain
    is_late = threading.Event()
    timer = threading.Timer(total_seconds, lambda: _give_up(spoken, is_late))
    timer.daemon = True
    timer.start()
    connection = HTTPConnection(host, port, timeout=total_seconds)
    connection.sock = spoken
    try:
        if isinstance(spoken, ssl.SSLSocket):
            spoken.do_handshake()
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        own = {"User-Agent": "forllm", "Connection": "close", "Accept": "*/*"}
        connection.request("POST", target, body, own | dict(headers))
        with connection.getresponse() as response:
            _check(response, host)
            return Answer(response.status, _beginning(response) if keeps_text else "")
    except (HTTPException, OSError) as error:
        if isinstance(error, ssl.SSLError) and not is_late.is_set():
            raise SendFailed(f"{host} cannot be spoken to securely: {error.reason or error}.") from error
        raise SendFailed(f"{host} broke off, or did not answer in time.") from error
    finally:
        timer.cancel()
        connection.close()
        spoken.close()


def tls_context() -> ssl.SSLContext:
    """Checks certificates against the system's roots, and the bundled ones where a system has none."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


def _check(response: HTTPResponse, host: str) -> None:
    status = response.status
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        elsewhere = response.headers.get("Location", "elsewhere")[:200]
        raise SendFailed(
            f"{host} sends on to {elsewhere}. That is not followed: enter the right address.",
            is_permanent=True,
            status=status,
        )
    text = response.read(_READ_BYTES).decode("utf-8", "replace")
    said = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:200]
    is_permanent = 400 <= status < 500 and status not in _PASSING
    message = f"{host} answered {status}{f': {said}' if said else '.'}"
    raise SendFailed(message, is_permanent=is_permanent, status=status, said=text)


def _beginning(response: HTTPResponse) -> str:
    # It was taken: an answer that breaks off changes nothing in that.
    with contextlib.suppress(HTTPException, OSError):
        return response.read(_READ_BYTES).decode("utf-8", "replace")
    return ""


def _give_up(spoken: socket.socket, is_late: threading.Event) -> None:
    is_late.set()
    try:
        # Past SSLSocket.shutdown, which would tear the TLS state from under the thread that reads it.
        socket.socket.shutdown(spoken, socket.SHUT_RDWR)
    except OSError:
        spoken.close()
