"""Model servers: one module a kind, one line a kind in BACKENDS."""

from collections.abc import Mapping
from types import MappingProxyType

from forllm_server.backends.base import Backend, BackendConfig
from forllm_server.backends.embedded import Embedded
from forllm_server.backends.faults import BackendError, Refused
from forllm_server.backends.llama_cpp import LlamaCpp
from forllm_server.backends.ollama import Ollama
from forllm_server.backends.openai_compatible import OpenAiCompatible

BACKENDS: Mapping[str, type[Backend]] = MappingProxyType(
    {
        Ollama.kind: Ollama,
        LlamaCpp.kind: LlamaCpp,
        OpenAiCompatible.kind: OpenAiCompatible,
        Embedded.kind: Embedded,
    }
)


def create(kind: str, config: BackendConfig) -> Backend:
    """A backend of this kind; nothing is connected or started yet. Raises Refused for an unknown kind."""
    if kind not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise Refused(f"There is no kind of model server called “{kind[:40]}”. Choose one of: {known}.", field="kind")
    return BACKENDS[kind](config)


__all__ = ["BACKENDS", "Backend", "BackendConfig", "BackendError", "create"]
