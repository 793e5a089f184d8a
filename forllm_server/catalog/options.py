"""What can be said of a backend besides its address, by kind. One row per option; pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, TypeGuard

from forllm_server.catalog.model import BackendKind
from forllm_server.errors import Invalid

CONTEXT_TOKENS_RANGE = (256, 4_194_304)

#: Options that FORLLM sets itself and a person's change leaves alone.
INTERNAL = frozenset({"is_configured"})


@dataclass(frozen=True)
class Option:
    """An option: ``kinds`` have it, ``demand`` completes "The option x …", ``fits`` tells whether a value will do."""

    name: str
    kinds: frozenset[BackendKind]
    help: str
    demand: str
    fits: Callable[[Any], bool]


def is_whole(value: object) -> TypeGuard[int]:
    """Whether it is a whole number; JSON's true is none."""
    return type(value) is int


def _is_context(value: Any) -> bool:
    low, high = CONTEXT_TOKENS_RANGE
    return is_whole(value) and low <= value <= high


def _is_gguf(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 4_096 and value.isprintable() and PurePath(value).suffix == ".gguf"


def _is_keep_alive(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= 20 and value.isascii() and value.lstrip("-").isalnum()
    return is_whole(value)


def _is_count(value: Any) -> bool:
    return is_whole(value) and 1 <= value <= 1_000_000


_CONTEXT_DEMAND = "must be a whole number from {:,} to {:,}".format(*CONTEXT_TOKENS_RANGE)

OPTIONS: tuple[Option, ...] = (
    Option(
        "context_tokens",
        frozenset({BackendKind.LLAMA_CPP, BackendKind.OPENAI_COMPATIBLE, BackendKind.EMBEDDED}),
        "The models' context size in tokens, where the server does not report it; for the embedded one what it loads.",
        _CONTEXT_DEMAND,
        _is_context,
    ),
    Option(
        "default_context_tokens",
        frozenset({BackendKind.OLLAMA}),
        "The context size in tokens that Ollama is asked to load a model with.",
        _CONTEXT_DEMAND,
        _is_context,
    ),
    Option(
        "keep_alive",
        frozenset({BackendKind.OLLAMA}),
        "How long Ollama keeps a model in memory after a reply: 10m, 24h, 0 or -1 (for ever).",
        "must be a time such as 10m, or a number of seconds",
        _is_keep_alive,
    ),
    Option(
        "continues_partial",
        frozenset(BackendKind),
        "Whether an answer that was broken off is continued: yes or no. Usual is yes for llama.cpp, and no for "
        "other servers: one that begins anew instead would have its answer joined to the old one.",
        "must be yes or no",
        lambda value: value in ("yes", "no"),
    ),
    Option(
        "max_tokens_field",
        frozenset({BackendKind.OPENAI_COMPATIBLE}),
        "What the server calls the longest reply: max_tokens (usual) or max_completion_tokens.",
        "must be max_tokens or max_completion_tokens",
        lambda value: value in ("max_tokens", "max_completion_tokens"),
    ),
    Option(
        "gguf_path",
        frozenset({BackendKind.EMBEDDED}),
        "A GGUF file to run instead of the tiny model that comes with FORLLM.",
        "must be the path of a .gguf file",
        _is_gguf,
    ),
    Option(
        "threads",
        frozenset({BackendKind.EMBEDDED}),
        "Processor threads for generating; by default one fewer than there are cores.",
        "must be a whole number from 1",
        _is_count,
    ),
    Option(
        "idle_seconds",
        frozenset({BackendKind.EMBEDDED}),
        "After how many idle seconds the embedded model leaves the memory.",
        "must be a whole number from 1",
        _is_count,
    ),
)


def options_of(kind: BackendKind) -> tuple[Option, ...]:
    """The options that a kind has, for its form."""
    return tuple(option for option in OPTIONS if kind in option.kinds)


def clean_options(
    kind: BackendKind, options: Mapping[str, Any], *, kept: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The options to store; null leaves one out. Raises Invalid(field="options") for one that is unknown or unfit.

    ``kept`` are the options stored so far, of which only those that FORLLM sets itself remain.
    """
    known = {option.name: option for option in options_of(kind)}
    cleaned = {name: value for name, value in (kept or {}).items() if name in INTERNAL}
    for name, value in options.items():
        if name not in known:
            choices = ", ".join(known)
            raise Invalid(f"There is no option {str(name)[:60]!r}; there are: {choices}.", field="options")
        if value is None:
            continue
        if not known[name].fits(value):
            raise Invalid(f"The option {name} {known[name].demand}.", field="options")
        cleaned[name] = value
    return cleaned
