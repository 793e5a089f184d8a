"""Small programs of the machine that are asked for a reading."""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from forllm_server.machine.bounded import run_bounded
from forllm_server.machine.model import NotAvailable

#: with the kill of one that hangs, an answer or a refusal is there within 2 s
TOOL_SECONDS = 1.0
_OUTPUT_BYTES = 256 * 1024
_WORDS = 200

_SHORTEST_REST_SECONDS = 5.0
_LONGEST_REST_SECONDS = 600.0
_Answer = TypeVar("_Answer")


class Rests(Generic[_Answer]):
    """Leaves alone what failed: 5 s after the first time, then twice as long each time, up to 10 minutes.

    A program that hangs in its driver cannot be ended, and must not be started again and again.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._rests_until = -math.inf
        self._why = NotAvailable("it was not asked yet")

    def ask(self, at_seconds: float, read: Callable[[], _Answer | NotAvailable]) -> _Answer | NotAvailable:
        """What ``read`` answers, or why it did not the last time. ``at_seconds``: of a clock that never runs back."""
        if at_seconds < self._rests_until:
            return self._why
        answer = read()
        if isinstance(answer, NotAvailable):
            rest_seconds = min(_SHORTEST_REST_SECONDS * 2.0 ** min(self._failures, 10), _LONGEST_REST_SECONDS)
            self._failures += 1
            self._rests_until, self._why = at_seconds + rest_seconds, answer
        else:
            self._failures = 0
        return answer


def find_tool(name: str) -> str | NotAvailable:
    """The path of a program on PATH."""
    return shutil.which(name) or NotAvailable(f"{name} is not installed")


def ask_tool(
    argv: Sequence[str], *, timeout_seconds: float = TOOL_SECONDS, environment: Mapping[str, str] | None = None
) -> str | NotAvailable:
    """What a program prints to stdout, in ``timeout_seconds`` + 0.6 s at most.

    ``argv[0]``: a name on PATH or a path. ``environment``: None hands on this process's.
    """
    found = find_tool(argv[0])
    if isinstance(found, NotAvailable):
        return found
    ended = run_bounded(
        [found, *argv[1:]],
        timeout_seconds=timeout_seconds,
        output_bytes=_OUTPUT_BYTES,
        has_errors=False,
        environment=environment,
    )
    if ended.problem:
        return NotAvailable(f"{argv[0]} cannot be started: {ended.problem}")
    if ended.is_timed_out:
        return NotAvailable(f"{argv[0]} did not answer within {timeout_seconds:g} s")
    if ended.exit_code != 0:
        # Such programs explain themselves on stdout as well as on stderr.
        said = " ".join(ended.output.split())[:_WORDS] or "it said nothing"
        return NotAvailable(f"{argv[0]} failed ({ended.exit_code}): {said}")
    return ended.output
