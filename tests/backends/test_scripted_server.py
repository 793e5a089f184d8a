"""The scripted servers speak as the real ones do: the official clients understand them."""

import subprocess
import sys
from collections.abc import Iterator

import ollama
import openai
import pytest

from forllm_server.backends import BackendConfig, create
from tests.support.scripted_server import Script, ScriptedServer

TURNS = [{"role": "user", "content": "What is a forum?"}]


@pytest.fixture(params=["openai", "llama_cpp"])
def openai_server(request: pytest.FixtureRequest) -> Iterator[ScriptedServer]:
    with ScriptedServer(request.param, api_key="key") as server:
        yield server


@pytest.fixture
def ollama_server() -> Iterator[ScriptedServer]:
    with ScriptedServer("ollama") as server:
        yield server


def test_the_openai_client_streams(openai_server: ScriptedServer) -> None:
    openai_server.script(Script(thinking=("Hm",)))
    with openai.OpenAI(base_url=f"{openai_server.url}/v1", api_key="key", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["scripted"]
        stream = client.chat.completions.create(
            model="scripted", messages=TURNS, stream=True, stream_options={"include_usage": True}
        )
        with stream:
            chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello, world."
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == 4


def test_the_openai_client_gets_a_whole_answer_and_errors(openai_server: ScriptedServer) -> None:
    with openai.OpenAI(base_url=f"{openai_server.url}/v1", api_key="key", max_retries=0) as client:
        whole = client.chat.completions.create(model="scripted", messages=TURNS, max_tokens=2)
        assert whole.choices[0].message.content == "Hello,"
        assert whole.choices[0].finish_reason == "length"
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "word " * 8000}])
    with (
        openai.OpenAI(base_url=f"{openai_server.url}/v1", api_key="wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()


def test_the_ollama_client_streams(ollama_server: ScriptedServer) -> None:
    ollama_server.script(Script(thinking=("Hm",)))
    client = ollama.Client(ollama_server.url)
    assert [model.model for model in client.list().models] == ["scripted"]
    assert client.show("scripted").modelinfo["llama.context_length"] == 131072
    chunks = list(client.chat("scripted", TURNS, stream=True))
    assert "".join(chunk.message.content or "" for chunk in chunks) == "Hello, world."
    assert "".join(chunk.message.thinking or "" for chunk in chunks) == "Hm"
    assert (chunks[-1].done, chunks[-1].done_reason, chunks[-1].prompt_eval_count) == (True, "stop", 4)
    client._client.close()


def test_the_ollama_client_gets_errors(ollama_server: ScriptedServer) -> None:
    client = ollama.Client(ollama_server.url)
    with pytest.raises(ollama.ResponseError):
        client.show("nothing")
    client._client.close()


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "kind"), [("ollama", "ollama"), ("openai", "openai_compatible")])
def test_it_runs_as_a_process(protocol: str, kind: str) -> None:
    command = [sys.executable, "-m", "tests.support.scripted_server", "--protocol", protocol, "--tokens", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert [model.name for model in create(kind, BackendConfig(url)).probe().models] == ["scripted"]
        process.terminate()
