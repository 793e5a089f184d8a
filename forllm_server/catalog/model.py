"""The nouns of the catalog."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class BackendKind(StrEnum):
    """Which protocol a backend speaks."""

    OLLAMA = "ollama"
    #: llama-server and llamafile
    LLAMA_CPP = "llama_cpp"
    #: LM Studio, vLLM, LiteLLM, hosted services
    OPENAI_COMPATIBLE = "openai_compatible"
    #: llama.cpp in a child process of FORLLM's own, with a tiny model
    EMBEDDED = "embedded"


class ContextSource(StrEnum):
    """Where a model's context size comes from, the most trusted first."""

    #: the server reported it
    KNOWN = "known"
    #: a person said so; a server that reports none does not undo it
    TOLD = "told"
    #: nobody knows: the setting default_context_tokens is used
    GUESSED = "guessed"


#: However many slots a server has, no more replies are asked of it at once.
MOST_AT_ONCE = 64


@dataclass(frozen=True)
class BackendRecord:
    """A model server that was added. ``api_key_sealed`` is never shown, logged or put in a repr."""

    id: int
    owner_id: int
    name: str
    name_key: str = field(repr=False)
    kind: BackendKind
    base_url: str
    api_key_sealed: bytes | None = field(repr=False)
    concurrency: int
    silence_seconds: int | None
    is_enabled: bool
    options: dict[str, Any] = field(repr=False)
    probe: dict[str, Any] | None = field(repr=False)
    probed_at: datetime | None
    created_at: datetime
    deleted_at: datetime | None
    #: as many replies at once as the server says that it has slots; ``concurrency`` counts until it says so
    follows_slots: bool = False

    @property
    def slots(self) -> int | None:
        """How many replies at once the server said that it can work on; None when it did not say."""
        told = (self.probe or {}).get("slots")
        return told if isinstance(told, int) and not isinstance(told, bool) and told > 0 else None

    @property
    def replies_at_once(self) -> int:
        """How many are sent at once: what was set, or as the server offers; never above what it offers."""
        if self.slots is None:
            return self.concurrency
        return min(self.slots, MOST_AT_ONCE if self.follows_slots else self.concurrency)

    @property
    def has_api_key(self) -> bool:
        return self.api_key_sealed is not None

    @property
    def is_embedded(self) -> bool:
        return self.kind is BackendKind.EMBEDDED

    @property
    def is_configured(self) -> bool:
        """True for one that the configuration file brought: a change made in the page lasts until the next start."""
        return bool(self.options.get("is_configured"))

    @property
    def is_reachable(self) -> bool | None:
        """What the last probe found; None when there was none yet."""
        return None if self.probe is None else bool(self.probe.get("is_reachable"))


@dataclass(frozen=True)
class Model:
    """A model that a backend has, or had when ``is_available`` is False."""

    id: int
    backend_id: int
    name: str
    label: str
    context_tokens: int | None
    context_source: ContextSource
    size_bytes: int | None
    digest: str | None
    details: dict[str, Any] = field(repr=False)
    is_available: bool
    first_seen_at: datetime
    last_seen_at: datetime
    characters_per_token: float | None


@dataclass(frozen=True)
class ListedModel:
    """A model with what a list says of its backend."""

    model: Model
    backend_name: str
    backend_kind: BackendKind
    is_backend_enabled: bool

    @property
    def may_be_asked(self) -> bool:
        return self.model.is_available and self.is_backend_enabled


@dataclass(frozen=True)
class KnownModel:
    """What a model is called and where it is. ``is_there``: its backend was not deleted and has it."""

    name: str
    label: str
    backend_id: int
    backend_name: str
    is_there: bool


@dataclass(frozen=True)
class ChosenModel:
    """The model that will answer, its backend, and why it is this one."""

    model: Model
    backend: BackendRecord
    reason: str


@dataclass(frozen=True)
class Suggestion:
    """A model server that answered on this machine and was not added yet."""

    kind: BackendKind
    base_url: str
    name: str
    version: str | None
