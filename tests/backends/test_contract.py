"""The contract that every kind keeps, against a real HTTP server that speaks its protocol, and every fault."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from forllm_server.backends import Backend, BackendConfig, BackendError, create
from forllm_server.backends.base import Chunk, Generation, GenerationRequest, Message
from forllm_server.backends.faults import Cancelled, ContextExceeded, EmptyAnswer, KeyRefused, Refused, Unreachable
from tests.support.faults import FAULTS, SECRET, THOUGHT, End, Fault
from tests.support.scripted_server import Script, ScriptedServer

KINDS = {"ollama": "ollama", "openai_compatible": "openai", "llama_cpp": "llama_cpp"}
QUESTION = (Message("system", "You are brief."), Message("user", "What is a forum?"))


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(kind: str) -> Iterator[ScriptedServer]:
    with ScriptedServer(KINDS[kind]) as server:
        yield server


@pytest.fixture
def backend(kind: str, server: ScriptedServer) -> Iterator[Backend]:
    backend = create(kind, BackendConfig(server.url, api_key=SECRET, silence_seconds=5))
    yield backend
    backend.close()


def ask(**changes: Any) -> GenerationRequest:
    return GenerationRequest(**({"model": "scripted", "messages": QUESTION} | changes))


def take_five(generation: Generation, texts: list[str]) -> None:
    """Read on, and cancel at the fifth chunk of text."""
    for chunk in generation:
        texts.append(chunk.text)
        if len([text for text in texts if text]) == 5:
            generation.cancel()


def until(happens: threading.Event) -> None:
    assert happens.wait(5)


def test_the_answer_comes_in_chunks_and_ends_with_reason_and_usage(backend: Backend) -> None:
    with backend.generate(ask()) as generation:
        texts = [chunk.text for chunk in generation if chunk.text]
    assert texts == ["Hello", ",", " world", "."]
    assert generation.text == "Hello, world."
    assert generation.finish_reason == "stop"
    assert (generation.usage.prompt_tokens, generation.usage.completion_tokens) == (8, 4)
    assert not generation.usage.is_estimated
    assert generation.truncated_prompt is None


def test_durations_are_the_servers_or_measured(kind: str, backend: Backend, server: ScriptedServer) -> None:
    server.script(Script(delay=0.02))
    generation = backend.generate(ask())
    list(generation)
    if kind == "openai_compatible":
        assert generation.usage.generation_seconds >= 0.03
    else:
        assert (generation.usage.prompt_seconds, generation.usage.generation_seconds) == (1.0, 1.5)
    assert generation.usage.load_seconds == (0.5 if kind == "ollama" else 0.0)


def test_every_parameter_reaches_the_server(kind: str, backend: Backend, server: ScriptedServer) -> None:
    asked = ask(
        max_tokens=3, temperature=0.5, top_p=0.9, seed=7, stop=("END",), context_tokens=2048, extra={"top_k": 20}
    )
    generation = backend.generate(asked)
    list(generation)
    assert generation.finish_reason == "length"
    body = server.chats[-1]
    assert body["messages"] == [{"role": turn.role, "content": turn.content} for turn in QUESTION]
    sent = body["options"] if kind == "ollama" else body
    assert (sent["temperature"], sent["top_p"], sent["seed"], sent["stop"]) == (0.5, 0.9, 7, ["END"])
    assert sent["top_k"] == 20
    assert sent["num_predict" if kind == "ollama" else "max_tokens"] == 3
    if kind == "ollama":
        assert sent["num_ctx"] == 2048
        assert (body["truncate"], body["shift"]) == (False, False)


def test_extras_cannot_turn_the_stream_into_something_else(backend: Backend, server: ScriptedServer) -> None:
    generation = backend.generate(ask(extra={"stream": False, "model": "other", "messages": [], "truncate": True}))
    assert [chunk.text for chunk in generation if chunk.text]
    assert server.chats[-1]["stream"] is True
    assert server.chats[-1]["model"] == "scripted"
    assert server.chats[-1]["messages"]


def test_thinking_is_kept_apart(backend: Backend, server: ScriptedServer) -> None:
    server.script(Script(thinking=("Let me", " see")))
    generation = backend.generate(ask())
    chunks = list(generation)
    assert generation.thinking == "Let me see" == "".join(chunk.thinking for chunk in chunks)
    assert generation.text == "Hello, world."


def test_an_empty_prompt_is_never_sent(backend: Backend, server: ScriptedServer) -> None:
    with pytest.raises(Refused):
        backend.generate(ask(messages=()))
    assert server.chats == []


def test_a_prompt_that_does_not_fit_is_a_permanent_error_with_numbers(
    kind: str, backend: Backend, server: ScriptedServer
) -> None:
    with pytest.raises(ContextExceeded) as caught:
        list(backend.generate(ask(messages=(Message("user", "word " * 8000),), context_tokens=4096)))
    assert caught.value.permanent
    if kind != "ollama":
        assert caught.value.facts == {"prompt_tokens": 10_000, "context_tokens": 4096}


def test_a_lone_surrogate_in_the_prompt_is_mended(backend: Backend, server: ScriptedServer) -> None:
    list(backend.generate(ask(messages=(Message("user", "a\ud800b\x00"),))))
    assert server.chats[-1]["messages"][0]["content"] == "a\ufffdb\ufffd"


def test_the_models_are_listed_with_their_context(backend: Backend) -> None:
    probe = backend.probe()
    assert probe.is_reachable
    assert probe.error is None
    (model,) = probe.models
    assert (model.name, model.context_tokens, model.context_source) == ("scripted", 4096, "known")
    assert backend.context_tokens("scripted") == 4096
    assert probe.server


def test_a_probe_of_nothing_says_so(kind: str) -> None:
    with ScriptedServer() as gone:
        url = gone.url
    probe = create(kind, BackendConfig(url)).probe()
    assert not probe.is_reachable
    assert probe.error_code == "unreachable"
    assert "Start the model server" in str(probe.error)


def test_a_probe_of_another_kind_of_server_is_not_fooled(kind: str) -> None:
    with ScriptedServer("openai" if kind != "openai_compatible" else "ollama") as other:
        probe = create(kind, BackendConfig(other.url)).probe()
    assert not probe.is_reachable
    assert probe.error


def test_a_refused_connection_is_transient_and_the_servers_fault(kind: str) -> None:
    with ScriptedServer() as gone:
        url = gone.url
    with pytest.raises(Unreachable) as caught:
        list(create(kind, BackendConfig(url)).generate(ask()))
    assert caught.value.is_backend_down
    assert not caught.value.permanent


def test_a_wrong_key_is_a_permanent_error_that_does_not_show_it(kind: str) -> None:
    with ScriptedServer(KINDS[kind], api_key="right") as server:
        backend = create(kind, BackendConfig(server.url, api_key="wrong-one"))
        with pytest.raises(KeyRefused) as caught:
            list(backend.generate(ask()))
        assert "wrong-one" not in str(caught.value)
        right = create(kind, BackendConfig(server.url, api_key="right"))
        assert right.probe().is_reachable


def test_a_cancel_in_mid_stream_stops_the_server(backend: Backend, server: ScriptedServer) -> None:
    server.script(Script(tokens=("word ",) * 10_000, delay=0.005))
    generation = backend.generate(ask())
    texts: list[str] = []
    with pytest.raises(Cancelled):
        take_five(generation, texts)
    assert generation.is_cancelled
    assert generation.text == "".join(texts)
    until(server.hung_up)


def test_a_cancel_from_another_thread_wakes_a_silent_read(backend: Backend, server: ScriptedServer) -> None:
    server.gate.clear()
    generation = backend.generate(ask())
    caught: list[BackendError] = []

    def read() -> None:
        try:
            list(generation)
        except BackendError as error:
            caught.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    until(server.asked)
    began = time.monotonic()
    generation.cancel()
    reader.join(5)
    assert time.monotonic() - began < 1
    assert [type(error) for error in caught] == [Cancelled]
    until(server.hung_up)


def test_a_cancel_before_the_headers_wakes_the_reader(backend: Backend, server: ScriptedServer) -> None:
    hanging = next(fault for fault in FAULTS if fault.name == "hang_before_headers")
    server.script(Script(write=hanging.play))
    generation = backend.generate(ask())
    threading.Thread(target=lambda: (until(server.asked), generation.cancel())).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        list(generation)
    assert time.monotonic() - began < 2


def test_a_generation_cancelled_before_it_began_asks_nothing(backend: Backend, server: ScriptedServer) -> None:
    generation = backend.generate(ask())
    generation.cancel()
    with pytest.raises(Cancelled):
        next(generation)
    assert server.chats == []


def test_leaving_the_loop_closes_the_connection(backend: Backend, server: ScriptedServer) -> None:
    server.script(Script(tokens=("word ",) * 10_000, delay=0.005))
    with backend.generate(ask()) as generation:
        next(generation)
    until(server.hung_up)


def test_a_reader_that_is_slow_is_not_the_servers_silence(kind: str, server: ScriptedServer) -> None:
    backend = create(kind, BackendConfig(server.url, silence_seconds=0.3))
    generation = backend.generate(ask())
    next(generation)
    time.sleep(1)
    list(generation)
    assert generation.text == "Hello, world."


def fault_cases() -> list[object]:
    return [
        pytest.param(kind, fault, id=f"{kind}-{fault.name}", marks=[pytest.mark.slow] if fault.end is End.CUT else [])
        for kind, protocol in KINDS.items()
        for fault in FAULTS
        if protocol in fault.protocols
    ]


@pytest.mark.parametrize(("kind", "fault"), fault_cases())
def test_a_fault_reaches_its_end_state(kind: str, fault: Fault) -> None:
    memory_before = psutil.Process().memory_info().rss
    with ScriptedServer(KINDS[kind]) as server:
        config = BackendConfig(server.url, api_key=SECRET, silence_seconds=0.4 if fault.is_silent else 20)
        server.script(Script(write=fault.play))
        generation = create(kind, config).generate(ask())
        chunks: list[Chunk] = []
        caught: BackendError | None = None
        try:
            chunks.extend(generation)
        except BackendError as error:
            caught = error
    check_end(fault, generation.text, generation.thinking, generation.finish_reason, caught)
    assert len(server.chats) == 1
    assert THOUGHT not in generation.text
    if fault.end is End.CUT:
        assert psutil.Process().memory_info().rss - memory_before < 200_000_000


def check_end(fault: Fault, text: str, thinking: str, reason: str | None, error: BackendError | None) -> None:
    if fault.end is End.SUCCESS:
        assert error is None
        assert (text, thinking, reason) == (fault.text, fault.thinking, fault.finish_reason)
        return
    assert error is not None
    assert SECRET not in str(error)
    assert "<" not in error.message
    assert error.message.endswith((".", "?", "”", "/")), error.message
    if fault.end is End.EMPTY:
        assert isinstance(error, EmptyAnswer)
        return
    assert error.code == fault.code
    assert error.permanent == (fault.end in (End.PERMANENT, End.CUT))
    if fault.end is End.WAIT:
        assert error.retry_after_seconds is not None
        assert 0 < error.retry_after_seconds <= 900


PARTIAL = (*QUESTION, Message("assistant", "Hello, wor"))


@pytest.mark.parametrize("told", [None, "yes", "no"])
def test_a_partial_answer_is_continued_where_the_kind_can_or_the_option_says_so(
    kind: str, server: ScriptedServer, told: str | None
) -> None:
    backend = create(kind, BackendConfig(server.url, options={"continues_partial": told} if told else {}))
    assert backend.may_continue_prefix is (told == "yes" or (told is None and kind == "llama_cpp"))
    asked = ask(messages=PARTIAL, continues_prefix=True)
    if not backend.may_continue_prefix:
        with pytest.raises(Refused):
            backend.generate(asked)
        return
    with backend.generate(asked) as generation:
        assert "".join(chunk.text for chunk in generation) == generation.text == "ld."
    assert generation.finish_reason == "stop"
    assert server.chats[-1]["messages"][-1] == {"role": "assistant", "content": "Hello, wor"}


def test_only_an_answer_can_be_continued(kind: str, server: ScriptedServer) -> None:
    backend = create(kind, BackendConfig(server.url, options={"continues_partial": "yes"}))
    with pytest.raises(Refused):
        backend.generate(ask(continues_prefix=True))
