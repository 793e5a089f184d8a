"""HTTP with a model server: bounded, never redirected, never through a proxy, and stoppable from any thread.

A server may be silent for minutes while it reads a prompt, so silence is the limit and not the total time; and silence
means no complete line, not no byte, or one byte a minute would hold a worker for ever. A watching thread per exchange
closes the socket when the silence is over, and so does `abort`, which wakes the reading thread at once.
"""

import json
import math
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator, Mapping
from http.client import HTTPException, LineTooLong
from typing import Any, cast

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool

from forllm_server import clock
from forllm_server.backends import refusals
from forllm_server.backends.base import BackendConfig
from forllm_server.backends.faults import (
    BackendError,
    BadAddress,
    Cancelled,
    CutOff,
    KeyRefused,
    Refused,
    Silent,
    Unreachable,
    Unreadable,
)

_BLOCK_BYTES = 65_536
#: keep-alives without anything else are believed for so many silences
_KEEP_ALIVE_PATIENCE = 6
_WATCH_SECONDS = 0.5
#: an error's text is read for so long
_REFUSAL_SECONDS = 5.0


class _WatchedConnection(HTTPConnection):
    """Tells its exchange which socket it uses, so that another thread can shut it."""

    def __init__(self, *args: Any, exchange: "Exchange", **options: Any) -> None:
        self._exchange = exchange
        super().__init__(*args, **options)

    def connect(self) -> None:
        super().connect()
        self._exchange.is_connected_to(self.sock)


class _WatchedSecureConnection(HTTPSConnection):
    """The same over TLS."""

    def __init__(self, *args: Any, exchange: "Exchange", **options: Any) -> None:
        self._exchange = exchange
        super().__init__(*args, **options)

    def connect(self) -> None:
        super().connect()
        self._exchange.is_connected_to(self.sock)


class _Adapter(HTTPAdapter):
    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> HTTPConnectionPool:
        pool = cast(HTTPConnectionPool, super().get_connection_with_tls_context(*args, **options))
        is_secure = pool.scheme == "https"
        pool.ConnectionCls = _WatchedSecureConnection if is_secure else _WatchedConnection
        pool.conn_kw["exchange"] = self._exchange
        return pool


