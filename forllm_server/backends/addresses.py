"""A server's address as people type it, made into one that requests can be built on. Pure."""

import re
from urllib.parse import urlsplit

from forllm_server.backends.faults import BadAddress

_VERSIONED = re.compile(r"/v\d")
_ENDPOINTS = ("/chat/completions", "/completions", "/models", "/api/chat", "/api/generate", "/api/tags")


def root_url(typed: str) -> str:
    """The server without `/v1`, `/api` or an endpoint: http://host:port[/prefix]. Raises BadAddress."""
    url = _tidy(typed)
    for ending in ("/v1", "/api"):
        url = url.removesuffix(ending)
    return url


def openai_url(typed: str) -> str:
    """The base that `/chat/completions` is appended to; `/v1` is added where no version is in the path."""
    url = _tidy(typed)
    path = urlsplit(url).path
    return url if _VERSIONED.search(path) else url + "/v1"


def _tidy(typed: str) -> str:
    url = typed.strip()
    if url and "://" not in url:
        url = f"http://{url}"
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise BadAddress(field="base_url") from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise BadAddress(field="base_url")
    if parts.username or parts.password:
        raise BadAddress("The address contains a name or password. Enter it as the key instead.", field="base_url")
    path = parts.path.rstrip("/")
    for endpoint in _ENDPOINTS:
        path = path.removesuffix(endpoint)
    return f"{parts.scheme.lower()}://{parts.netloc}{path}".rstrip("/")
