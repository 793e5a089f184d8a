"""Every way a model server goes wrong, played on the wire, with the end state each must reach.

A client takes a fault's `play` as `Script(write=fault.play)`. `end` is what must come of it.
"""

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tests.support.scripted_wire import PROTOCOLS, Wire

THOUGHT = "SECRET-THOUGHT"
SECRET = "sk-very-secret-0123456789"
HOSTILE = '</script><script>alert(1)</script>\r\ndata: [DONE]\r\n\u202e {"error": "no"} ```<think>x</think>'
_EVENTS = ("openai", "llama_cpp")


class End(Enum):
    """What must come of an answer."""

    SUCCESS = "the text is exact"
    RETRY = "a transient error"
    WAIT = "a transient error that says when to come back"
    PERMANENT = "a permanent error"
    EMPTY = "the error empty_answer"
    CUT = "a permanent error, within bounded memory"


@dataclass(frozen=True)
class Fault:
    """One fault. `text`, `thinking` and `finish_reason` are demanded of a success, `code` of an error."""

    name: str
    end: End
    play: Callable[[Wire], None]
    code: str | None = None
    text: str = "Hello, world."
    thinking: str = ""
    finish_reason: str = "stop"
    protocols: tuple[str, ...] = PROTOCOLS
    #: the client's silence limit has to pass before it notices
    is_silent: bool = False


FAULTS: list[Fault] = []


def fault(end: End, **demanded: Any) -> Callable[[Callable[[Wire], None]], Callable[[Wire], None]]:
    """Register a function as the fault of its name."""

    def register(play: Callable[[Wire], None]) -> Callable[[Wire], None]:
        FAULTS.append(Fault(play.__name__, end, play, **demanded))
        return play

    return register


def say(wire: Wire, *tokens: str) -> None:
    for token in tokens or ("Hello", ", world", "."):
        wire.token(token)


def finish(wire: Wire, reason: str = "stop") -> None:
    wire.finish(reason)
    wire.end()


def hang(wire: Wire) -> None:
    """Say nothing until the client leaves."""
    wire.connection.settimeout(60)
    wire.connection.recv(1)


# -- transient


@fault(End.RETRY, code="cut_off")
def refuse_rst(wire: Wire) -> None:
    wire.reset()


@fault(End.RETRY, code="cut_off")
def empty_reply(wire: Wire) -> None:
    return


@fault(End.RETRY, code="cut_off")
def rst_mid_stream(wire: Wire) -> None:
    wire.head()
    say(wire)
    wire.reset()


@fault(End.RETRY, code="cut_off")
def truncated_chunked(wire: Wire) -> None:
    wire.head()
    say(wire)
    wire.raw(b"400\r\nhalf a chunk")


@fault(End.RETRY, code="cut_off")
def eof_without_done(wire: Wire) -> None:
    wire.head()
    say(wire)
    wire.end()


@fault(End.RETRY, code="cut_off", protocols=_EVENTS)
def done_without_finish_reason(wire: Wire) -> None:
    wire.head()
    say(wire)
    wire.write(b"data: [DONE]\n\n")
    wire.end()


@fault(End.RETRY, code="cut_off", protocols=("ollama",))
def done_without_reason(wire: Wire) -> None:
    wire.head()
    say(wire)
    wire.finish(None)
    wire.end()


@fault(End.RETRY, code="cut_off")
def bad_chunk_size(wire: Wire) -> None:
    wire.head()
    say(wire)
    wire.raw(b"zz\r\nno number\r\n")


@fault(End.RETRY, code="cut_off")
def short_content_length(wire: Wire) -> None:
    wire.head(length=100_000)
    say(wire)