class _Session(requests.Session):
    def __init__(self, exchange: "Exchange") -> None:
        super().__init__()
        self.trust_env = False
        self.mount("http://", _Adapter(exchange))
        self.mount("https://", _Adapter(exchange))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read the whole body of a redirect before it asks whether to follow."""
        return


class Exchange:
    """One HTTP request and its answer. `abort` may be called from any thread; the rest belongs to one thread."""

    def __init__(self, config: BackendConfig, *, silence_seconds: float | None = None) -> None:
        self.config = config
        self._silence_seconds = silence_seconds if silence_seconds is not None else config.silence_seconds
        self._lock = threading.Lock()
        self._reason: BackendError | None = None
        self._socket: socket.socket | None = None
        self._is_closed = threading.Event()
        self._is_watched = False
        self._session: requests.Session | None = None
        self._response: requests.Response | None = None
        self._deadline = self._patience_ends = 0.0

    @property
    def api_key(self) -> str | None:
        """The key, which must never be shown: texts from the server are scrubbed of it."""
        return self.config.api_key

    # -- life signs

    def mark_life(self) -> None:
        """Something meaningful came: the silence begins anew."""
        now = clock.monotonic()
        self._deadline = now + self._silence_seconds
        self._patience_ends = now + self._silence_seconds * _KEEP_ALIVE_PATIENCE

    def mark_keep_alive(self) -> None:
        """The server only says that it is there: believed for a while."""
        self._deadline = min(clock.monotonic() + self._silence_seconds, self._patience_ends)

    def limit_rest(self, seconds: float) -> None:
        """From here on the whole rest may take so many seconds."""
        self._silence_seconds = seconds
        self._deadline = self._patience_ends = clock.monotonic() + seconds

    def pause(self) -> None:
        """The reader is busy with what it got: its time is not the server's silence."""
        self._deadline = math.inf

    def _watch(self) -> None:
        while not self._is_closed.wait(min(max(0.02, self._deadline - clock.monotonic()), _WATCH_SECONDS)):
            if clock.monotonic() >= self._deadline:
                self.abort(Silent(_silence_message(self._silence_seconds)))
                return

    # -- ending it

    def abort(self, reason: BackendError) -> None:
        """Shut the socket; whatever reads it raises `reason`. The first reason stays."""
        with self._lock:
            if self._reason is None:
                self._reason = reason
            watched = self._socket
        if watched is not None:
            _shut(watched)

    def cancel(self) -> None:
        self.abort(Cancelled())

    def close(self) -> None:
        """Let go of the connection, which stops a server that still writes."""
        self._is_closed.set()
        self._release()

    def _release(self) -> None:
        with self._lock:
            watched, self._socket = self._socket, None
        if watched is not None:
            _shut(watched)
        if self._response is not None:
            self._response.close()
        if self._session is not None:
            self._session.close()

    def is_connected_to(self, connected: socket.socket | None) -> None:
        """Called by the connection. Raises the reason when the exchange was aborted meanwhile."""
        with self._lock:
            self._socket = connected
            reason = self._reason
        if reason is not None:
            raise reason

    def check(self) -> None:
        """Raise the reason for which this exchange was aborted, if it was."""
        if self._reason is not None:
            raise self._reason

    # -- asking and reading

    def open(self, method: str, url: str, body: Any = None) -> "Exchange":
        """Send the request and wait for the status line. Raises BackendError for any status but 200."""
        self.check()
        data = None if body is None else _encode(body)
        self.mark_life()
        if not self._is_watched:
            self._is_watched = True
            threading.Thread(target=self._watch, name="backend-silence", daemon=True).start()
        self._session = _Session(self)
        try:
            self._response = self._session.request(
                method,
                url,
                data=data,
                headers=self._headers(body is not None),
                stream=True,
                allow_redirects=False,
                verify=str(self.config.options.get("ca_file") or "") or True,
                timeout=(self.config.connect_seconds, self._silence_seconds + 1),
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
            raise self._translate(error) from None
        self.check()
        self.mark_life()
        if self._response.status_code != 200:
            raise self._refusal(self._response)
        return self

    def reopen(self, method: str, url: str, body: Any = None) -> "Exchange":
        """Ask again with another body, after a refusal."""
        self._release()
        return self.open(method, url, body)

    @property
    def content_type(self) -> str:
        """The media type of the answer, lower case, without parameters."""
        return self._header("Content-Type").partition(";")[0].strip().lower()

    def blocks(self) -> Iterator[bytes]:
        """The body, decompressed, in blocks of bounded size. Raises BackendError."""
        unpack = _Unpacker(self._header("Content-Encoding"))
        total = 0
        while raw := self._read():
            for block in unpack(raw):
                total += len(block)
                if total > self.config.limits.body_bytes:
                    raise Unreadable("The model server sent more than FORLLM accepts.", permanent=True)
                yield block

    def body(self, max_bytes: int) -> bytes:
        """The whole body. Raises Unreadable when it is longer than `max_bytes`."""
        collected = bytearray()
        for block in self.blocks():
            collected += block
            if len(collected) > max_bytes:
                raise Unreadable("The model server sent more than FORLLM accepts.", permanent=True)
        return bytes(collected)

    def _read(self) -> bytes:
        self.check()
        assert self._response is not None
        try:
            raw: bytes | None = self._response.raw.read1(_BLOCK_BYTES, decode_content=False)
        except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
            raise self._translate(error) from None
        self.check()
        return raw or b""

    def _headers(self, has_body: bool) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity", "Connection": "close", "User-Agent": "forllm"}
        if has_body:
            headers["Content-Type"] = "application/json"
        if self.api_key:
            if not self.api_key.isascii() or not self.api_key.isprintable():
                raise KeyRefused("The key contains characters that cannot be sent. Enter it again.", field="api_key")
            headers["Authorization"] = f"Bearer {self.api_key}"
        return headers

    def _header(self, name: str) -> str:
        return "" if self._response is None else str(self._response.headers.get(name, ""))

    def _refusal(self, response: requests.Response) -> BackendError:
        self._deadline = clock.monotonic() + min(self._silence_seconds, _REFUSAL_SECONDS)
        collected = bytearray()
        try:
            for block in self.blocks():
                collected += block
                if len(collected) > self.config.limits.error_bytes:
                    break
        except BackendError as error:
            if isinstance(error, Cancelled):
                return error
        text = bytes(collected[: self.config.limits.error_bytes]).decode("utf-8", "replace")
        return refusals.from_status(
            response.status_code,
            _error_in(text),
            secret=self.api_key,
            wait_seconds=refusals.retry_after_seconds(self._header("Retry-After"), clock.now()),
            location=self._header("Location") or None,
        )

    def _translate(self, error: Exception) -> BackendError:
        if self._reason is not None:
            return self._reason
        if isinstance(error, requests.exceptions.InvalidHeader):
            return KeyRefused("The key contains characters that cannot be sent. Enter it again.", field="api_key")
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema | UnicodeError):
            return BadAddress(field="base_url")
        if self._socket is None:
            return _unreachable(error)
        causes = list(_causes(error))
        if any(isinstance(cause, LineTooLong) or "headers" in str(cause) for cause in causes if _is_http(cause)):
            return Unreadable("The model server sends headers that are too large.", permanent=True)
        if any(isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError) for cause in causes):
            return Silent(_silence_message(self._silence_seconds))
        return CutOff()


