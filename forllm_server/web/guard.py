"""The door: who is spoken to (Host), who may write (Sec-Fetch-Site, Origin), and how much may be said.

Every rule is decided before a view runs and holds for pages, API and static files alike.
Sources: Fetch Metadata (W3C), the Fetch standard on ``Origin``, RFC 9110 section 15.5.20 (421).
"""

import re
from urllib.parse import urlsplit

from flask import Flask, Response, request
from flask_wtf import CSRFProtect
from werkzeug.exceptions import RequestHeaderFieldsTooLarge, UnsupportedMediaType
from werkzeug.middleware.proxy_fix import ProxyFix

from forllm_server.config import Config
from forllm_server.errors import NotAllowed

#: The most that a request body may have, in bytes: room for a text of five million letters.
LARGEST_BODY_BYTES = 6 * 1024 * 1024
#: The most that a body with files may have, where files are taken.
LARGEST_UPLOAD_BYTES = 150 * 1024 * 1024
#: The most form fields that are read, so that a body of a million empty fields costs nothing.
MOST_FORM_FIELDS = 1_000
#: The most that all headers together may have, in bytes, and how many they may be.
LARGEST_HEADERS_BYTES = 16 * 1024
MOST_HEADERS = 100

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?", re.ASCII)


class ForeignOrigin(NotAllowed):
    """This came from another site, so nothing was changed. Open FORLLM in its own tab and do it there."""

    code = "foreign_origin"


def install(app: Flask, config: Config) -> CSRFProtect:
    """Put the guard before every view of ``app``; returns the form protection, for the API to be exempted from."""
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=LARGEST_BODY_BYTES,
        MAX_FORM_PARTS=MOST_FORM_FIELDS,
        # A draft may lie open over night; the token ends with its session.
        WTF_CSRF_TIME_LIMIT=None,
        # It would demand the Referer that our Referrer-Policy takes away; Origin and Sec-Fetch-Site are checked here.
        WTF_CSRF_SSL_STRICT=False,
    )
    if config.proxy_count:
        count = config.proxy_count
        vars(app)["wsgi_app"] = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)

    @app.before_request
    def guard() -> Response | None:
        if not is_known_host(request.environ.get("HTTP_HOST", ""), config):
            return Response(status=421, content_type="text/plain; charset=utf-8")
        _refuse_large_headers()
        if request.method not in SAFE_METHODS:
            _refuse_foreign_writes()
        return None

    return CSRFProtect(app)


def is_known_host(host: str, config: Config) -> bool:
    """Whether ``host`` (a Host header) names this server.

    A page of another site that points its own name at 127.0.0.1 (DNS rebinding) is turned away by this.
    The loopback names need our port (any, while none is fixed); a configured name without a port may come with any.
    """
    parts = _HOST.fullmatch(host.lower())
    if parts is None:
        return False
    name, port = parts["name"], parts["port"]
    if name in LOOPBACK_NAMES and config.port in (0, int(port or 80)):
        return True
    allowed = {entry.lower() for entry in config.allowed_hosts}
    return host.lower() in allowed or name in allowed


def is_api_path(path: str) -> bool:
    """Whether ``path`` is answered in JSON."""
    return path == "/health" or path.startswith(("/api/", "/v1/"))


def _refuse_large_headers() -> None:
    names = [name for name in request.environ if name.startswith("HTTP_")]
    size = sum(len(name) + len(str(request.environ[name])) for name in names)
    if len(names) > MOST_HEADERS or size > LARGEST_HEADERS_BYTES:
        raise RequestHeaderFieldsTooLarge()


def _refuse_foreign_writes() -> None:
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site not in (None, "same-origin", "none"):
        raise ForeignOrigin()
    # A browser under `Referrer-Policy: no-referrer` sends "null" with our own forms too; where it does not say
    # Sec-Fetch-Site (plain HTTP on a network), the form's token alone decides, and the API has no such forms.
    is_null_harmless = site is not None or not is_api_path(request.path)
    if origin == "null" and not is_null_harmless:
        raise ForeignOrigin()
    if origin not in (None, "null") and not _is_own_origin(str(origin)):
        raise ForeignOrigin()
    if is_api_path(request.path):
        _refuse_form_bodies()


def _is_own_origin(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == request.host.lower()


def _refuse_form_bodies() -> None:
    """A foreign page can send forms and plain text without asking first, but not JSON; so the API takes JSON only."""
    has_body = bool(request.content_length) or "chunked" in request.headers.get("Transfer-Encoding", "")
    if (has_body or request.mimetype) and request.mimetype != "application/json":
        raise UnsupportedMediaType("Send JSON, with the header Content-Type: application/json.")
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("Send the body as it is, not compressed: without the header Content-Encoding.")
