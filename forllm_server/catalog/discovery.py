"""Looking for model servers on this machine, at the ports where they usually are.

Only loopback is looked at, only with GET, and nothing is added by itself: what answers is offered.
"""

import json
import socket
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from forllm_server.catalog.addresses import is_loopback
from forllm_server.catalog.model import BackendKind, BackendRecord, Suggestion
from forllm_server.clock import monotonic

#: Ollama; llama-server and llamafile; LM Studio; vLLM; text-generation-webui and others.
USUAL_PORTS = (11434, 8080, 1234, 8000, 5000)

_CONNECT_SECONDS = 0.5
#: A server that is there but busy loading a model answers its small routes within this.
_ANSWER_SECONDS = 1.0
_MOST_BYTES = 256 * 1024


def look_at_loopback(known: Iterable[BackendRecord] = (), *, ports: Sequence[int] = USUAL_PORTS) -> list[Suggestion]:
    """The model servers that answer on this machine and are not among ``known``, in the order of ``ports``.

    Takes at most a few seconds, for the ports are tried at the same time. Recognition: Ollama by the text of ``GET /``
    and by ``/api/version`` (never by ``/api/tags``, which older llama-servers answer too), llama.cpp by ``/props``,
    anything else by ``/v1/models``.
    """
    taken = {_port(record.base_url) for record in known if is_loopback(record.base_url)}
    open_to_look = [port for port in ports if port not in taken]
    if not open_to_look:
        return []
    with ThreadPoolExecutor(max_workers=len(open_to_look), thread_name_prefix="discovery") as pool:
        found = list(pool.map(recognise, open_to_look))
    return [suggestion for suggestion in found if suggestion is not None]


def recognise(port: int) -> Suggestion | None:
    """What serves models at this loopback port, or None."""
    if not _is_listening(port):
        return None
    base_url = f"http://127.0.0.1:{port}"
    with requests.Session() as session:
        session.trust_env = False
        for look in _LOOKS:
            suggestion = look(session, base_url)
            if suggestion is not None:
                return suggestion
    return None


def _ollama(session: requests.Session, base_url: str) -> Suggestion | None:
    if "ollama is running" not in _text(session, f"{base_url}/").lower():
        return None
    version = _json(session, f"{base_url}/api/version").get("version")
    return Suggestion(BackendKind.OLLAMA, base_url, "Ollama", _short(version))


def _llama_cpp(session: requests.Session, base_url: str) -> Suggestion | None:
    props = _json(session, f"{base_url}/props")
    if "default_generation_settings" not in props and "total_slots" not in props:
        return None
    return Suggestion(BackendKind.LLAMA_CPP, base_url, "llama.cpp", _short(props.get("build_info")))


def _openai_compatible(session: requests.Session, base_url: str) -> Suggestion | None:
    models = _json(session, f"{base_url}/v1/models").get("data")
    if not isinstance(models, list):
        return None
    owners = {str(model.get("owned_by", "")) for model in models if isinstance(model, dict)}
    if "vllm" in owners:
        name = "vLLM"
    elif _port(base_url) == 1234:
        name = "LM Studio"
    else:
        name = f"Model server at port {_port(base_url)}"
    return Suggestion(BackendKind.OPENAI_COMPATIBLE, f"{base_url}/v1", name, None)


_LOOKS: tuple[Callable[[requests.Session, str], Suggestion | None], ...] = (_ollama, _llama_cpp, _openai_compatible)


def _is_listening(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_CONNECT_SECONDS):
            return True
    except OSError:
        return False


def _text(session: requests.Session, url: str) -> str:
    """The beginning of a plain 200 answer; empty for anything else."""
    try:
        with session.get(
            url, timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS), allow_redirects=False, stream=True
        ) as response:
            if response.status_code != 200:
                return ""
            body = _body(response)
    except (requests.RequestException, HTTPError, OSError, ValueError):
        return ""
    return body.decode("utf-8", errors="replace")


def _body(response: requests.Response) -> bytes:
    """The whole body; empty when it is too large or dribbles in for longer than the patience."""
    patience_ends = monotonic() + _ANSWER_SECONDS
    body = bytearray()
    while piece := response.raw.read1(_MOST_BYTES, decode_content=True):
        body += piece
        if len(body) > _MOST_BYTES or monotonic() > patience_ends:
            return b""
    return bytes(body)


def _json(session: requests.Session, url: str) -> dict[str, Any]:
    try:
        value = json.loads(_text(session, url) or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _short(version: object) -> str | None:
    return version[:60] if isinstance(version, str) and version.isprintable() else None


def _port(base_url: str) -> int | None:
    parts = urlsplit(base_url)
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)
