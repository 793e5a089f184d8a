"""Answers of a model server that are empty, odd but whole, or without an end."""

import gzip
import itertools
import json
import zlib

from tests.support.faulting import EVENT_STREAMS, HOSTILE, THOUGHT, End, fault, finish, hang, say
from tests.support.scripted_wire import Wire

# -- empty


@fault(End.EMPTY, protocols=EVENT_STREAMS)
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


@fault(End.SUCCESS, protocols=EVENT_STREAMS)
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


@fault(End.SUCCESS, protocols=EVENT_STREAMS)
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
    # Never the same twice: a model that repeats itself is stopped by another guard.
    for number in itertools.count():
        say(wire, " ".join(f"word{number * 2000 + each}" for each in range(2000)) + " ")


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