def fetch_json(config: BackendConfig, method: str, url: str, body: Any = None) -> dict[str, Any]:
    """Ask a small question: one JSON object, within `probe_seconds` in all. Raises BackendError."""
    text = fetch_text(config, method, url, body)
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable() from None
    if not isinstance(parsed, dict):
        raise Unreadable()
    return parsed


def fetch_text(config: BackendConfig, method: str, url: str, body: Any = None) -> str:
    """Ask a small question: the text of the answer, within `probe_seconds` in all. Raises BackendError."""
    exchange = Exchange(config, silence_seconds=config.probe_seconds)
    try:
        exchange.open(method, url, body)
        return exchange.body(config.limits.json_bytes).decode("utf-8", "replace")
    finally:
        exchange.close()


class _Unpacker:
    """Decompression in bounded steps: a bomb comes out in blocks that the reader's limits stop."""

    def __init__(self, encoding: str) -> None:
        encoding = encoding.strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise Unreadable(f"The model server compresses its answer in a way FORLLM does not read ({encoding[:20]}).")
        self._inflate = None if encoding in ("", "identity") else zlib.decompressobj(wbits=47)

    def __call__(self, raw: bytes) -> Iterator[bytes]:
        if self._inflate is None:
            yield raw
            return
        try:
            while raw:
                block = self._inflate.decompress(raw, _BLOCK_BYTES)
                raw = self._inflate.unconsumed_tail
                if block:
                    yield block
                if self._inflate.eof:
                    return
        except zlib.error:
            raise Unreadable() from None


def _encode(body: Any) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode("ascii")
    except (ValueError, TypeError):
        raise Refused("The parameters contain a value that cannot be sent. Correct them in the persona.") from None


def _error_in(text: str) -> Any:
    """The error that a body tells: its `error` or `detail` field where it is JSON, else its text."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(parsed, Mapping):
        return parsed.get("error") or parsed.get("detail") or parsed.get("message") or parsed
    return text


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all it wraps: requests and urllib3 hide the cause in arguments."""
    queue: list[BaseException] = [error]
    seen: set[int] = set()
    while queue:
        current = queue.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
        queue.extend(cause for cause in inner if isinstance(cause, BaseException))


def _is_http(cause: BaseException) -> bool:
    return isinstance(cause, HTTPException)


def _unreachable(error: Exception) -> BackendError:
    for cause in sorted(_causes(error), key=lambda cause: not isinstance(cause, ssl.SSLCertVerificationError)):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Unreachable("The server's TLS certificate cannot be trusted. Check its address.", permanent=True)
        if isinstance(cause, ssl.SSLError | urllib3.exceptions.SSLError | requests.exceptions.SSLError):
            return Unreachable("The server does not speak TLS. Does its address begin with http://?", permanent=True)
        if isinstance(cause, socket.gaierror):
            return Unreachable("There is no server of that name. Check the address.")
        if isinstance(cause, ConnectionRefusedError):
            return Unreachable("Nothing answers at the server's address. Start the model server, or check the address.")
    return Unreachable()


def _silence_message(seconds: float) -> str:
    return f"The model server was silent for {seconds:g} seconds, and the connection was closed."


def _shut(watched: socket.socket) -> None:
    try:
        # Past SSLSocket.shutdown, which would tear the TLS state from under the thread that reads it.
        socket.socket.shutdown(watched, socket.SHUT_RDWR)
    except OSError:
        return
