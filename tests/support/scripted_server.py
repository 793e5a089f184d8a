"""A real HTTP server that speaks Ollama's, OpenAI's or llama.cpp's protocol from a script.

    with ScriptedServer("ollama") as server:
        server.script(Script(tokens=("Hello", " there")))
        ...  # use server.url
        assert server.requests[-1].body["model"] == "scripted"

Clear `server.gate` and the next token waits for it; `server.asked` is set when a generation begins,
`server.hung_up` when a client leaves before the end. As a process:
`python -m tests.support.scripted_server --port 11434 --protocol ollama --tokens 200 --delay 0.05`.
"""

import argparse
import contextlib
import json
import math
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from tests.support.scripted_wire import PROTOCOLS, Counts, Wire

CHAT_PATHS = {"ollama": "/api/chat", "openai": "/v1/chat/completions", "llama_cpp": "/v1/chat/completions"}


@dataclass(frozen=True)
class Script:
    """One answer. `write`, when given, plays the whole answer instead (the faults do)."""

    tokens: tuple[str, ...] = ("Hello", ",", " world", ".")
    thinking: tuple[str, ...] = ()
    #: seconds before the first token, and before each token
    first_delay: float = 0.0
    delay: float = 0.0
    finish_reason: str = "stop"
    cached_tokens: int = 0
    prompt_tokens: int | None = None
    write: Callable[[Wire], None] | None = None


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class ScriptedServer:
    """See the module. `answer` may make the script from the request's body."""

    protocol: str = "openai"
    port: int = 0
    models: tuple[str, ...] = ("scripted",)
    context_tokens: int = 4096
    api_key: str | None = None
    default: Script = field(default_factory=Script)
    #: whether an assistant message at the end of the prompt is continued, where the request asks for it rightly;
    #: without it such a prompt is answered from the beginning, as a model with another template does
    may_continue: bool = True
    answer: Callable[[dict[str, Any]], Script] | None = None
    requests: list[Received] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert self.protocol in PROTOCOLS
        self.gate, self.asked, self.hung_up = threading.Event(), threading.Event(), threading.Event()
        self.gate.set()
        self.running = 0
        self.most_running = 0
        self._scripts: deque[Script] = deque()
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self._connections: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._accept, name="scripted", daemon=True)
        self._thread.start()

    def script(self, *scripts: Script) -> None:
        """The next answers, in this order; after them `default` again."""
        self._scripts.extend(scripts)

    @property
    def chats(self) -> list[dict[str, Any]]:
        """The bodies of the generations asked for."""
        return [received.body for received in self.requests if received.path == CHAT_PATHS[self.protocol]]

    def close(self) -> None:
        self._is_closed.set()
        self.gate.set()
        # A closed listener does not wake the thread that waits in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def pause(self, seconds: float) -> bool:
        """Wait, but not beyond the server's end; whether it ended."""
        return self._is_closed.wait(seconds)

    def _accept(self) -> None:
        while not self._is_closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), name="scripted-client", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as reader:
                received = _read_request(reader)
                if received is not None:
                    self.requests.append(received)
                    body = received.body if isinstance(received.body, dict) else {}
                    self._respond(received, Wire(connection, self.protocol, body))
                    _linger(connection)
        except (OSError, ValueError):
            self.hung_up.set()
        finally:
            with self._lock:
                self._connections.discard(connection)

    def _respond(self, received: Received, wire: Wire) -> None:
        if self.api_key and received.headers.get("authorization") != f"Bearer {self.api_key}":
            wire.json({"error": {"message": "Invalid API key", "type": "authentication_error"}}, 401)
        elif received.method == "POST" and received.path == CHAT_PATHS[self.protocol]:
            self._generate(wire)
        else:
            reply = _small_answers(self, received)
            wire.json({"error": "not found"}, 404) if reply is None else wire.json(reply)

    def _generate(self, wire: Wire) -> None:
        with self._lock:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            script = self._scripts.popleft() if self._scripts else None
        self.asked.set()
        try:
            self._play(script or (self.answer(wire.body) if self.answer else self.default), wire)
        finally:
            with self._lock:
                self.running -= 1

    def _play(self, script: Script, wire: Wire) -> None:
        prompt = script.prompt_tokens
        if prompt is None:
            prompt = sum(count_tokens(str(turn.get("content"))) for turn in wire.body.get("messages", []))
        limit = _limit(wire.body)
        written = rest_of(script.tokens, self._prefix(wire.body))
        tokens = written if limit is None else written[:limit]
        reason = script.finish_reason if len(tokens) == len(written) else "length"
        wire.counts = Counts(prompt, script.cached_tokens, len(tokens) + len(script.thinking))
        if script.write is not None:
            script.write(wire)
        elif self._is_too_long(wire, prompt):
            return
        elif wire.body.get("stream", self.protocol == "ollama"):
            self._stream(script, tokens, reason, wire)
        else:
            wire.json(wire.whole_answer("".join(tokens), "".join(script.thinking), reason))

    def _prefix(self, body: Mapping[str, Any]) -> str:
        """The beginning of the answer that the request brings along."""
        last = (body.get("messages") or [{}])[-1]
        is_asked = self.protocol != "openai" or bool(body.get("continue_final_message"))
        return str(last.get("content")) if self.may_continue and is_asked and last.get("role") == "assistant" else ""

    def _stream(self, script: Script, tokens: tuple[str, ...], reason: str, wire: Wire) -> None:
        wire.head()
        wire.progress(wire.counts.prompt_tokens, 0)
        self._wait(script.first_delay, wire)
        wire.progress(wire.counts.prompt_tokens, wire.counts.prompt_tokens)
        for thought in script.thinking:
            self._wait(script.delay, wire)
            wire.thought(thought)
        for token in tokens:
            self._wait(script.delay, wire)
            wire.token(token)
        wire.finish(reason)
        wire.end()

    def _wait(self, seconds: float, wire: Wire) -> None:
        """The delay and the gate, noticing a client that left as a real server does. Raises ConnectionError."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at or not self.gate.is_set():
            if self._is_closed.is_set() or has_left(wire.connection):
                raise ConnectionAbortedError
            time.sleep(min(0.005, max(0.0, ends_at - time.monotonic())) if self.gate.is_set() else 0.005)
        if has_left(wire.connection):
            raise ConnectionAbortedError

    def _is_too_long(self, wire: Wire, prompt: int) -> bool:
        """Refuse a prompt that does not fit, in the server's own way."""
        options = wire.body.get("options") or {}
        context = int(options.get("num_ctx", self.context_tokens)) if self.protocol == "ollama" else self.context_tokens
        if prompt <= context:
            return False
        if self.protocol == "ollama":
            if wire.body.get("truncate", True):
                wire.counts.prompt_tokens = context
                return False
            wire.json({"error": "the input length exceeds the context length"}, 400)
        elif self.protocol == "llama_cpp":
            message = f"request ({prompt} tokens) exceeds the available context size ({context} tokens)"
            error = {"code": 400, "message": message, "type": "exceed_context_size_error"}
            wire.json({"error": error | {"n_prompt_tokens": prompt, "n_ctx": context}}, 400)
        else:
            message = f"This model's maximum context length is {context} tokens, but {prompt} were requested."
            error = {"message": message, "type": "invalid_request_error", "code": "context_length_exceeded"}
            wire.json({"error": error}, 400)
        return True


