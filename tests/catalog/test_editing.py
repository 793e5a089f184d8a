"""Adding, changing and removing backends."""

from typing import Any

import pytest
from sqlalchemy import event, text

from forllm_server.catalog import backend_store, model_store
from forllm_server.catalog.api_keys import open_api_key
from forllm_server.catalog.connecting import connect
from forllm_server.catalog.editing import (
    EMBEDDED_BACKEND_ID,
    BackendChange,
    change_backend,
    disable_backend,
    enable_backend,
    ensure_embedded,
)
from forllm_server.catalog.model import BackendKind
from forllm_server.catalog.removing import delete_backend
from forllm_server.crypto.sealing import CannotOpen
from forllm_server.db import Database
from forllm_server.errors import ForllmError, Invalid, NameTaken, NotAllowed, NotFound, Unavailable
from tests.catalog.world import NOW, SECRET, add, add_model


def test_a_backend_is_added_with_a_cleaned_name_and_address(database: Database) -> None:
    with database.transaction() as connection:
        record = add(connection, name="  My\tWorkshop ", base_url="workshop.lan:11434/", concurrency=4)
    with database.read() as connection:
        assert backend_store.get_backend(connection, record.id) == record
    assert record.name == "My Workshop"
    assert record.kind is BackendKind.OLLAMA
    assert record.base_url == "http://workshop.lan:11434"
    assert record.concurrency == 4
    assert record.is_enabled
    assert record.probe is None
    assert not record.has_api_key


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 5000}, "name"),
        ({"kind": "embedded"}, "kind"),
        ({"kind": "gpt"}, "kind"),
        ({"base_url": "ftp://x"}, "base_url"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": 65}, "concurrency"),
        ({"concurrency": True}, "concurrency"),
        ({"silence_seconds": 4}, "silence_seconds"),
        ({"silence_seconds": 86_401}, "silence_seconds"),
        ({"options": {"colour": "red"}}, "options"),
        ({"options": {"gguf_path": "/models/x.gguf"}}, "options"),
        ({"options": {"default_context_tokens": 12}}, "options"),
        ({"options": {"keep_alive": "for ever"}}, "options"),
        ({"options": {"is_configured": True}}, "options"),
        ({"api_key": "ключ"}, "api_key"),
        ({"api_key": "a\nb"}, "api_key"),
        ({"api_key": "Change-Me"}, "api_key"),
        ({"api_key": "k" * 20_000}, "api_key"),
    ],
)
def test_what_will_not_do_is_refused_with_its_field(
    sqlite_database: Database, values: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused, sqlite_database.transaction() as connection:
        add(connection, **values)
    assert refused.value.field == field
    with sqlite_database.read() as connection:
        assert [record.id for record in backend_store.list_backends(connection)] == [EMBEDDED_BACKEND_ID]


def test_a_name_is_taken_in_any_case_until_its_backend_is_deleted(database: Database) -> None:
    with database.transaction() as connection:
        first = add(connection, name="Straße")
        with pytest.raises(NameTaken) as taken:
            add(connection, name="STRASSE")
        assert taken.value.field == "name"
        delete_backend(connection, first.id, NOW)
        assert add(connection, name="strasse").id != first.id


def test_the_store_itself_refuses_a_taken_name_and_the_transaction_goes_on(database: Database) -> None:
    with database.transaction() as connection:
        add(connection, name="One")
        two = add(connection, name="Two")
        with pytest.raises(NameTaken):
            backend_store.update_backend(connection, two.id, {"name": "One", "name_key": "one"})
        assert backend_store.get_backend(connection, two.id).name == "Two"


def test_the_api_key_is_sealed_and_never_shown(database: Database) -> None:
    with database.transaction() as connection:
        record = add(connection, api_key=" sk-very-secret ")
        raw = connection.execute(
            text("SELECT api_key_sealed FROM backends WHERE id = :id"), {"id": record.id}
        ).scalar_one()
    assert b"secret" not in bytes(raw)
    assert "secret" not in repr(record)
    assert "sealed" not in repr(record)
    assert "sk-very" not in repr(BackendChange.of(api_key="sk-very-secret"))
    assert record.has_api_key
    assert open_api_key(record, secret_key=SECRET) == "sk-very-secret"
    with pytest.raises(CannotOpen):
        open_api_key(record, secret_key=bytes(32))


def test_a_key_moved_to_another_row_or_server_does_not_open(sqlite_database: Database) -> None:
    with sqlite_database.transaction() as connection:
        one = add(connection, name="One", api_key="sk-one")
        two = add(connection, name="Two", base_url="http://evil.example")
        moved = backend_store.update_backend(connection, two.id, {"api_key_sealed": one.api_key_sealed})
        turned = backend_store.update_backend(connection, one.id, {"base_url": "http://evil.example"})
    for record in (moved, turned):
        with pytest.raises(CannotOpen):
            open_api_key(record, secret_key=SECRET)


def test_only_the_named_fields_change(database: Database) -> None:
    with database.transaction() as connection:
        before = add(connection, api_key="sk-1", options={"keep_alive": "1h"}, silence_seconds=60)
        after = change_backend(connection, before.id, BackendChange.of(concurrency=8), secret_key=SECRET)
        assert after.concurrency == 8
        assert (after.name, after.base_url, after.options) == (before.name, before.base_url, before.options)
        assert open_api_key(after, secret_key=SECRET) == "sk-1"
        quiet = change_backend(connection, before.id, BackendChange.of(silence_seconds=None), secret_key=SECRET)
        assert quiet.silence_seconds is None


def test_a_new_server_needs_the_key_again(sqlite_database: Database) -> None:
    with sqlite_database.transaction() as connection:
        record = add(connection, api_key="sk-1")
        with pytest.raises(Invalid) as refused:
            change_backend(connection, record.id, BackendChange.of(base_url="http://other:1"), secret_key=SECRET)
        assert refused.value.field == "api_key"
        same = change_backend(
            connection, record.id, BackendChange.of(base_url=f"{record.base_url}/proxy"), secret_key=SECRET
        )
        assert open_api_key(same, secret_key=SECRET) == "sk-1"
        change = BackendChange.of(base_url="http://other:1", api_key="sk-2")
        moved = change_backend(connection, record.id, change, secret_key=SECRET)
        assert open_api_key(moved, secret_key=SECRET) == "sk-2"
        bare = change_backend(connection, record.id, BackendChange.of(api_key=None), secret_key=SECRET)
        assert not bare.has_api_key


def test_a_backend_is_disabled_and_enabled(database: Database) -> None:
    with database.transaction() as connection:
        record = add(connection)
        add_model(connection, record.id, "llama3")
        assert not disable_backend(connection, record.id).is_enabled
        assert model_store.list_models(connection, is_available=True) == []
        assert enable_backend(connection, record.id).is_enabled
        assert [listed.model.name for listed in model_store.list_models(connection, is_available=True)] == ["llama3"]


def test_a_deleted_backend_loses_key_and_models_but_can_still_be_named(database: Database) -> None:
    with database.transaction() as connection:
        record = add(connection, api_key="sk-1")
        model = add_model(connection, record.id, "llama3")
        delete_backend(connection, record.id, NOW)
        left = backend_store.find_backend(connection, record.id)
        assert left is not None
        assert left.deleted_at == NOW
        assert not left.has_api_key
        assert not model_store.get_model(connection, model.id).is_available
        for act in (delete_backend, lambda c, i, _: disable_backend(c, i)):
            with pytest.raises(NotFound):
                act(connection, record.id, NOW)


def test_the_embedded_backend_may_be_disabled_but_not_deleted_or_moved(sqlite_database: Database) -> None:
    with sqlite_database.transaction() as connection:
        with pytest.raises(NotAllowed):
            delete_backend(connection, EMBEDDED_BACKEND_ID, NOW)
        for change in (BackendChange.of(base_url="http://x"), BackendChange.of(api_key="k")):
            with pytest.raises(ForllmError):
                change_backend(connection, EMBEDDED_BACKEND_ID, change, secret_key=SECRET)
        options = {"gguf_path": "/models/qwen.gguf"}
        changed = change_backend(connection, EMBEDDED_BACKEND_ID, BackendChange.of(options=options), secret_key=SECRET)
        assert changed.options == options
        assert not disable_backend(connection, EMBEDDED_BACKEND_ID).is_enabled


def test_the_embedded_backend_is_made_once_and_other_ids_follow(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM backends"))
        made = ensure_embedded(connection, owner_id=1, now=NOW)
        assert (made.id, made.kind, made.name) == (EMBEDDED_BACKEND_ID, BackendKind.EMBEDDED, "Embedded")
        disable_backend(connection, made.id)
        assert not ensure_embedded(connection, owner_id=1, now=NOW).is_enabled
        assert add(connection).id > EMBEDDED_BACKEND_ID


def test_a_record_becomes_a_backend_with_its_key_and_its_own_silence(sqlite_database: Database) -> None:
    with sqlite_database.transaction() as connection:
        patient = add(connection, api_key="sk-1", silence_seconds=90)
        usual = add(connection, name="Usual")
    for record, silence_seconds, api_key in ((patient, 90, "sk-1"), (usual, 600, None)):
        backend = connect(record, secret_key=SECRET, silence_seconds=600)
        assert backend.kind == "ollama"
        assert backend.config.silence_seconds == silence_seconds
        assert backend.config.api_key == api_key
        backend.close()


def test_a_full_list_costs_one_query_however_long(sqlite_database: Database) -> None:
    with sqlite_database.transaction() as connection:
        for number in range(20):
            record = add(connection, name=f"Server {number}")
            add_model(connection, record.id, "llama3")
        statements: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            statements.append(statement)

        event.listen(sqlite_database.engine, "before_cursor_execute", note)
        listed = model_store.list_models(connection)
        event.remove(sqlite_database.engine, "before_cursor_execute", note)
    assert len(listed) == 20
    assert len(statements) == 1


def test_a_locked_database_is_told_and_nothing_is_half_written(sqlite_database: Database) -> None:
    impatient = Database(sqlite_database.url, busy_timeout_seconds=0.05)
    with sqlite_database.transaction(), pytest.raises(Unavailable), impatient.transaction() as connection:
        add(connection)
    with impatient.transaction() as connection:
        assert add(connection).name == "Workshop"
    impatient.close()
