"""How people read which model is meant."""

from forllm_server.catalog.editing import EMBEDDED_BACKEND_ID
from forllm_server.catalog.naming import read_model_names
from forllm_server.catalog.removing import delete_backend
from forllm_server.db import Database
from tests.catalog.world import NOW, add, add_model


def test_a_model_is_called_by_its_label_even_after_its_backend_is_gone(database: Database) -> None:
    with database.transaction() as connection:
        backend = add(connection)
        add_model(connection, backend.id, "/models/qwen3.gguf", label="qwen3")
        delete_backend(connection, backend.id, now=NOW)
        names = read_model_names(connection)
    assert names.words("/models/qwen3.gguf") == "qwen3"
    assert (names.words("never-seen"), names.words(None), names.words("")) == ("never-seen", "", "")


def test_two_models_are_never_called_alike(database: Database) -> None:
    with database.transaction() as connection:
        backend = add(connection)
        add_model(connection, backend.id, "/fast/qwen3.gguf", label="qwen3")
        add_model(connection, EMBEDDED_BACKEND_ID, "qwen3", label="qwen3")
        names = read_model_names(connection)
    assert [names.words(name) for name in ("/fast/qwen3.gguf", "qwen3")] == ["/fast/qwen3.gguf", "qwen3"]


def test_the_backend_is_named_where_several_have_the_model(database: Database) -> None:
    with database.transaction() as connection:
        attic = add(connection, name="Attic")
        cellar = add(connection, name="Cellar", base_url="http://127.0.0.1:11500")
        add_model(connection, attic.id, "qwen3:latest", label="qwen3")
        add_model(connection, cellar.id, "qwen3:latest", label="qwen3")
        add_model(connection, cellar.id, "phi4")
        names = read_model_names(connection)
    assert names.words("qwen3:latest", cellar.id) == "qwen3 on Cellar"
    assert names.words("qwen3:latest") == "qwen3"
    assert names.words("phi4", cellar.id) == "phi4"
