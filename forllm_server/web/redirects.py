"""Where a person may be sent after an act: to a page of ours, never anywhere else."""

import re
from urllib.parse import unquote

_CONTROL = re.compile(r"[\x00-\x20\x7f]")


def safe_next(address: str | None, default: str = "/") -> str:
    """``address`` when it is a plain path of this site, else ``default``.

    Refused are other sites in every spelling that a browser understands: ``//host``, ``/\\host``, encoded slashes,
    schemes, and control characters (which browsers drop, or which would break the header).
    """
    return address if address and _is_plain_path(address) else default


def _is_plain_path(address: str) -> bool:
    for spelling in (address, unquote(address), unquote(unquote(address))):
        if not spelling.startswith("/") or spelling.startswith("//") or "\\" in spelling:
            return False
        path = spelling.partition("?")[0]
        if "//" in path or _CONTROL.search(path):
            return False
    return _CONTROL.search(address) is None