@fault(End.RETRY, code="busy")
def http_503(wire: Wire) -> None:
    wire.json({"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, 503)


@fault(End.RETRY, code="server_error")
def http_500_html(wire: Wire) -> None:
    wire.whole(b"<html><h1>Internal Server Error</h1><script>alert(1)</script></html>", "text/html", 500)


@fault(End.RETRY, code="server_error")
def error_in_stream(wire: Wire) -> None:
    wire.head()
    say(wire)
    message = "the model runner has unexpectedly stopped"
    wire.write(
        wire.event({"error": message if wire.protocol == "ollama" else {"message": message, "type": "server_error"}})
    )
    wire.end()


@fault(End.RETRY, code="unreadable")
def invalid_json(wire: Wire) -> None:
    wire.head()
    say(wire)
    wire.write(wire.line(b'{"choices": [{"delta": '))
    finish(wire)


@fault(End.RETRY, code="unreadable")
def html_200(wire: Wire) -> None:
    wire.whole(b"<!doctype html><title>Router</title><p>Please sign in", "text/html; charset=utf-8")


@fault(End.RETRY, code="silent", is_silent=True)
def hang_before_headers(wire: Wire) -> None:
    hang(wire)


@fault(End.RETRY, code="silent", is_silent=True)
def hang_after_headers(wire: Wire) -> None:
    wire.head()
    hang(wire)


@fault(End.RETRY, code="silent", is_silent=True)
def hang_mid_stream(wire: Wire) -> None:
    wire.head()
    say(wire)
    hang(wire)


@fault(End.RETRY, code="silent", is_silent=True)
def slowloris_bytes(wire: Wire) -> None:
    """A byte now and then is no sign of life when no line ever ends."""
    wire.head()
    wire.connection.settimeout(0.05)
    while True:
        wire.write(b"x")
        try:
            if not wire.connection.recv(1):
                return
        except TimeoutError:
            continue


# -- told when to come back


@fault(End.WAIT, code="busy")
def http_429_retry_after(wire: Wire) -> None:
    wire.json({"error": {"message": "Rate limit reached", "type": "rate_limit"}}, 429, Retry_After="7")


@fault(End.WAIT, code="busy")
def http_429_date(wire: Wire) -> None:
    wire.json({"error": {"message": "Rate limit"}}, 429, Retry_After="Fri, 13 Nov 2037 08:00:00 GMT")


# -- permanent


@fault(End.PERMANENT, code="model_missing")
def http_404_model(wire: Wire) -> None:
    message = 'model "nothing" not found, try pulling it first'
    wire.json({"error": message if wire.protocol == "ollama" else {"message": message, "type": "not_found"}}, 404)


@fault(End.PERMANENT, code="key_refused")
def http_401(wire: Wire) -> None:
    wire.json({"error": {"message": f"Incorrect API key provided: {SECRET}", "code": "invalid_api_key"}}, 401)


@fault(End.PERMANENT, code="context_exceeded")
def http_400_context(wire: Wire) -> None:
    message = "This model's maximum context length is 4096 tokens. However, your messages resulted in 27031 tokens."
    wire.json({"error": message if wire.protocol == "ollama" else {"message": message, "type": "invalid"}}, 400)


@fault(End.PERMANENT, code="refused")
def error_object_200(wire: Wire) -> None:
    message = f"this account is not active {SECRET}"
    wire.json({"error": message if wire.protocol == "ollama" else {"message": message}})


@fault(End.PERMANENT, code="unreadable")
def json_array(wire: Wire) -> None:
    wire.json([1, 2, 3])


@fault(End.PERMANENT, code="unreadable")
def json_array_in_stream(wire: Wire) -> None:
    wire.head()
    wire.write(wire.line(b"[1, 2]"))
    finish(wire)


@fault(End.PERMANENT, code="unreadable")
def json_null(wire: Wire) -> None:
    wire.json(None)


@fault(End.PERMANENT, code="unreadable")
def json_deep(wire: Wire) -> None:
    wire.head()
    wire.write(wire.line(b"[" * 200_000 + b"]" * 200_000))
    finish(wire)


@fault(End.PERMANENT, code="unreadable")
def json_nan(wire: Wire) -> None:
    wire.head()
    wire.write(wire.line(b'{"choices": NaN, "message": NaN}'))
    finish(wire)


@fault(End.PERMANENT, code="redirected")
def redirect_loop(wire: Wire) -> None:
    host, port = wire.connection.getsockname()
    wire.whole(b"", "text/plain", 302, Location=f"http://{host}:{port}/v1/chat/completions")


@fault(End.PERMANENT, code="redirected")
def redirect_metadata(wire: Wire) -> None:
    wire.whole(b"", "text/plain", 307, Location="http://169.254.169.254/latest/meta-data/")


@fault(End.PERMANENT, code="unreadable")
def huge_headers(wire: Wire) -> None:
    wire.raw(b"HTTP/1.1 200 OK\r\nX-Big: " + b"a" * 1_000_000 + b"\r\n\r\n")


@fault(End.PERMANENT, code="unreadable")
def many_headers(wire: Wire) -> None:
    wire.raw(b"HTTP/1.1 200 OK\r\n" + b"X-Many: a\r\n" * 5000 + b"\r\n")


@fault(End.PERMANENT, code="content_filtered")
def content_filter(wire: Wire) -> None:
    wire.head()
    say(wire)
    finish(wire, "content_filter")


# -- empty


@fault(End.EMPTY, protocols=_EVENTS)
def empty_choices(wire: Wire) -> None:
    wire.json({"id": "chatcmpl-1", "object": "chat.completion", "choices": []})


@fault(End.EMPTY)
def null_content(wire: Wire) -> None:
    wire.head()
    event = wire.said("x")
    (event["message"] if wire.protocol == "ollama" else event["choices"][0]["delta"])["content"] = None
    wire.write(wire.event(event))
    finish(wire)


@fault(End.EMPTY)
def empty_text(wire: Wire) -> None:
    wire.head()
    say(wire, "")
    finish(wire)


@fault(End.EMPTY)
def whitespace_only(wire: Wire) -> None:
    wire.head()
    say(wire, " \n", "\t\u00a0")
    finish(wire)


@fault(End.EMPTY)
def reasoning_only(wire: Wire) -> None:
    wire.head()
    wire.thought(THOUGHT)
    finish(wire)


@fault(End.EMPTY)
def unclosed_think_tag(wire: Wire) -> None:
    wire.head()
    say(wire, "<think>", THOUGHT, " and more")
    finish(wire, "length")


@fault(End.EMPTY)
def tool_calls_only(wire: Wire) -> None:
    wire.head()
    call = {"function": {"name": "search", "arguments": {} if wire.protocol == "ollama" else "{}"}}
    wire.write(wire.event(wire.said(None, tool_calls=[call])))
    finish(wire, "stop" if wire.protocol == "ollama" else "tool_calls")


# -- good but odd


@fault(End.SUCCESS)
def slow_first_token(wire: Wire) -> None:
    wire.head()
    wire.connection.settimeout(0.3)
    try:
        wire.connection.recv(1)
    except TimeoutError:
        say(wire)
        finish(wire)


@fault(End.SUCCESS)
def http10_no_length(wire: Wire) -> None:
    wire.raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    say(wire)
    wire.finish("stop")


@fault(End.SUCCESS)
def gzip_body(wire: Wire) -> None:
    plain = Recording(wire)
    say(plain)
    plain.finish("stop")
    wire.head(Content_Encoding="gzip")
    wire.write(gzip.compress(plain.written))
    wire.end()


@fault(End.SUCCESS)
def early_100_continue(wire: Wire) -> None:
    wire.raw(b"HTTP/1.1 100 Continue\r\n\r\n")
    wire.head()
    say(wire)
    finish(wire)


@fault(End.SUCCESS, text="Grüße 🦜 漢字")
def split_utf8(wire: Wire) -> None:
    """Characters as UTF-8, and a chunk for each byte."""
    wire.head()
    event = json.dumps(wire.said("Grüße 🦜 漢字"), ensure_ascii=False).encode()
    for byte in wire.line(event):
        wire.write(bytes([byte]))
    finish(wire)


@fault(End.SUCCESS)
def sse_crlf_comments(wire: Wire) -> None:
    wire.line_end = b"\r\n"
    wire.head()
    if wire.protocol != "ollama":
        wire.write(b": ping\r\n\r\nevent: message\r\nid: 7\r\n")
    say(wire)
    finish(wire)


@fault(End.SUCCESS, protocols=_EVENTS)
def sse_no_space_split(wire: Wire) -> None:
    """No space after `data:`, one event over two lines, and line ends cut in two by the network."""
    wire.head()
    head, tail = json.dumps(wire.said("Hello"), indent=1).split("\n", 1)
    lines = [head, *tail.split("\n")]
    wire.write("".join(f"data:{line}\r\n" for line in lines).encode()[:-1])
    wire.write(b"\n\r")
    wire.write(b"\n")
    say(wire, ", world", ".")
    finish(wire)


@fault(End.SUCCESS, protocols=_EVENTS)
def usage_chunk_empty_choices(wire: Wire) -> None:
    wire.head()
    wire.write(wire.event({"choices": [], "usage": None}))
    say(wire)
    finish(wire)


@fault(End.SUCCESS)
def trailing_garbage(wire: Wire) -> None:
    wire.head()
    say(wire)
    wire.finish("stop")
    wire.write(b"\n<html>proxy says goodbye</html>\n{{{")
    wire.end()


@fault(End.SUCCESS, finish_reason="length")
def finish_length(wire: Wire) -> None:
    wire.head()
    say(wire)
    finish(wire, "length")


@fault(End.SUCCESS, thinking=f"{THOUGHT}, deep")
def think_tags(wire: Wire) -> None:
    wire.head()
    say(wire, "\n<th", "ink>", THOUGHT, ", deep", "</", "think", ">\n\n", "Hello", ", world.")
    finish(wire)


@fault(End.SUCCESS, thinking=f"{THOUGHT}, deep\n")
def think_tags_closed(wire: Wire) -> None:
    """The template opened the thinking in the prompt: only its end arrives."""
    wire.head()
    say(wire, THOUGHT, ", deep", "\n</thi", "nk>", "\n\nHello", ", world.")
    finish(wire)


@fault(End.SUCCESS, thinking=THOUGHT)
def reasoning_then_text(wire: Wire) -> None:
    wire.head()
    wire.thought(THOUGHT)
    say(wire)
    finish(wire)


@fault(End.SUCCESS, text="a\ufffdb 🦜 \ufffd")
def lone_surrogate(wire: Wire) -> None:
    """A half pair alone, and a pair split over two events."""
    wire.head()
    say(wire, "a\ud83d", "b ", "\ud83e", "\udd9c \x00")
    finish(wire)


@fault(End.SUCCESS, text="caf\ufffd!")
def bad_utf8(wire: Wire) -> None:
    wire.head()
    wire.write(wire.line(json.dumps(wire.said("cafX")).encode().replace(b"cafX", b"caf\xe9")))
    say(wire, "!")
    finish(wire)


@fault(End.SUCCESS, text=HOSTILE)
def hostile_text(wire: Wire) -> None:
    wire.head()
    say(wire, HOSTILE)
    finish(wire)


@fault(End.SUCCESS)
def hang_after_finish(wire: Wire) -> None:
    """The answer is whole; what hangs behind it must not spoil it."""
    wire.head()
    say(wire)
    if wire.protocol == "ollama":
        wire.finish("stop")
    else:
        wire.write(wire.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
    hang(wire)


@fault(End.SUCCESS)
def double_answer(wire: Wire) -> None:
    wire.head()
    say(wire)
    wire.finish("stop")
    say(wire, "And again.")
    finish(wire)


# -- too much


@fault(End.CUT, code="answer_too_large")
def infinite_stream(wire: Wire) -> None:
    wire.head()
    while True:
        say(wire, "word " * 4000)


@fault(End.CUT, code="answer_too_large")
def huge_token(wire: Wire) -> None:
    wire.head()
    say(wire, "a" * 20_000_000)
    finish(wire)


@fault(End.CUT, code="answer_too_large")
def huge_line_no_newline(wire: Wire) -> None:
    wire.head()
    for _ in range(128):
        wire.write(b"a" * 1_000_000)
    wire.end()


@fault(End.CUT, code="answer_too_large")
def gzip_bomb(wire: Wire) -> None:
    """1 GB of zeros in 1 MB."""
    wire.head(Content_Encoding="gzip")
    packer = zlib.compressobj(wbits=31)
    zeros = bytes(4_000_000)
    for _ in range(250):
        if packed := packer.compress(zeros):
            wire.write(packed)
    wire.write(packer.flush())
    wire.end()


class Recording(Wire):
    """Collects a body instead of sending it."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire.connection, wire.protocol, wire.body, wire.counts)
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data
