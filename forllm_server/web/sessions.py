"""Sessions in an encrypted cookie: nothing of them is readable or changeable outside, and they end by themselves."""

import base64
import binascii
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, Request, Response
from flask import request as current_request
from flask.sessions import SecureCookieSession, SessionInterface, SessionMixin

from forllm_server.clock import now
from forllm_server.errors import ForllmError

#: A session ends when nothing was done in it for this long.
LIFETIME = timedelta(days=30)
#: A session in use is written anew when it is older than this, not on every answer.
RENEWAL = timedelta(days=1)

Seal = Callable[[bytes], bytes]


class EncryptedCookieSessions(SessionInterface):
    """Flask's session, sealed. ``seal`` and ``open_sealed`` are inverse; ``open_sealed`` raises a ForllmError.

    The cookie holds base64url of sealed JSON ``{"until": ISO 8601, "values": {…}}``. Its name carries the port, because
    browsers share cookies between all servers of one host.
    """

    def __init__(self, seal: Seal, open_sealed: Seal, *, port: int) -> None:
        self._seal = seal
        self._open = open_sealed
        self.cookie_name = f"forllm_{port}"

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession:
        """The session of ``request``; a new, empty one when there is none, or it is over, or it was tampered with."""
        cookie = request.cookies.get(self.cookie_name)
        found = self._read(cookie) if cookie else None
        if found is None:
            return SecureCookieSession()
        until, values = found
        session = SecureCookieSession(values)
        session.new = False
        if until - now() < LIFETIME - RENEWAL:
            session.modified = True
        return session

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write the cookie when the session changed; remove it when nothing is left in it."""
        if session.accessed:
            response.vary.add("Cookie")
        if not session.modified:
            return
        if not session:
            response.delete_cookie(self.cookie_name, httponly=True, samesite="Lax")
            return
        response.set_cookie(
            self.cookie_name,
            self._write(dict(session)),
            max_age=LIFETIME,
            httponly=True,
            samesite="Lax",
            secure=current_request.is_secure,
        )

    def _write(self, values: dict[str, Any]) -> str:
        content = {"until": (now() + LIFETIME).isoformat(), "values": values}
        return base64.urlsafe_b64encode(self._seal(json.dumps(content).encode())).decode().rstrip("=")

    def _read(self, cookie: str) -> tuple[datetime, dict[str, Any]] | None:
        try:
            sealed = base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
            content = json.loads(self._open(sealed))
        except (binascii.Error, ValueError, ForllmError):
            return None
        until = datetime.fromisoformat(content["until"])
        return (until, content["values"]) if now() < until else None
