"""Probing a backend over a real connection, and what the catalog learns from it."""

import socket
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import text

from forllm_server.backends.base import ModelFound, Probe
from forllm_server.catalog import backend_store, model_store
from forllm_server.catalog.contexts import set_context_tokens
from forllm_server.catalog.editing import EMBEDDED_BACKEND_ID, BackendChange, change_backend
from forllm_server.catalog.model import BackendRecord, ContextSource, Model
from forllm_server.catalog.probing import probe_backend, store_probe
from forllm_server.catalog.removing import delete_backend
from forllm_server.db import Database
from forllm_server.errors import NotFound
from tests.catalog.loopback import served
from tests.catalog.world import NOW, SECRET, add
from tests.support.scripted_server import ScriptedServer

PROTOCOLS = [("ollama", "ollama", ""), ("llama_cpp", "llama_cpp", ""), ("openai_compatible", "openai", "/v1")]


def _probe(database: Database, backend_id: int, secret_key: bytes = SECRET) -> BackendRecord:
    return probe_backend(database, backend_id, secret_key=secret_key, silence_seconds=5, now=NOW)


def _add(database: Database, **values: Any) -> BackendRecord:
    with database.transaction() as connection:
        return add(connection, **values)


def _models(database: Database, backend_id: int) -> dict[str, Model]:
    with database.read() as connection:
        return {model.name: model for model in model_store.list_models_of(connection, backend_id)}


@pytest.mark.parametrize(("kind", "protocol", "path"), PROTOCOLS)
def test_a_probe_stores_what_the_server_is_and_its_models(
    sqlite_database: Database, kind: str, protocol: str, path: str
) -> None:
    with ScriptedServer(protocol, models=("scripted",)) as server:
        record = _add(sqlite_database, kind=kind, base_url=f"{server.url}{path}")
        probed = _probe(sqlite_database, record.id)
    assert probed.is_reachable
    assert probed.probed_at == NOW
    assert probed.probe is not None
    assert probed.probe["error"] is None
    assert probed.probe["model_count"] == 1
    model = _models(sqlite_database, record.id)["scripted"]
    assert model.is_available
    assert (model.first_seen_at, model.last_seen_at) == (NOW, NOW)


def test_a_model_comes_goes_and_comes_back_as_the_same_one(database: Database) -> None:
    with ScriptedServer("ollama", models=("one", "two")) as server:
        record = _add(database, base_url=server.url)
        _probe(database, record.id)
        before = _models(database, record.id)
        server.models = ("one", "three")
        _probe(database, record.id)
        between = _models(database, record.id)
        server.models = ("one", "two", "three")
        _probe(database, record.id)
        after = _models(database, record.id)
    assert {name: model.is_available for name, model in between.items()} == {"one": True, "two": False, "three": True}
    assert all(model.is_available for model in after.values())
    assert after["two"].id == before["two"].id


def test_a_server_that_does_not_answer_keeps_its_models(database: Database) -> None:
    with ScriptedServer("llama_cpp") as server:
        record = _add(database, kind="llama_cpp", base_url=server.url)
        _probe(database, record.id)
    probed = _probe(database, record.id)
    assert probed.is_reachable is False
    assert probed.probe is not None
    assert probed.probe["error_code"] == "unreachable"
    assert probed.probe["error"]
    assert _models(database, record.id)["scripted"].is_available


def test_what_is_no_model_server_is_told_in_words(sqlite_database: Database) -> None:
    with served({"/": "<html>A web page</html>", "/v1/models": "<html>x</html>"}) as port:
        for kind in ("ollama", "llama_cpp", "openai_compatible"):
            record = _add(sqlite_database, name=kind, kind=kind, base_url=f"http://127.0.0.1:{port}")
            probed = _probe(sqlite_database, record.id)
            assert probed.probe is not None
            assert probed.probe["error"]
            assert _models(sqlite_database, record.id) == {}


def test_the_key_is_sent_and_a_wrong_secret_is_told_in_words(sqlite_database: Database) -> None:
    with ScriptedServer("openai", api_key="sk-right") as server:
        record = _add(sqlite_database, kind="openai_compatible", base_url=f"{server.url}/v1", api_key="sk-right")
        assert _probe(sqlite_database, record.id).is_reachable
        assert _models(sqlite_database, record.id)["scripted"].is_available
        other = _probe(sqlite_database, record.id, secret_key=bytes(32))
        assert other.is_reachable is False
        assert other.probe is not None
        assert other.probe["error_code"] == "cannot_open"
        with sqlite_database.transaction() as connection:
            change_backend(connection, record.id, BackendChange.of(api_key="sk-wrong"), secret_key=SECRET)
        refused = _probe(sqlite_database, record.id)
        assert refused.probe is not None
        assert refused.probe["error_code"] == "key_refused"
        assert "sk-wrong" not in str(refused.probe)


