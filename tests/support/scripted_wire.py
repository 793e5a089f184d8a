"""One HTTP answer in one server's words, written byte by byte, so that every way to get it wrong can be played."""

import json
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

PROTOCOLS = ("ollama", "openai", "llama_cpp")
STREAM_TYPES = {"ollama": "application/x-ndjson", "openai": "text/event-stream", "llama_cpp": "text/event-stream"}


@dataclass
class Counts:
    """What the last event of an answer reports."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


@dataclass
class Wire:
    """The connection of one request. Closed by the server when the script ends."""

    connection: socket.socket
    protocol: str
    body: dict[str, Any] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    line_end: bytes = b"\n"
    is_chunked: bool = False

    def raw(self, data: bytes) -> None:
        self.connection.sendall(data)

    def head(
        self, status: int = 200, content_type: str | None = None, *, length: int | None = None, **headers: str
    ) -> None:
        """The status line and headers; without a length the body is chunked."""
        self.is_chunked = length is None
        lines = [
            f"HTTP/1.1 {status} Scripted",
            f"Content-Type: {content_type or STREAM_TYPES[self.protocol]}",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
            "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}",
            "Connection: close",
        ]
        self.raw("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")

    def write(self, data: bytes) -> None:
        """A piece of the body."""
        self.raw(f"{len(data):x}\r\n".encode() + data + b"\r\n" if self.is_chunked else data)

    def end(self) -> None:
        """The end of the body."""
        if self.is_chunked:
            self.raw(b"0\r\n\r\n")

    def json(self, value: Any, status: int = 200, **headers: str) -> None:
        """A whole answer of one JSON value."""
        self.whole(json.dumps(value).encode(), "application/json", status, **headers)

    def whole(self, data: bytes, content_type: str, status: int = 200, **headers: str) -> None:
        self.head(status, content_type, length=len(data), **headers)
        self.write(data)

    def reset(self) -> None:
        """RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    # -- the protocol's own words

    def event(self, value: Any) -> bytes:
        return self.line(json.dumps(value).encode())

    def line(self, data: bytes) -> bytes:
        """One event or line around data that may not be JSON."""
        if self.protocol == "ollama":
            return data + self.line_end
        return b"data: " + data + self.line_end * 2

    def token(self, text: str) -> None:
        self.write(self.event(self.said(text)))

    def thought(self, text: str) -> None:
        name = "thinking" if self.protocol == "ollama" else "reasoning_content"
        self.write(self.event(self.said(None, **{name: text})))

    def said(self, text: str | None, **more: Any) -> dict[str, Any]:
        """The event that carries a piece of the answer."""
        if self.protocol == "ollama":
            message = {"role": "assistant", "content": text or "", **more}
            return {"model": self.model, "created_at": _AT, "message": message, "done": False}
        return self._chunk({"content": text, **more} if text is not None or not more else more, None)

    def finish(self, reason: str | None = "stop") -> None:
        """The finish reason and the usage, as the real servers order them."""
        if self.protocol == "ollama":
            self.write(self.event(self.done(reason)))
            return
        self.write(self.event(self._chunk({}, reason)))
        wants_usage = bool((self.body.get("stream_options") or {}).get("include_usage"))
        if wants_usage:
            self.write(self.event(self._chunk(None, None) | self.usage()))
        self.write(b"data: [DONE]" + self.line_end * 2)

    def done(self, reason: str | None) -> dict[str, Any]:
        """Ollama's last line; durations in nanoseconds."""
        message = {"role": "assistant", "content": ""}
        return {"model": self.model, "created_at": _AT, "message": message, "done": True, "done_reason": reason} | {
            "total_duration": 3_000_000_000,
            "load_duration": 500_000_000,
            "prompt_eval_count": self.counts.prompt_tokens,
            "prompt_eval_duration": 1_000_000_000,
            "eval_count": self.counts.completion_tokens,
            "eval_duration": 1_500_000_000,
        }

    def usage(self) -> dict[str, Any]:
        """`usage`, and for llama.cpp `timings` in milliseconds."""
        counts = self.counts
        told: dict[str, Any] = {
            "usage": {
                "prompt_tokens": counts.prompt_tokens,
                "completion_tokens": counts.completion_tokens,
                "total_tokens": counts.prompt_tokens + counts.completion_tokens,
                "prompt_tokens_details": {"cached_tokens": counts.cached_tokens},
            }
        }
        if self.protocol == "llama_cpp":
            told["timings"] = {
                "cache_n": counts.cached_tokens,
                "prompt_n": counts.prompt_tokens - counts.cached_tokens,
                "prompt_ms": 1000.0,
                "predicted_n": counts.completion_tokens,
                "predicted_ms": 1500.0,
            }
        return told

    def progress(self, total: int, read: int) -> None:
        """llama.cpp's prompt progress, where it was asked for."""
        if self.protocol == "llama_cpp" and self.body.get("return_progress"):
            told = {"total": total, "cache": 0, "processed": read, "time_ms": 1}
            self.write(
                self.event(self._chunk({"role": "assistant", "content": None}, None) | {"prompt_progress": told})
            )

    def whole_answer(self, text: str, thinking: str, reason: str) -> dict[str, Any]:
        """The answer to a request that does not stream."""
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if self.protocol == "ollama":
            return self.done(reason) | {"message": message | ({"thinking": thinking} if thinking else {})}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": self.model,
            "choices": [choice],
        } | (self.usage())

    @property
    def model(self) -> str:
        return str(self.body.get("model", "scripted"))

    def _chunk(self, delta: dict[str, Any] | None, reason: str | None) -> dict[str, Any]:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": self.model,
            "choices": choices,
        }


_AT = "2026-11-21T12:00:00Z"
