"""Which model answers."""

import pytest
from sqlalchemy import Connection

from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.editing import EMBEDDED_BACKEND_ID, disable_backend
from forllm_server.catalog.model import ChosenModel
from forllm_server.catalog.model_store import update_model
from forllm_server.catalog.removing import delete_backend
from forllm_server.db import Database
from forllm_server.errors import Invalid
from tests.catalog.world import NOW, add, add_model


def _choose(
    connection: Connection, asked: int | None = None, persona: int | None = None, default: int | None = None
) -> ChosenModel | None:
    return choose_model(connection, asked_model_id=asked, persona_model_id=persona, default_model_id=default)


def test_asked_for_goes_before_the_persona_before_the_default_before_the_first(database: Database) -> None:
    with database.transaction() as connection:
        tiny = add_model(connection, EMBEDDED_BACKEND_ID, "smollm2")
        backend = add(connection)
        first, second, third, fourth = (add_model(connection, backend.id, name) for name in ("a", "b", "c", "d"))
        for asked, persona, default, model, reason in (
            (fourth.id, third.id, second.id, fourth, "asked for"),
            (None, third.id, second.id, third, "the persona's model"),
            (None, None, second.id, second, "the default model"),
            (None, None, None, first, "the first model available"),
            (tiny.id, None, None, tiny, "asked for"),
        ):
            chosen = _choose(connection, asked, persona, default)
            assert chosen is not None
            assert (chosen.model, chosen.reason) == (model, reason)
            assert chosen.backend.id == model.backend_id


def test_the_embedded_model_answers_when_nothing_else_is_there(database: Database) -> None:
    with database.transaction() as connection:
        assert _choose(connection) is None
        tiny = add_model(connection, EMBEDDED_BACKEND_ID, "smollm2")
        chosen = _choose(connection)
        assert chosen is not None
        assert (chosen.model.id, chosen.reason) == (tiny.id, "the embedded model")
        disable_backend(connection, EMBEDDED_BACKEND_ID)
        assert _choose(connection) is None


def test_a_persona_whose_model_is_gone_gets_the_default_and_the_reason_says_so(database: Database) -> None:
    with database.transaction() as connection:
        backend = add(connection)
        gone = add_model(connection, backend.id, "gone", is_available=False)
        default = add_model(connection, backend.id, "default")
        chosen = _choose(connection, persona=gone.id, default=default.id)
        assert chosen is not None
        assert chosen.model.id == default.id
        assert chosen.reason == "the default model, for the persona's model is not available"
        update_model(connection, default.id, {"is_available": False})
        other = add_model(connection, backend.id, "other")
        chosen = _choose(connection, persona=gone.id, default=default.id)
        assert chosen is not None
        assert chosen.model.id == other.id
        assert chosen.reason == (
            "the first model available, for the persona's model and the default model are not available"
        )


def test_a_model_that_was_asked_for_is_never_replaced(database: Database) -> None:
    with database.transaction() as connection:
        backend, other = add(connection), add(connection, name="Other")
        add_model(connection, other.id, "llama3")
        gone = add_model(connection, backend.id, "gone", is_available=False)
        there = add_model(connection, backend.id, "there")
        disable_backend(connection, backend.id)
        for model_id in (gone.id, there.id, 999_999):
            with pytest.raises(Invalid) as refused:
                _choose(connection, asked=model_id)
            assert refused.value.field == "model_id"
        delete_backend(connection, backend.id, NOW)
        with pytest.raises(Invalid):
            _choose(connection, asked=there.id)