def test_a_context_size_is_learned_and_a_smaller_one_that_was_told_is_kept(sqlite_database: Database) -> None:
    with ScriptedServer("llama_cpp", context_tokens=8192) as server:
        record = _add(sqlite_database, kind="llama_cpp", base_url=server.url)
        _probe(sqlite_database, record.id)
        model = _models(sqlite_database, record.id)["scripted"]
        assert (model.context_tokens, model.context_source) == (8192, ContextSource.KNOWN)
        with sqlite_database.transaction() as connection:
            set_context_tokens(connection, model.id, 4096)
        _probe(sqlite_database, record.id)
        model = _models(sqlite_database, record.id)["scripted"]
        assert (model.context_tokens, model.context_source) == (4096, ContextSource.TOLD)
        server.context_tokens = 2048
        _probe(sqlite_database, record.id)
        model = _models(sqlite_database, record.id)["scripted"]
        assert (model.context_tokens, model.context_source) == (2048, ContextSource.KNOWN)
        with sqlite_database.transaction() as connection:
            set_context_tokens(connection, model.id, None)
        server.context_tokens = 16_384
        _probe(sqlite_database, record.id)
        assert _models(sqlite_database, record.id)["scripted"].context_tokens == 16_384


def test_nobody_waits_for_the_database_while_a_server_is_waited_for(sqlite_database: Database) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    record = _add(sqlite_database, base_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
    written = []

    def answer() -> None:
        peer, _ = listener.accept()
        with peer:
            impatient = Database(sqlite_database.url, busy_timeout_seconds=0.1)
            with impatient.transaction() as connection:
                connection.execute(text("UPDATE users SET name = 'Meanwhile'"))
            impatient.close()
            written.append(True)

    thread = Thread(target=answer, daemon=True)
    thread.start()
    _probe(sqlite_database, record.id)
    thread.join(5)
    listener.close()
    assert written == [True]


def test_a_backend_that_changed_while_it_was_probed_does_not_get_the_old_findings(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer("ollama") as server:
        record = _add(sqlite_database, base_url=server.url)

        def look_and_move(*_args: object, **_kwargs: object) -> Probe:
            with sqlite_database.transaction() as connection:
                change_backend(
                    connection, record.id, BackendChange.of(base_url="http://elsewhere:1"), secret_key=SECRET
                )
            return Probe(is_reachable=True, models=(ModelFound("old", "old"),))

        monkeypatch.setattr("forllm_server.catalog.probing.look", look_and_move)
        assert _probe(sqlite_database, record.id).probe is None
        assert _models(sqlite_database, record.id) == {}


def test_a_backend_that_was_deleted_cannot_be_probed(sqlite_database: Database) -> None:
    record = _add(sqlite_database)
    with sqlite_database.transaction() as connection:
        delete_backend(connection, record.id, NOW)
    with pytest.raises(NotFound):
        _probe(sqlite_database, record.id)


def test_whatever_a_server_says_of_itself_can_be_stored(database: Database) -> None:
    odd = ModelFound(
        name="a\x00b\ud800",
        label="",
        context_tokens=2**70,
        context_source="known",
        size_bytes=2**80,
        digest="d" * 5000,
        details={"x\x00": ["\ud800", {"y": "z" * 20_000}]},
    )
    found = Probe(
        is_reachable=True,
        server="s\x00",
        version="\ud800",
        models=(odd, odd, ModelFound("", "nameless"), ModelFound("n" * 600, "long"), ModelFound("good", "Good")),
    )
    with database.transaction() as connection:
        record = add(connection)
        store_probe(connection, record, found, NOW)
    with database.read() as connection:
        stored = backend_store.get_backend(connection, record.id)
    models = _models(database, record.id)
    assert stored.is_reachable
    assert len(models) == 2
    assert models["good"].label == "Good"
    odd_stored = next(model for name, model in models.items() if name != "good")
    assert odd_stored.size_bytes is None
    assert odd_stored.details == {}
    assert odd_stored.context_tokens == 2**31 - 1


def test_the_embedded_backend_has_its_model_without_being_started(sqlite_database: Database) -> None:
    probed = _probe(sqlite_database, EMBEDDED_BACKEND_ID)
    assert probed.is_reachable
    (model,) = _models(sqlite_database, EMBEDDED_BACKEND_ID).values()
    assert model.is_available
    assert model.context_source is ContextSource.KNOWN
    with sqlite_database.transaction() as connection:
        change = BackendChange.of(options={"gguf_path": "/nowhere/x.gguf"})
        change_backend(connection, EMBEDDED_BACKEND_ID, change, secret_key=SECRET)
    gone = _probe(sqlite_database, EMBEDDED_BACKEND_ID)
    assert gone.probe is not None
    assert gone.probe["error"]
