"""A generation over HTTP: the server's pieces into chunks, the end into a verdict.

Success is a finish reason that the server gave, and nothing else (docs/backends.md): a stream that just ends was cut.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from forllm_server import clock
from forllm_server.backends.base import Chunk, Generation, GenerationRequest, PromptProgress, TruncatedPrompt, Usage
from forllm_server.backends.faults import (
    AnswerTooLarge,
    BackendError,
    Cancelled,
    ContentFiltered,
    CutOff,
    EmptyAnswer,
    Unreadable,
)
from forllm_server.backends.lines import LineSplitter
from forllm_server.backends.thinking import CharacterMender, ThinkingSplitter
from forllm_server.backends.transport import Exchange

#: what may still follow the finish reason (the usage) has so many seconds
_AFTERMATH_SECONDS = 2.0
_CHARACTERS_PER_TOKEN = 4
_LENGTH_REASONS = frozenset({"length", "max_tokens", "limit"})
_CUT_REASONS = frozenset({"error", "abort", "cancelled"})


@dataclass(frozen=True)
class Piece:
    """What one event of any protocol says. `is_last`: nothing that matters can follow."""

    text: str = ""
    thinking: str = ""
    prompt_progress: PromptProgress | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    calls_tool: bool = False
    is_last: bool = False


class StreamedGeneration(Generation):
    """See Generation. `open_stream` sends the request; `read_pieces` turns the body into pieces."""

    def __init__(
        self,
        request: GenerationRequest,
        exchange: Exchange,
        open_stream: Callable[[Exchange], None],
        read_pieces: Callable[[Exchange], Iterator[Piece]],
        *,
        on_fault: Callable[[BackendError], BackendError] | None = None,
        on_success: Callable[[], None] | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._request = request
        self._exchange = exchange
        self._open_stream = open_stream
        self._read_pieces = read_pieces
        self._on_fault = on_fault
        self._on_success = on_success
        self._on_close = on_close
        self._chunks = self._run()
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._reported: Usage | None = None
        self._calls_tool = False
        self._asked_at = self._read_at = 0.0

    def __next__(self) -> Chunk:
        try:
            chunk = next(self._chunks)
        except BackendError as error:
            self._gather()
            raise (self._on_fault(error) if self._on_fault else error) from None
        except StopIteration:
            self.close()
            raise
        self._exchange.pause()
        return chunk

    def cancel(self) -> None:
        self.is_cancelled = True
        self._exchange.cancel()

    def close(self) -> None:
        self._exchange.close()
        if self._on_close is not None:
            on_close, self._on_close = self._on_close, None
            on_close()

    def _run(self) -> Iterator[Chunk]:
        try:
            self._asked_at = clock.monotonic()
            self._open_stream(self._exchange)
            yield from self._answer()
            if self.is_cancelled:
                raise Cancelled()
            self._settle()
            if self._on_success is not None:
                self._on_success()
        finally:
            self.close()

    def _answer(self) -> Iterator[Chunk]:
        splitter, said, thought = ThinkingSplitter(), CharacterMender(), CharacterMender()
        total = 0
        for piece in self._pieces_to_the_end():
            total += len(piece.text) + len(piece.thinking)
            if total > self._exchange.config.limits.answer_characters:
                raise AnswerTooLarge()
            thinking = thought.feed(piece.thinking)
            if thinking or piece.prompt_progress:
                yield self._keep(Chunk(thinking=thinking, prompt_progress=piece.prompt_progress))
            for chunk in splitter.feed(said.feed(piece.text)):
                yield self._keep(chunk)
        rest = [*splitter.feed(said.end()), *splitter.end(), Chunk(thinking=thought.end())]
        yield from (self._keep(chunk) for chunk in rest if chunk != Chunk())

    def _pieces_to_the_end(self) -> Iterator[Piece]:
        """All pieces up to the finish reason; then only usage counts, and no fault spoils the answer any more."""
        pieces = self._read_pieces(self._exchange)
        for piece in pieces:
            self._exchange.mark_life()
            if (piece.text or piece.thinking) and not self._read_at:
                self._read_at = clock.monotonic()
            self._take(piece)
            yield piece
            self._exchange.check()
            self._exchange.mark_life()
            if piece.finish_reason is not None:
                self.finish_reason = piece.finish_reason
                break
        else:
            raise CutOff()
        if not piece.is_last:
            self._take_aftermath(pieces)

    def _take_aftermath(self, pieces: Iterator[Piece]) -> None:
        self._exchange.limit_rest(_AFTERMATH_SECONDS)
        try:
            for piece in pieces:
                self._take(piece)
                if piece.is_last or piece.usage is not None:
                    return
        except Cancelled:
            raise
        except BackendError:
            return

    def _take(self, piece: Piece) -> None:
        self._calls_tool = self._calls_tool or piece.calls_tool
        if piece.usage is not None:
            self._reported = piece.usage

    def _keep(self, chunk: Chunk) -> Chunk:
        if chunk.is_text_so_far_thinking:
            self._thoughts += self._texts
            self._texts = []
        if chunk.text:
            self._texts.append(chunk.text)
        if chunk.thinking:
            self._thoughts.append(chunk.thinking)
        return chunk

    def _gather(self) -> None:
        self.text, self.thinking = "".join(self._texts), "".join(self._thoughts)
        self.usage = self._count()

    def _settle(self) -> None:
        """The verdict over a stream that had a finish reason."""
        self._gather()
        told = (self.finish_reason or "").lower()
        if told in _CUT_REASONS:
            raise CutOff()
        if told == "content_filter":
            raise ContentFiltered()
        if told in ("load", "unload"):
            raise EmptyAnswer("The model server only loaded the model and gave no answer.")
        if not self.text.strip():
            raise _empty(told, has_thought=bool(self.thinking.strip()), calls_tool=self._calls_tool)
        self.finish_reason = "length" if told in _LENGTH_REASONS else "stop"
        self.truncated_prompt = self._find_truncation()

    def _count(self) -> Usage:
        now = clock.monotonic()
        read_at = self._read_at or now
        counted = self._reported or Usage()
        if counted.prompt_seconds <= 0 and counted.generation_seconds <= 0 and self._asked_at:
            counted = replace(counted, prompt_seconds=read_at - self._asked_at, generation_seconds=now - read_at)
        if counted.prompt_tokens is None or counted.completion_tokens is None:
            prompt = sum(len(message.content) for message in self._request.messages)
            answer = len(self.text) + len(self.thinking)
            counted = replace(
                counted,
                prompt_tokens=_or_else(counted.prompt_tokens, math.ceil(prompt / _CHARACTERS_PER_TOKEN)),
                completion_tokens=_or_else(counted.completion_tokens, math.ceil(answer / _CHARACTERS_PER_TOKEN)),
                is_estimated=True,
            )
        return counted

    def _find_truncation(self) -> TruncatedPrompt | None:
        """A prompt that the server cut silently: it read about one context full, and clearly less than was sent.

        Some versions of Ollama leave cached tokens out of their count, so a small count alone proves nothing.
        """
        expected, context = self._request.expected_prompt_tokens, self._request.context_tokens
        read = self.usage.prompt_tokens
        if expected is None or context is None or read is None or self.usage.is_estimated:
            return None
        is_context_full = 0.4 * context <= read <= context
        return TruncatedPrompt(read, expected) if is_context_full and read < 0.7 * expected else None


def iterate_lines(exchange: Exchange) -> Iterator[str]:
    """The answer's lines, bounded and decoded. Raises BackendError."""
    splitter = LineSplitter(exchange.config.limits.line_bytes)
    for block in exchange.blocks():
        yield from splitter.feed(block)
    yield from splitter.end()


