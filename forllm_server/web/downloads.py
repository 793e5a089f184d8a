"""Giving files away that strangers made: always as a download, under a policy that allows nothing."""

from collections.abc import Iterator
from urllib.parse import quote

from flask import Response

from forllm_server.web.etag import unchanged, with_version
from forllm_server.web.headers import contain

#: What is told of a file that no page may show.
NO_TYPE = "application/octet-stream"


def download(pieces: Iterator[bytes], *, name: str, media_type: str, size_bytes: int, digest: str) -> Response:
    """The file in ``pieces`` to whoever does not have it yet. ``media_type`` is :data:`NO_TYPE` or a picture's own."""
    contain()
    response = unchanged(digest)
    if response is None:
        response = with_version(Response(pieces, content_type=media_type), digest)
        response.content_length = size_bytes
        response.headers["Content-Disposition"] = disposition(name)
    # Asked for anew each time, at the cost of one small read: what was removed is gone at once.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def disposition(name: str) -> str:
    """The header that makes it a download (RFC 6266): a plain name for old programs, the true one for all others."""
    plain = "".join(letter if _is_plain(letter) else "_" for letter in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _is_plain(letter: str) -> bool:
    return letter.isascii() and letter.isprintable() and letter not in '"\\%'
