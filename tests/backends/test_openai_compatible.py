"""What differs between the many servers of this kind."""

import json
from typing import Any

import pytest

from forllm_server.backends import BackendConfig, BackendError, create
from forllm_server.backends.base import GenerationRequest, Message
from tests.support.scripted_server import Script, ScriptedServer
from tests.support.scripted_wire import Wire

ASK = GenerationRequest(model="scripted", messages=(Message("user", "Hello?"),), max_tokens=9)


def refuse(message: str) -> Script:
    return Script(write=lambda wire: wire.json({"error": {"message": message, "type": "invalid"}}, 400))


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
def test_the_address_may_end_with_or_without_v1(ending: str) -> None:
    with ScriptedServer() as server:
        backend = create("openai_compatible", BackendConfig(server.url + ending))
        assert backend.probe().server == "vLLM"
        list(backend.generate(ASK))


def test_a_server_that_wants_max_completion_tokens_gets_it() -> None:
    with ScriptedServer() as server:
        server.script(refuse("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."))
        backend = create("openai_compatible", BackendConfig(server.url))
        list(backend.generate(ASK))
        list(backend.generate(ASK))
    assert ["max_completion_tokens" in body for body in server.chats] == [False, True, True]


def test_a_server_without_usage_in_streams_is_estimated() -> None:
    with ScriptedServer() as server:
        server.script(refuse("Unknown field stream_options"))
        generation = create("openai_compatible", BackendConfig(server.url)).generate(ASK)
        list(generation)
    assert generation.text == "Hello, world."
    assert generation.usage.is_estimated
    assert generation.usage.prompt_tokens == 2


def test_the_same_refusal_twice_is_an_error() -> None:
    with ScriptedServer() as server:
        server.script(refuse("no stream_options"), refuse("no stream_options"))
        with pytest.raises(BackendError, match="stream_options"):
            list(create("openai_compatible", BackendConfig(server.url)).generate(ASK))


def test_a_server_that_does_not_stream_still_answers() -> None:
    def whole(wire: Wire) -> None:
        answer = wire.whole_answer("All at once.", "", "stop")
        wire.whole(json.dumps(answer, indent=1).encode(), "text/plain")

    with ScriptedServer() as server:
        server.script(Script(write=whole))
        generation = create("openai_compatible", BackendConfig(server.url)).generate(ASK)
        assert [chunk.text for chunk in generation] == ["All at once."]
    assert generation.finish_reason == "stop"


def test_the_context_that_a_person_told_is_used_where_the_server_tells_none() -> None:
    with ScriptedServer("llama_cpp") as server:
        plain = create("openai_compatible", BackendConfig(server.url)).list_models()[0]
        told = create("openai_compatible", BackendConfig(server.url, options={"context_tokens": 2048})).list_models()[0]
    assert (plain.context_tokens, plain.context_source) == (None, "guessed")
    assert (told.context_tokens, told.context_source) == (2048, "told")


def test_lm_studio_tells_the_loaded_context(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: dict[str, Any] = {
        "/v1/models": {"data": [{"id": "qwen", "owned_by": "organization_owner"}]},
        "/api/v1/models": {
            "models": [{"key": "qwen", "loaded_instances": [{"id": "qwen", "config": {"context_length": 12288}}]}]
        },
    }
    with ScriptedServer() as server:
        monkeypatch.setattr("tests.support.scripted_server._small_answers", lambda _, asked: listed.get(asked.path))
        probe = create("openai_compatible", BackendConfig(server.url)).probe()
    assert probe.server == "LM Studio"
    assert (probe.models[0].context_tokens, probe.models[0].context_source) == (12288, "known")