def rest_of(tokens: tuple[str, ...], prefix: str) -> tuple[str, ...]:
    """What is left to say of ``tokens`` when ``prefix`` has been said; all of it when that was something else."""
    if not prefix or not "".join(tokens).startswith(prefix):
        return tokens
    said = 0
    rest = []
    for token in tokens:
        rest.append(token[max(0, len(prefix) - said) :])
        said += len(token)
    return tuple(token for token in rest if token)


def count_tokens(text: str) -> int:
    """The scripted tokenizer: four characters a token."""
    return math.ceil(len(text) / 4)


def has_left(connection: socket.socket) -> bool:
    """Whether the client closed its side."""
    try:
        readable, _, _ = select.select([connection], [], [], 0)
        return bool(readable) and not connection.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True


def _small_answers(server: ScriptedServer, received: Received) -> Any:
    """Models, versions, token counts; None for what this protocol does not have."""
    body = received.body if isinstance(received.body, dict) else {}
    if server.protocol == "ollama":
        return _ollama_answer(server, received.path, body)
    if received.path == "/v1/models":
        return {"object": "list", "data": [_listed(server, name) for name in server.models]}
    if server.protocol == "llama_cpp":
        return _llama_answer(server, received.path, body)
    return None


def _ollama_answer(server: ScriptedServer, path: str, body: dict[str, Any]) -> Any:
    facts = {"general.architecture": "llama", "llama.context_length": 131072}
    details = {"format": "gguf", "family": "llama", "parameter_size": "135M", "quantization_level": "Q4_1"}
    known = [
        {"name": name, "model": name, "modified_at": "2026-11-21T12:00:00Z", "size": 98_362_432, "digest": "ab" * 32}
        | {"details": details}
        for name in server.models
    ]
    answers: dict[str, Any] = {
        "/": {"status": "Ollama is running"},
        "/api/version": {"version": "0.33.1"},
        "/api/tags": {"models": known},
        "/api/ps": {"models": []},
        "/api/generate": {"model": body.get("model"), "response": "", "done": True, "done_reason": "unload"},
    }
    if path == "/api/show" and body.get("model") in server.models:
        return {"model_info": facts, "capabilities": ["completion"], "details": details, "parameters": ""}
    return answers.get(path)


