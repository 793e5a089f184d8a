"""Counts of texts are kept for a while, and not for longer."""

import pytest

from forllm_server import clock
from forllm_server.backends import text_counts
from forllm_server.backends.base import BackendConfig
from forllm_server.backends.llama_cpp import LlamaCpp
from forllm_server.backends.text_counts import FRESH_SECONDS, TextCounts
from tests.support.scripted_server import ScriptedServer


def test_a_text_is_counted_once_for_each_model() -> None:
    counts, asked = TextCounts(), iter(range(1, 9))
    found = [counts.get(model, "ZFS", lambda: next(asked)) for model in ("a", "a", "b", "a", "b")]
    assert found == [1, 1, 2, 1, 2]


def test_after_a_while_it_is_counted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, asked = TextCounts(), iter(range(1, 9))
    moment = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: moment[0])
    found = []
    for later in (0, FRESH_SECONDS - 1, 2, 1):
        moment[0] += later
        found.append(counts.get("a", "ZFS", lambda: next(asked)))
    assert found == [1, 1, 2, 2]


def test_what_could_not_be_counted_is_asked_again() -> None:
    counts, told = TextCounts(), iter([None, 7])
    assert [counts.get("a", "ZFS", lambda: next(told)) for _ in range(3)] == [None, 7, 7]


def test_the_oldest_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_counts, "MOST_TEXTS", 2)
    counts, asked = TextCounts(), iter(range(1, 9))
    assert [counts.get("a", text, lambda: next(asked)) for text in ("x", "y", "z", "z", "y", "x")] == [1, 2, 3, 3, 2, 4]


def test_a_broken_character_is_a_text_like_any_other() -> None:
    assert TextCounts().get("a", "\ud800", lambda: 1) == 1


def test_the_server_is_asked_once_about_the_posts_of_a_thread() -> None:
    with ScriptedServer("llama_cpp", models=("scripted",)) as server:
        backend = LlamaCpp(BackendConfig(base_url=server.url))
        assert [backend.count_tokens("scripted", "Which file system?") for _ in range(3)] == [5, 5, 5]
        assert [received.path for received in server.requests] == ["/tokenize"]
        backend.close()
