"""Looking for model servers on this machine."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest

from forllm_server.catalog.discovery import look_at_loopback, recognise
from forllm_server.catalog.model import BackendKind
from forllm_server.db import Database
from tests.catalog.loopback import served
from tests.catalog.world import add
from tests.support.scripted_server import ScriptedServer

OLLAMA = {"/": "Ollama is running", "/api/version": {"version": "0.33.1"}, "/api/tags": {"models": []}}
LLAMA_CPP = {
    "/": "<html>llama.cpp</html>",
    "/props": {"default_generation_settings": {"n_ctx": 4096}, "build_info": "b6990-abc"},
    "/api/tags": {"models": []},
    "/v1/models": {"data": []},
}
VLLM = {"/v1/models": {"object": "list", "data": [{"id": "m", "owned_by": "vllm"}]}}


@pytest.mark.parametrize(
    ("routes", "kind", "name", "version", "path"),
    [
        (OLLAMA, BackendKind.OLLAMA, "Ollama", "0.33.1", ""),
        (LLAMA_CPP, BackendKind.LLAMA_CPP, "llama.cpp", "b6990-abc", ""),
        (VLLM, BackendKind.OPENAI_COMPATIBLE, "vLLM", None, "/v1"),
    ],
)
def test_a_server_is_recognised_by_what_it_answers(
    routes: dict[str, Any], kind: BackendKind, name: str, version: str | None, path: str
) -> None:
    with served(routes) as port:
        found = recognise(port)
    assert found is not None
    assert (found.kind, found.name, found.version) == (kind, name, version)
    assert found.base_url == f"http://127.0.0.1:{port}{path}"


@pytest.mark.parametrize(
    "routes",
    [
        {},
        {"/": "<html>A web page</html>", "/v1/models": "<html>not here</html>"},
        {"/v1/models": {"error": "no"}},
        {"/v1/models": "[" * 100_000},
        {"/v1/models": b"\xff\xfe", "/props": "null"},
        {"/v1/models": '{"data": [' + " " * 400_000 + "]}"},
        {"/": 302, "/props": 302, "/v1/models": 302},
    ],
)
def test_what_is_no_model_server_is_passed_over(routes: dict[str, Any]) -> None:
    with served(routes) as port:
        assert recognise(port) is None


def test_a_hostile_version_is_not_shown() -> None:
    with served(OLLAMA | {"/api/version": {"version": "\x1b[31m" * 50}}) as port:
        found = recognise(port)
    assert found is not None
    assert found.version is None


def test_servers_are_found_in_the_order_of_the_ports_without_those_added(sqlite_database: Database) -> None:
    with served(OLLAMA) as one, served(VLLM) as two, served(LLAMA_CPP) as three:
        found = look_at_loopback(ports=[three, two, _closed_port(), one])
        assert [suggestion.name for suggestion in found] == ["llama.cpp", "vLLM", "Ollama"]
        with sqlite_database.transaction() as connection:
            known = [
                add(connection, base_url=f"http://localhost:{one}"),
                add(connection, name="Elsewhere", base_url=f"http://workshop.lan:{two}"),
            ]
        assert [suggestion.name for suggestion in look_at_loopback(known, ports=[one, two])] == ["vLLM"]
        assert look_at_loopback(known, ports=[one]) == []


def test_ports_where_nobody_or_a_silent_one_listens_cost_little_time() -> None:
    with _dribbling() as silent:
        began = monotonic()
        assert look_at_loopback(ports=[_closed_port(), silent]) == []
        assert monotonic() - began < 15


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _dribbling() -> Iterator[int]:
    """A server that begins an answer and then sends a byte now and then, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.2)
    is_over = False

    def answer(peer: socket.socket) -> None:
        with peer:
            try:
                peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while not is_over:
                    peer.sendall(b"x")
                    sleep(0.3)
            except OSError:
                return

    def accept() -> None:
        while not is_over:
            try:
                peer, _ = listener.accept()
            except OSError:
                continue
            Thread(target=answer, args=(peer,), daemon=True).start()

    thread = Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        is_over = True
        thread.join()
        listener.close()


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [
        ("ollama", BackendKind.OLLAMA),
        ("llama_cpp", BackendKind.LLAMA_CPP),
        ("openai", BackendKind.OPENAI_COMPATIBLE),
    ],
)
def test_the_scripted_servers_are_recognised_as_what_they_speak(protocol: str, kind: BackendKind) -> None:
    with ScriptedServer(protocol) as server:
        found = recognise(int(server.url.rsplit(":", 1)[1]))
    assert found is not None
    assert found.kind is kind
