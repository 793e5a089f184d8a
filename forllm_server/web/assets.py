"""Static files under addresses that change with their content, so that a browser may keep them for ever.

The address is ``/static/<digest>/<path>`` with one digest over the whole tree: ES modules can then import each other
by relative paths, without an import map (which would have to stand inline, and inline scripts are forbidden).

Texts go compressed to whoever takes that; the style sheet goes as one file, its imports in their places, so that a
page need not wait for fifty.
"""

import gzip
import mimetypes
import re
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from flask import Flask, Response, abort, request, send_from_directory
from werkzeug.security import safe_join

FOR_EVER = "public, max-age=31536000, immutable"

#: Some systems' registries name these wrongly, and with nosniff a browser then refuses them.
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}

#: Suffixes of what becomes much smaller.
_TEXTS = frozenset({".js", ".css", ".svg", ".webmanifest"})
#: Style sheets that consist of imports.
_BUNDLES = frozenset({"css/layers.css"})
_IMPORT = re.compile(r'@import url\("([^":]+)"\);\n?')

#: Comments that stand on lines of their own; browsers do without them.
_COMMENTS = {
    ".js": re.compile(r"^ *//.*\n", re.MULTILINE),
    ".css": re.compile(r"^ */\*.*?\*/\n", re.MULTILINE | re.DOTALL),
}


def install(app: Flask, directory: Path, *, is_debug: bool) -> None:
    """Serve the files of ``directory``, and give templates ``asset("css/app.css")``."""
    for suffix, mimetype in _TYPES.items():
        mimetypes.add_type(mimetype, suffix)
    digest = tree_digest(directory)
    app.jinja_env.globals["asset"] = _addresses(digest)
    texts = _Texts(directory, is_bundling=not is_debug)

    @app.get("/static/<version>/<path:name>", endpoint="static")
    def static(version: str, name: str) -> Response:
        response = texts.answer(name) or send_from_directory(directory, name)
        # Under an old digest (a page from before an update) the file of today is right, but not to be kept.
        is_lasting = version == digest and not is_debug
        response.headers["Cache-Control"] = FOR_EVER if is_lasting else "no-cache"
        return response


class _Texts:
    """Style sheets, scripts and drawings, bundled and compressed once and kept until the file changes."""

    def __init__(self, directory: Path, *, is_bundling: bool) -> None:
        self._directory = directory
        self._is_bundling = is_bundling
        self._kept: dict[tuple[str, int], bytes] = {}

    def answer(self, name: str) -> Response | None:
        """The text of that name for the present request; None when the file goes as it is."""
        found = safe_join(str(self._directory), name)
        if found is None or not (file := Path(found)).is_file():
            abort(404)
        is_packed = request.accept_encodings.quality("gzip") > 0 and file.suffix in _TEXTS
        if not is_packed and name not in _BUNDLES:
            return None
        packed = self._packed(name, file)
        response = Response(packed if is_packed else gzip.decompress(packed))
        response.content_type = f"{_TYPES[file.suffix]}; charset=utf-8"
        response.vary.add("Accept-Encoding")
        if is_packed:
            response.content_encoding = "gzip"
        response.add_etag()
        response.make_conditional(request)
        return response

    def _packed(self, name: str, file: Path) -> bytes:
        key = (name, file.stat().st_mtime_ns)
        if key not in self._kept:
            text = self._read(name, file)
            self._kept[key] = gzip.compress(text, mtime=0)
        return self._kept[key]

    def _read(self, name: str, file: Path) -> bytes:
        if not self._is_bundling or name.startswith("vendor/"):
            return file.read_bytes()
        text = bundled(file) if name in _BUNDLES else file.read_text("utf-8")
        return _COMMENTS[file.suffix].sub("", text).encode() if file.suffix in _COMMENTS else text.encode()


def bundled(file: Path) -> str:
    """A style sheet with the style sheets that it imports, each once, in the place of its import."""
    text = file.read_text("utf-8")
    return _IMPORT.sub(lambda found: (file.parent / found[1]).read_text("utf-8"), text)


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
