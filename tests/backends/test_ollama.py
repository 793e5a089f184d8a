"""What only Ollama does."""

import pytest

from forllm_server.backends import BackendConfig, create
from forllm_server.backends.base import GenerationRequest, Message
from tests.support.scripted_server import Script, ScriptedServer


def ask(**changes: object) -> GenerationRequest:
    messages = (Message("user", "Hello?"),)
    expected = changes.get("expected_prompt_tokens")
    assert expected is None or isinstance(expected, int)
    return GenerationRequest("scripted", messages, context_tokens=4096, expected_prompt_tokens=expected)


@pytest.mark.parametrize(
    ("read", "expected", "is_cut"),
    [(4096, 20_000, True), (2100, 20_000, True), (4000, 4050, False), (12, 3000, False), (4000, None, False)],
)
def test_a_prompt_that_was_cut_silently_is_noticed(read: int, expected: int | None, is_cut: bool) -> None:
    with ScriptedServer("ollama") as server:
        server.script(Script(prompt_tokens=read))
        generation = create("ollama", BackendConfig(server.url)).generate(ask(expected_prompt_tokens=expected))
        if read > 4096:
            server.context_tokens = read
        list(generation)
    assert (generation.truncated_prompt is not None) == is_cut
    if generation.truncated_prompt is not None:
        assert generation.truncated_prompt.read_tokens == read


def test_the_context_is_the_one_that_is_asked_for_and_not_the_trained_limit() -> None:
    with ScriptedServer("ollama") as server:
        config = BackendConfig(server.url, options={"default_context_tokens": 8192, "keep_alive": "1h"})
        backend = create("ollama", config)
        (model,) = backend.list_models()
        list(backend.generate(GenerationRequest("scripted", (Message("user", "Hello?"),), extra={"think": False})))
    assert (model.context_tokens, model.details["trained_context_tokens"]) == (8192, 131072)
    assert server.chats[-1]["options"]["num_ctx"] == 8192
    assert server.chats[-1]["keep_alive"] == "1h"
    assert server.chats[-1]["think"] is False


def test_a_model_can_be_unloaded() -> None:
    with ScriptedServer("ollama") as server:
        assert create("ollama", BackendConfig(server.url)).unload("scripted")
    assert server.requests[-1].body == {"model": "scripted", "keep_alive": 0}
