"""Mail by SMTP, over TLS from the start or from STARTTLS on; to the address that was checked."""

import smtplib
import socket
import ssl
from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from forllm_server.outward.addresses import connect
from forllm_server.outward.failure import SendFailed
from forllm_server.outward.posting import tls_context

CONNECT_SECONDS = 10.0
#: of silence
PATIENCE_SECONDS = 20.0


class _Smtp(smtplib.SMTP):
    """Connects to the address that was looked at, with TLS at once where that is wished."""

    def __init__(self, host: str, *, may_be_local: bool, tls: ssl.SSLContext | None) -> None:
        self._may_be_local = may_be_local
        self._tls = tls
        self._server = host
        super().__init__(timeout=PATIENCE_SECONDS)

    def _get_socket(self, host: str, port: int, _timeout: float) -> socket.socket:
        plain = connect(host, port, may_be_local=self._may_be_local, timeout_seconds=CONNECT_SECONDS)
        plain.settimeout(PATIENCE_SECONDS)
        return plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=self._server)

    def begin_tls(self, context: ssl.SSLContext) -> None:
        """STARTTLS, with the certificate checked against the server's name."""
        # smtplib takes the name from what the constructor was given, and would have connected there by itself.
        vars(self)["_host"] = self._server
        self.starttls(context=context)


def send_mail(
    options: Mapping[str, Any], password: str | None, mail: EmailMessage, *, tls: ssl.SSLContext | None = None
) -> None:
    """Hand a mail to the channel's server. Raises SendFailed."""
    host, security = str(options["host"]), str(options["security"])
    context = None if security == "none" else tls or tls_context()
    at_once = context if security == "tls" else None
    try:
        with _Smtp(host, may_be_local=bool(options["may_be_local"]), tls=at_once) as server:
            server.connect(host, int(options["port"]))
            if security == "starttls" and context is not None:
                server.begin_tls(context)
            if options["username"] or password:
                server.login(str(options["username"]), password or "")
            server.send_message(mail)
    except smtplib.SMTPAuthenticationError as error:
        raise SendFailed(f"{host} does not accept the user name and password.", is_permanent=True) from error
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise SendFailed(
            f"{host} refuses every recipient ({codes[0]}).", is_permanent=all(code >= 500 for code in codes)
        ) from error
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        is_permanent = 500 <= error.smtp_code < 600
        raise SendFailed(f"{host} answered {error.smtp_code}: {said[:200]}", is_permanent=is_permanent) from error
    except smtplib.SMTPNotSupportedError as error:
        raise SendFailed(f"{host} offers no STARTTLS or no sign-in; choose otherwise.", is_permanent=True) from error
    except ssl.SSLError as error:
        raise SendFailed(f"{host} cannot be spoken to securely: {error.reason or error}.") from error
    except (smtplib.SMTPException, OSError) as error:
        raise SendFailed(f"{host} broke off, or did not answer in time.") from error


def build_mail(options: Mapping[str, Any], *, subject: str, body: str, message_id: str, now: datetime) -> EmailMessage:
    """A plain mail. ``message_id`` is the same at every try, so that a mail taken twice is shown once."""
    mail = EmailMessage()
    mail["Subject"] = subject
    mail["From"] = f"FORLLM <{options['sender']}>"
    mail["To"] = ", ".join(options["recipients"])
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = message_id
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(body)
    return mail
