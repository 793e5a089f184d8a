"""When models may work, in words for the whole forum. Pure."""

from collections.abc import Sequence

from forllm_server.catalog.model import BackendRecord
from forllm_server.schedule.gate import Gate


def hours_words(gate: Gate, backends: Sequence[BackendRecord]) -> str:
    """``opens 22:30, in 3 h 12``; where that is not the same for all backends in use, of each of them."""
    words = {backend.name: gate.words(backend.id) for backend in backends if backend.is_enabled}
    different = set(words.values())
    if len(different) <= 1:
        return different.pop() if different else gate.words()
    return "; ".join(f"{name}: {each}" for name, each in words.items())
