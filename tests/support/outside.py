"""What FORLLM tells things to: a web server that keeps what is posted, and a mail server that keeps its mails.

Both are real servers on sockets of this machine, with TLS where asked for; its certificate is good for nothing else.
"""

import abc
import contextlib
import email
import email.policy
import socket
import ssl
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

TLS = Path(__file__).parent / "tls"


def server_tls() -> ssl.SSLContext:
    """What a server here proves itself with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
    return context


def client_tls() -> ssl.SSLContext:
    """Trusts the servers here."""
    return ssl.create_default_context(cafile=str(TLS / "certificate.pem"))


@dataclass(frozen=True)
class Posted:
    """A request as it came; the names of headers in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class _Server(abc.ABC):
    """Accepts connections and gives each a thread."""

    def __init__(self, *, is_secure: bool = False) -> None:
        self.is_secure = is_secure
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    @abc.abstractmethod
    def converse(self, connection: socket.socket) -> None:
        """Speak with one client."""

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.is_secure:
                connection = server_tls().wrap_socket(connection, server_side=True)
            with connection:
                self.converse(connection)
        except (OSError, ValueError):
            return
        finally:
            self._open.discard(connection)


class Hook(_Server):
    """A web server. ``answers``: (status, headers) of the next requests, then 200; 0 says nothing at all, and DRIP
    a letter now and then without an end."""

    DRIP = -1

    def __init__(self, *, is_secure: bool = False) -> None:
        self.posted: list[Posted] = []
        self.answers: deque[tuple[int, str]] = deque()
        self.silence = threading.Event()
        super().__init__(is_secure=is_secure)
        host = "localhost" if is_secure else "127.0.0.1"
        self.url = f"{'https' if is_secure else 'http'}://{host}:{self.port}"

    def __exit__(self, *about: object) -> None:
        self.silence.set()
        super().__exit__(None, None, None)

    def converse(self, connection: socket.socket) -> None:
        with cast(IO[bytes], connection.makefile("rb")) as reader:
            first = reader.readline().split()
            headers: dict[str, str] = {}
            while (line := reader.readline().strip()) and b":" in line:
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            body = reader.read(int(headers.get("content-length", 0)))
        if len(first) < 2:
            return
        self.posted.append(Posted(first[1].decode(), headers, body))
        status, more = self.answers.popleft() if self.answers else (200, "")
        if not status:
            self.silence.wait(30)
            return
        if status == self.DRIP:
            while not self.silence.wait(0.02):
                connection.sendall(b"x")
            return
        text = b"said <b>so</b>"
        head = f"HTTP/1.1 {status} So\r\n{more}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + text)


@dataclass
class Mailbox:
    """What came by mail."""

    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    #: (user name and password as sent, whether the line was secured then)
    logins: list[tuple[bytes, bool]] = field(default_factory=list)


class MailServer(_Server):
    """An SMTP server. ``refusals``: the answer to a command's first word instead of taking it, once each."""

    def __init__(self, *, security: str = "none", has_login: bool = False) -> None:
        self.box = Mailbox()
        self.security = security
        self.has_login = has_login
        self.refusals: dict[str, str] = {}
        super().__init__(is_secure=security == "tls")

    def converse(self, connection: socket.socket) -> None:
        with contextlib.ExitStack() as held:
            self._converse(connection, held)

    def _converse(self, connection: socket.socket, held: contextlib.ExitStack) -> None:
        is_secured = self.security == "tls"
        reader = held.enter_context(cast(IO[bytes], connection.makefile("rb")))
        recipients: list[str] = []

        def say(text: str) -> None:
            connection.sendall(f"{text}\r\n".encode())

        say("220 box.example ready")
        while line := reader.readline():
            words = line.decode("utf-8", "replace").strip()
            verb = words.split(" ")[0].upper().partition(":")[0]
            if verb in self.refusals:
                say(self.refusals.pop(verb))
            elif verb == "EHLO":
                offers = ["box.example", "8BITMIME", "SMTPUTF8"]
                offers += ["STARTTLS"] if self.security == "starttls" and not is_secured else []
                offers += ["AUTH PLAIN"] if self.has_login else []
                say("\r\n".join(f"250{' ' if offer is offers[-1] else '-'}{offer}" for offer in offers))
            elif verb == "STARTTLS":
                say("220 go ahead")
                connection = held.enter_context(server_tls().wrap_socket(connection, server_side=True))
                reader, is_secured = held.enter_context(cast(IO[bytes], connection.makefile("rb"))), True
            elif verb == "AUTH":
                self.box.logins.append((words.split(" ")[-1].encode(), is_secured))
                say("235 welcome")
            elif verb == "RCPT":
                recipients.append(words.partition("<")[2].partition(">")[0])
                say("250 ok")
            elif verb == "DATA":
                say("354 go on")
                self._take(reader, recipients)
                recipients = []
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say("250 ok")

    def _take(self, reader: IO[bytes], recipients: list[str]) -> None:
        lines = []
        while (line := reader.readline()) and line != b".\r\n":
            lines.append(line.removeprefix(b"."))
        mail = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        self.box.mails.append(cast(EmailMessage, mail))
        self.box.recipients.append(recipients)
