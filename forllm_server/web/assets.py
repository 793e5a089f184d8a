"""Static files under addresses that change with their content, so that a browser may keep them for ever.

The address is ``/static/<digest>/<path>`` with one digest over the whole tree: ES modules can then import each other
by relative paths, without an import map (which would have to stand inline, and inline scripts are forbidden).
"""

import mimetypes
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from flask import Flask, Response, send_from_directory

FOR_EVER = "public, max-age=31536000, immutable"

#: Some systems' registries name these wrongly, and with nosniff a browser then refuses them.
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}


def install(app: Flask, directory: Path, *, is_debug: bool) -> None:
    """Serve the files of ``directory``, and give templates ``asset("css/app.css")``."""
    for suffix, mimetype in _TYPES.items():
        mimetypes.add_type(mimetype, suffix)
    digest = tree_digest(directory)
    app.jinja_env.globals["asset"] = _addresses(digest)

    @app.get("/static/<version>/<path:name>", endpoint="static")
    def static(version: str, name: str) -> Response:
        response = send_from_directory(directory, name)
        # Under an old digest (a page from before an update) the file of today is right, but not to be kept.
        is_lasting = version == digest and not is_debug
        response.headers["Cache-Control"] = FOR_EVER if is_lasting else "no-cache"
        return response


def tree_digest(directory: Path) -> str:
    """Twelve hexadecimal digits that change when any file in ``directory`` is changed, added, renamed or removed."""
    digest = blake2b(digest_size=6)
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(directory).as_posix().encode() + b"\0")
            digest.update(blake2b(path.read_bytes()).digest())
    return digest.hexdigest()


def _addresses(digest: str) -> Callable[[str], str]:
    def asset(name: str) -> str:
        return f"/static/{digest}/{name}"

    return asset
