"""Backends from the configuration file."""

from typing import Any

import pytest
from sqlalchemy import Connection

from forllm_server.catalog import backend_store
from forllm_server.catalog.api_keys import open_api_key
from forllm_server.catalog.configured import apply_configured, check_configured
from forllm_server.catalog.editing import BackendChange, change_backend
from forllm_server.catalog.model import BackendKind, BackendRecord
from forllm_server.catalog.model_store import get_model
from forllm_server.db import Database
from forllm_server.errors import ConfigurationError
from tests.catalog.world import NOW, SECRET, add, add_model

WORKSHOP = {"name": "Workshop", "kind": "ollama", "base_url": "http://workshop.lan:11434"}


def _apply(
    connection: Connection, entries: list[dict[str, Any]], environ: dict[str, str] | None = None
) -> list[BackendRecord]:
    return apply_configured(connection, entries, owner_id=1, secret_key=SECRET, environ=environ or {}, now=NOW)


def test_the_same_file_twice_changes_nothing(database: Database) -> None:
    entries = [WORKSHOP | {"concurrency": 2, "options": {"keep_alive": "1h"}}]
    with database.transaction() as connection:
        first = _apply(connection, entries)
        assert _apply(connection, entries) == first
        assert first[0].is_configured
        assert first[0].options["keep_alive"] == "1h"
        assert len(backend_store.list_backends(connection)) == 2


def test_the_file_wins_over_a_change_in_the_page_and_takes_over_a_name(database: Database) -> None:
    with database.transaction() as connection:
        typed = add(connection, name="workshop", concurrency=7)
        (record,) = _apply(connection, [WORKSHOP])
        assert (record.id, record.name, record.concurrency) == (typed.id, "Workshop", 1)
        change_backend(connection, record.id, BackendChange.of(concurrency=9), secret_key=SECRET)
        (record,) = _apply(connection, [WORKSHOP])
        assert record.concurrency == 1


def test_a_key_comes_from_the_file_or_from_the_environment(database: Database) -> None:
    hosted = {"name": "Hosted", "kind": "openai_compatible", "base_url": "https://api.example.com/v1"}
    with database.transaction() as connection:
        (record,) = _apply(connection, [hosted | {"api_key_env": "HOSTED_KEY"}], {"HOSTED_KEY": "sk-env"})
        assert open_api_key(record, secret_key=SECRET) == "sk-env"
        (record,) = _apply(connection, [hosted | {"api_key": "sk-file", "base_url": "https://other.example.com/v1"}])
        assert open_api_key(record, secret_key=SECRET) == "sk-file"
        (record,) = _apply(connection, [hosted])
        assert not record.has_api_key


def test_another_kind_under_the_name_makes_its_models_wait_for_a_probe(database: Database) -> None:
    with database.transaction() as connection:
        (record,) = _apply(connection, [WORKSHOP])
        model = add_model(connection, record.id, "llama3")
        (record,) = _apply(connection, [WORKSHOP | {"kind": "llama_cpp"}])
        assert record.kind is BackendKind.LLAMA_CPP
        assert not get_model(connection, model.id).is_available


def test_a_backend_that_left_the_file_stays_and_belongs_to_the_page(database: Database) -> None:
    with database.transaction() as connection:
        (record,) = _apply(connection, [WORKSHOP])
        assert _apply(connection, []) == []
        left = backend_store.get_backend(connection, record.id)
        assert left.is_enabled
        assert not left.is_configured


def test_every_problem_of_the_file_is_named_at_once() -> None:
    entries = [
        "nonsense",
        {"name": "A", "kind": "ollama"},
        {"name": "B", "kind": "ollama", "base_url": "http://x", "colour": "red"},
        {"name": "b", "kind": "ollama", "base_url": "http://x", "concurrency": "two"},
        {"name": "C", "kind": "ollama", "base_url": "http://x", "api_key_env": "NOT_SET"},
        {"name": "D", "kind": "ollama", "base_url": "http://x", "api_key": "k", "api_key_env": "SET"},
        {"name": "E", "kind": "gpt", "base_url": "http://x"},
        {"name": "F", "kind": "ollama", "base_url": "ftp://x"},
        {"name": " ", "kind": "ollama", "base_url": "http://x", "concurrency": 1000},
        {"name": "G", "kind": "ollama", "base_url": "http://x", "options": {"colour": "red"}},
    ]
    problems = check_configured(entries, {"SET": "k"})
    for number, words in enumerate(
        [
            *("must be a table", "base_url is missing", "no key 'colour'", "wrong sort", "NOT_SET", "not both"),
            *("kind must be", "must begin with http", "replies at once", "no option 'colour'"),
        ],
        start=1,
    ):
        assert any(problem.startswith(f"backends, entry {number}:") and words in problem for problem in problems)
    assert any("used twice" in problem for problem in problems)
    assert check_configured([WORKSHOP], {}) == []


@pytest.mark.parametrize(
    "entry",
    [
        WORKSHOP | {"base_url": "ftp://x"},
        WORKSHOP | {"concurrency": 1000},
        WORKSHOP | {"kind": "gpt"},
        WORKSHOP | {"name": "embedded"},
        WORKSHOP | {"base_url": None},
    ],
)
def test_a_file_that_will_not_do_leaves_everything_as_it_was(sqlite_database: Database, entry: dict[str, Any]) -> None:
    with sqlite_database.transaction() as connection:
        (before,) = _apply(connection, [WORKSHOP])
    with pytest.raises(ConfigurationError) as refused, sqlite_database.transaction() as connection:
        _apply(connection, [WORKSHOP | {"name": "Other"}, entry])
    assert "entry 2" in refused.value.message
    with sqlite_database.read() as connection:
        assert [record.id for record in backend_store.list_backends(connection)] == [1, before.id]
