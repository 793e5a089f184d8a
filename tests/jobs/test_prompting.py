from dataclasses import replace
from datetime import UTC, datetime

import pytest

from forllm_server.catalog.model import BackendKind, ContextSource, Model
from forllm_server.jobs.prompting import ContextSize, context_of
from forllm_server.settings.values import settings_from

NOW = datetime(2026, 11, 20, tzinfo=UTC)
SETTINGS = settings_from({"default_context_tokens": 6000})
MODEL = Model(
    id=1,
    backend_id=1,
    name="qwen3:8b",
    label="qwen3:8b",
    context_tokens=8192,
    context_source=ContextSource.KNOWN,
    size_bytes=None,
    digest=None,
    details={"trained_context_tokens": 40_960},
    is_available=True,
    first_seen_at=NOW,
    last_seen_at=NOW,
    characters_per_token=None,
)
UNKNOWN = replace(MODEL, context_tokens=None, context_source=ContextSource.GUESSED, details={})


@pytest.mark.parametrize(
    ("kind", "model", "wished", "expected"),
    [
        (BackendKind.OLLAMA, MODEL, None, ContextSize(8192, "known")),
        (BackendKind.OLLAMA, MODEL, 16_384, ContextSize(16_384, "known")),
        (BackendKind.OLLAMA, MODEL, 100_000, ContextSize(40_960, "known")),
        (BackendKind.LLAMA_CPP, MODEL, None, ContextSize(8192, "known")),
        (BackendKind.LLAMA_CPP, MODEL, 16_384, ContextSize(8192, "known")),
        (BackendKind.LLAMA_CPP, MODEL, 2048, ContextSize(2048, "known")),
        (BackendKind.OPENAI_COMPATIBLE, UNKNOWN, None, ContextSize(6000, "guessed")),
        (BackendKind.OPENAI_COMPATIBLE, UNKNOWN, 3000, ContextSize(3000, "told")),
    ],
)
def test_the_context_is_the_one_the_server_will_really_use(
    kind: BackendKind, model: Model, wished: int | None, expected: ContextSize
) -> None:
    assert context_of(kind, model, {"context_tokens": wished}, SETTINGS) == expected
