"""The headers on every answer, errors and static files included."""

import secrets

from flask import Flask, Response, g, request

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)

ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

#: For what strangers made: should a browser show it in spite of all, then without scripts and as nobody's page.
CONTAINED_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"

#: Under TLS a browser is told to stay there, for this many seconds (a year).
TRANSPORT_SECURITY = "max-age=31536000"


def contain() -> None:
    """Send what answers the present request under :data:`CONTAINED_POLICY`: a file that somebody attached."""
    g.is_contained = True


def install(app: Flask) -> None:
    """Name every request and put the headers on every answer of ``app``."""

    @app.before_request
    def name_request() -> None:
        g.request_id = secrets.token_hex(8)

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in ALWAYS.items():
            response.headers[name] = value
        if g.get("is_contained"):
            response.headers["Content-Security-Policy"] = CONTAINED_POLICY
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Request-Id"] = g.get("request_id", "")
        if request.is_secure:
            response.headers["Strict-Transport-Security"] = TRANSPORT_SECURITY
        return response