def _llama_answer(server: ScriptedServer, path: str, body: dict[str, Any]) -> Any:
    slot = {"id": 0, "n_ctx": server.context_tokens, "is_processing": False}
    turns = body.get("messages") or []
    answers: dict[str, Any] = {
        "/health": {"status": "ok"},
        "/slots": [slot],
        "/props": {"default_generation_settings": {"n_ctx": server.context_tokens}, "total_slots": 1}
        | {"model_path": f"/models/{server.models[0]}.gguf", "build_info": "b7000-scripted", "chat_template": ""},
        "/tokenize": {"tokens": list(range(count_tokens(str(body.get("content", "")))))},
        "/v1/chat/completions/input_tokens": {
            "object": "response.input_tokens",
            "input_tokens": sum(count_tokens(str(turn.get("content"))) for turn in turns),
        },
    }
    return answers.get(path)


def _listed(server: ScriptedServer, name: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": name, "object": "model", "created": 1}
    if server.protocol == "llama_cpp":
        meta = {"n_ctx": server.context_tokens, "n_ctx_train": 131072, "size": 98_362_432, "n_params": 134_515_008}
        return entry | {"owned_by": "llamacpp", "meta": meta}
    return entry | {"owned_by": "vllm", "max_model_len": server.context_tokens}


def _limit(body: dict[str, Any]) -> int | None:
    options = body.get("options") or {}
    for value in (options.get("num_predict"), body.get("max_tokens"), body.get("max_completion_tokens")):
        if isinstance(value, int) and value >= 0:
            return value
    return None


def _read_request(reader: Any) -> Received | None:
    first = reader.readline(65_536).decode("latin-1").split()
    if len(first) < 2:
        return None
    headers: dict[str, str] = {}
    while (line := reader.readline(65_536).strip()) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    data = reader.read(int(headers.get("content-length", 0)))
    return Received(first[0], first[1].partition("?")[0], headers, json.loads(data) if data else None)


def _linger(connection: socket.socket) -> None:
    """Let the client read everything: a close with unread bytes would reset the connection."""
    try:
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        return


def main() -> None:
    """Run one server until it is ended."""
    parser = argparse.ArgumentParser(description="A scripted model server.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--protocol", choices=PROTOCOLS, default="openai")
    parser.add_argument("--tokens", type=int, default=40, help="number of tokens in each answer")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each token")
    parser.add_argument("--model", action="append", help="name of a model; may be given several times")
    chosen = parser.parse_args()
    tokens = tuple(f"word{number} " for number in range(1, chosen.tokens + 1))
    script = Script(tokens=tokens, delay=chosen.delay)
    models = tuple(chosen.model or ["scripted"])
    with ScriptedServer(chosen.protocol, chosen.port, models=models, default=script) as server:
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
