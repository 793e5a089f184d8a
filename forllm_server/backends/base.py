"""What every model server is to the rest of FORLLM: models, a stream of chunks, usage, and errors with a verdict."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Self

from forllm_server.backends.faults import BackendError, ModelMissing, Refused, Unreadable

CONTEXT_KNOWN = "known"
CONTEXT_TOLD = "told"
CONTEXT_GUESSED = "guessed"
#: the option that says whether a partial answer is continued: `yes`, `no`, or left to the kind
CONTINUES_PARTIAL = "continues_partial"


@dataclass(frozen=True)
class Limits:
    """How much a server may send before it is cut off. Bytes are those after decompression."""

    line_bytes: int = 1_000_000
    answer_characters: int = 4_000_000
    body_bytes: int = 512_000_000
    json_bytes: int = 8_000_000
    error_bytes: int = 16_000


@dataclass(frozen=True)
class BackendConfig:
    """How one server is reached. `options` are the kind's own: see docs/backends.md."""

    base_url: str = ""
    api_key: str | None = None
    silence_seconds: float = 600
    connect_seconds: float = 10
    #: the limit for small questions (models, tokens), where a long wait only blocks a page
    probe_seconds: float = 10
    options: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = Limits()


@dataclass(frozen=True)
class Message:
    """One turn of a prompt; role is `system`, `user` or `assistant`."""

    role: str
    content: str


@dataclass(frozen=True)
class GenerationRequest:
    """What is to be generated. None leaves a value to the server.

    `extra` holds server-specific fields. `continues_prefix` asks to continue the last (assistant) message.
    `expected_prompt_tokens` is the prompt's own count, against which a silently cut prompt is noticed.
    """

    model: str
    messages: Sequence[Message]
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    context_tokens: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    continues_prefix: bool = False
    expected_prompt_tokens: int | None = None


@dataclass(frozen=True)
class PromptProgress:
    """How far the server has read the prompt, in tokens; `cached_tokens` of them it knew already."""

    total_tokens: int
    cached_tokens: int
    read_tokens: int


@dataclass(frozen=True)
class Chunk:
    """A piece of the answer, or of the thinking before it, or a sign of progress.

    `is_text_so_far_thinking`: all text given so far turned out to be thinking (a `</think>` with no opening came),
    so whoever shows or stores the growing text moves it there. `Generation.text` is always right in the end.
    """

    text: str = ""
    thinking: str = ""
    prompt_progress: PromptProgress | None = None
    is_text_so_far_thinking: bool = False


@dataclass(frozen=True)
class Usage:
    """What a generation cost. `is_estimated`: the server did not report its counts."""

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    load_seconds: float = 0.0
    prompt_seconds: float = 0.0
    generation_seconds: float = 0.0
    is_estimated: bool = False


@dataclass(frozen=True)
class TruncatedPrompt:
    """The server read fewer tokens than the prompt has, and said nothing about it."""

    read_tokens: int
    expected_tokens: int


@dataclass(frozen=True)
class ModelFound:
    """A model that a server offers. `name` is what it answers to; `label` is for people."""

    name: str
    label: str
    context_tokens: int | None = None
    context_source: str = CONTEXT_GUESSED
    size_bytes: int | None = None
    digest: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Probe:
    """What a look at a server found. `error` is a sentence for people, `error_code` the same for programs."""

    is_reachable: bool
    server: str = ""
    version: str = ""
    models: tuple[ModelFound, ...] = ()
    slots: int | None = None
    error: str | None = None
    error_code: str | None = None
    features: Mapping[str, bool] = field(default_factory=dict)


class Generation(ABC):
    """An answer as it comes: iterate over its chunks, in one thread; `cancel()` may be called from any.

    Nothing is sent before the first chunk is asked for. Every fault is raised by the iteration as a BackendError.
    When it ends without one, `finish_reason` is `stop` or `length` and `text` is not blank.
    """

    text: str = ""
    thinking: str = ""
    finish_reason: str | None = None
    usage: Usage = Usage()
    truncated_prompt: TruncatedPrompt | None = None
    is_cancelled: bool = False

    def __iter__(self) -> Iterator[Chunk]:
        return self

    @abstractmethod
    def __next__(self) -> Chunk: ...

    @abstractmethod
    def cancel(self) -> None:
        """Close the connection, which stops the server; the iteration then raises Cancelled, within a second."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection. Harmless when called again or after the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Backend(ABC):
    """One model server. Every method but `close` may raise BackendError."""

    kind: ClassVar[str]
    label: ClassVar[str]
    #: whether an assistant message at the end of the prompt is continued instead of answered; the kind's usual
    #: answer, which the option `continues_partial` overrides
    may_continue_prefix: bool = False

    def __init__(self, config: BackendConfig) -> None:
        self.config = config
        told = config.options.get(CONTINUES_PARTIAL)
        if told in ("yes", "no"):
            self.may_continue_prefix = told == "yes"

    @abstractmethod
    def probe(self) -> Probe:
        """Look at the server. Never raises BackendError: what went wrong is in the answer."""

    @abstractmethod
    def list_models(self) -> tuple[ModelFound, ...]: ...

    def context_tokens(self, model: str) -> int | None:
        """The model's real context size in tokens, or None when the server does not tell."""
        return next((found.context_tokens for found in self.list_models() if found.name == model), None)

    def count_tokens(self, model: str, text: str) -> int | None:
        """The exact number of tokens by the server's own tokenizer, or None where it has none."""
        return None

    def count_prompt_tokens(self, model: str, messages: Sequence[Message]) -> int | None:
        """The exact size of a whole prompt in the model's own template, or None where the server cannot tell."""
        return None

    @abstractmethod
    def generate(self, request: GenerationRequest) -> Generation: ...

    def unload(self, model: str) -> bool:
        """Ask the server to free the model's memory; whether it can do so."""
        return False

    def close(self) -> None:
        """Let go of everything held: connections, processes."""
        return

    def failed_probe(self, error: BackendError) -> Probe:
        """What a probe tells that ended in an error."""
        if isinstance(error, ModelMissing):
            message = f"Something answers there, but not as this kind does ({self.label}). Try another kind."
            return Probe(is_reachable=False, error=message, error_code=Unreadable.code)
        return Probe(is_reachable=False, error=error.message, error_code=error.code)

    def check_request(self, request: GenerationRequest) -> None:
        """Refuse what servers answer with nonsense. Raises Refused."""
        if not request.messages:
            raise Refused("The prompt is empty: there is nothing to answer.")
        if request.continues_prefix and not self.may_continue_prefix:
            raise Refused("This server cannot continue a partial answer; ask for a new one.")
        if request.continues_prefix and request.messages[-1].role != "assistant":
            raise Refused("Only an answer can be continued: the prompt must end with it.")


__all__ = [
    "CONTEXT_GUESSED",
    "CONTEXT_KNOWN",
    "CONTEXT_TOLD",
    "CONTINUES_PARTIAL",
    "Backend",
    "BackendConfig",
    "BackendError",
    "Chunk",
    "Generation",
    "GenerationRequest",
    "Limits",
    "Message",
    "ModelFound",
    "Probe",
    "PromptProgress",
    "TruncatedPrompt",
    "Usage",
]
