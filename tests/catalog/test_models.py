"""Models: what is learned of them, and from whom."""

import pytest

from forllm_server.catalog import model_store
from forllm_server.catalog.contexts import Context, merged_context, set_context_tokens
from forllm_server.catalog.editing import disable_backend
from forllm_server.catalog.model import BackendKind, ContextSource
from forllm_server.db import Database
from forllm_server.errors import Invalid, NotFound
from tests.catalog.world import add, add_model

KNOWN, TOLD, GUESSED = ContextSource.KNOWN, ContextSource.TOLD, ContextSource.GUESSED


@pytest.mark.parametrize(
    ("before", "found", "told", "most", "after"),
    [
        ((None, GUESSED), (8192, KNOWN), None, 8192, (8192, KNOWN)),
        ((4096, KNOWN), (8192, KNOWN), None, 8192, (8192, KNOWN)),
        ((8192, KNOWN), (None, GUESSED), None, None, (8192, KNOWN)),
        ((4096, TOLD), (None, GUESSED), 4096, None, (4096, TOLD)),
        ((4096, TOLD), (2048, KNOWN), 4096, 2048, (2048, KNOWN)),
        ((4096, TOLD), (131_072, KNOWN), 4096, 131_072, (4096, TOLD)),
        ((16_384, TOLD), (4096, KNOWN), 16_384, 131_072, (16_384, TOLD)),
        ((2048, TOLD), (4096, TOLD), None, None, (4096, TOLD)),
        ((2048, TOLD), (None, GUESSED), None, None, (None, GUESSED)),
        ((None, GUESSED), (None, GUESSED), None, None, (None, GUESSED)),
    ],
)
def test_a_persons_word_holds_as_long_as_the_server_can_do_it(
    before: Context, found: Context, told: int | None, most: int | None, after: Context
) -> None:
    assert merged_context(before, found, told=told, most=most) == after


def test_a_person_tells_a_context_size_and_takes_it_back(database: Database) -> None:
    with database.transaction() as connection:
        backend = add(connection)
        model = add_model(connection, backend.id, "llama3")
        told = set_context_tokens(connection, model.id, 16_384)
        assert (told.context_tokens, told.context_source) == (16_384, TOLD)
        back = set_context_tokens(connection, model.id, None)
        assert (back.context_tokens, back.context_source) == (None, GUESSED)


def test_a_context_size_that_will_not_do_is_refused(sqlite_database: Database) -> None:
    with sqlite_database.transaction() as connection:
        backend = add(connection, kind="llama_cpp")
        known = add_model(connection, backend.id, "llama3", context_tokens=8192, context_source="known")
        for tokens in (0, 255, 2**40, 8193):
            with pytest.raises(Invalid) as refused:
                set_context_tokens(connection, known.id, tokens)
            assert refused.value.field == "context_tokens"
        assert set_context_tokens(connection, known.id, 4096).context_source is TOLD


def test_ollama_loads_as_much_as_a_person_wants_up_to_what_the_model_was_trained_for(database: Database) -> None:
    with database.transaction() as connection:
        model = add_model(
            connection,
            add(connection).id,
            "llama3",
            context_tokens=4096,
            context_source="known",
            details={"trained_context_tokens": 131_072},
        )
        assert set_context_tokens(connection, model.id, 32_768).context_tokens == 32_768
        with pytest.raises(Invalid):
            set_context_tokens(connection, model.id, 200_000)


def test_only_a_model_that_exists_can_be_told(sqlite_database: Database) -> None:
    with sqlite_database.transaction() as connection, pytest.raises(NotFound):
        set_context_tokens(connection, 999_999, 4096)


def test_characters_per_token_are_learned_and_absurd_ones_are_not(database: Database) -> None:
    with database.transaction() as connection:
        model = add_model(connection, add(connection).id, "llama3")
        learned = []
        for ratio in (4.0, 3.0, 0.0, 500.0, 3.0):
            model_store.update_characters_per_token(connection, model.id, ratio)
            learned.append(model_store.get_model(connection, model.id).characters_per_token)
        assert learned == pytest.approx([4.0, 3.8, 3.8, 3.8, 3.64])


def test_a_list_tells_each_models_backend_and_whether_it_may_be_asked(database: Database) -> None:
    with database.transaction() as connection:
        here, off = add(connection, name="Here"), add(connection, name="Off", kind="llama_cpp")
        add_model(connection, here.id, "b")
        add_model(connection, here.id, "a", is_available=False)
        add_model(connection, off.id, "c")
        disable_backend(connection, off.id)
        listed = model_store.list_models(connection)
        assert [(item.backend_name, item.model.name, item.may_be_asked) for item in listed] == [
            ("Here", "a", False),
            ("Here", "b", True),
            ("Off", "c", False),
        ]
        assert listed[2].backend_kind is BackendKind.LLAMA_CPP
        available = model_store.list_models(connection, is_available=True)
        assert [item.model.name for item in available] == ["b"]
        missing = model_store.list_models(connection, is_available=False)
        assert [item.model.name for item in missing] == ["a", "c"]


def test_a_model_is_found_or_not(database: Database) -> None:
    with database.transaction() as connection:
        backend = add(connection)
        model = add_model(connection, backend.id, "llama3")
        assert model_store.find_model(connection, model.id) == model
        assert model_store.find_model(connection, 999_999) is None
        with pytest.raises(NotFound):
            model_store.get_model(connection, 999_999)
        with pytest.raises(NotFound):
            model_store.update_model(connection, 999_999, {"label": "x"})
