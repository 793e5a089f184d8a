"""What a fault of a model server is, the list of all, and what playing them has in common."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tests.support.scripted_wire import PROTOCOLS, Wire

THOUGHT = "SECRET-THOUGHT"
SECRET = "sk-very-secret-0123456789"
HOSTILE = '</script><script>alert(1)</script>\r\ndata: [DONE]\r\n\u202e {"error": "no"} ```<think>x</think>'
EVENT_STREAMS = ("openai", "llama_cpp")


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