def parse_event(data: str) -> dict[str, Any]:
    """One event's JSON object. Raises Unreadable: for good when it is JSON of another shape, else to try again."""
    try:
        parsed = json.loads(data, parse_constant=_refuse_constant)
    except RecursionError:
        raise Unreadable(permanent=True) from None
    except ValueError as error:
        raise Unreadable(permanent=isinstance(error, _Constant)) from None
    if not isinstance(parsed, dict):
        raise Unreadable(permanent=True)
    return parsed


def as_count(value: Any) -> int | None:
    """A count that a server sent, or None when it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def as_seconds(value: Any, per_second: float) -> float:
    """A duration that a server sent, in seconds; 0.0 when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e18:
        return 0.0
    return value / per_second


def as_text(value: Any) -> str:
    """A text that a server sent; some send null, some a list of parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(as_text(part.get("text")) for part in value if isinstance(part, dict))
    return ""


class _Constant(ValueError):
    """NaN or Infinity, which JSON does not have."""


def _refuse_constant(name: str) -> None:
    raise _Constant(name)


def _or_else(value: int | None, other: int) -> int:
    return other if value is None else value


def _empty(reason: str, *, has_thought: bool, calls_tool: bool) -> EmptyAnswer:
    if calls_tool:
        return EmptyAnswer("The model returned no answer: it asked for a tool, and there is none.")
    if has_thought and reason in _LENGTH_REASONS:
        return EmptyAnswer(
            "The model returned no answer: thinking used up the reply's tokens. Raise their limit for this persona."
        )
    if has_thought:
        return EmptyAnswer("The model returned no answer: it only thought.")
    return EmptyAnswer()
