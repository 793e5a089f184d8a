"""A backend with work waiting is removed only when it is said what shall become of that work."""

from datetime import datetime

import pytest

from forllm_server.catalog.backend_store import find_backend
from forllm_server.catalog.removing import BackendInUse, delete_backend
from forllm_server.db import Database, metadata
from forllm_server.errors import Invalid
from forllm_server.queue.llm_request_store import get_llm_request
from forllm_server.queue.model import LlmRequest, Status
from tests.support.world import World, insert_backend, insert_model, make_world, queue_request

STATES = (Status.QUEUED, Status.WAITING, Status.HELD, Status.RUNNING, Status.FAILED)


@pytest.fixture
def world(database: Database, now: datetime) -> World:
    return make_world(database, now)


def ask_in_every_state(database: Database, world: World, now: datetime) -> dict[Status, int]:
    requests = metadata.tables["llm_requests"]
    asked = {}
    for status in STATES:
        asked[status] = queue_request(database, world, now).id
        with database.transaction() as connection:
            connection.execute(requests.update().where(requests.c.id == asked[status]).values(status=status.value))
    return asked


def add_other(database: Database, now: datetime) -> tuple[int, int]:
    with database.transaction() as connection:
        backend_id = insert_backend(connection, now, name="Attic")
        return backend_id, insert_model(connection, backend_id, now, name="gemma")


def get(database: Database, llm_request_id: int) -> LlmRequest:
    with database.read() as connection:
        return get_llm_request(connection, llm_request_id)


def test_it_is_refused_with_the_number_of_what_waits(database: Database, world: World, now: datetime) -> None:
    ask_in_every_state(database, world, now)
    with pytest.raises(BackendInUse) as caught, database.transaction() as connection:
        delete_backend(connection, world.backend_id, now)
    assert caught.value.message.startswith("3 LLM requests wait for this backend.")
    assert caught.value.facts == {"waiting": 3}
    with database.read() as connection:
        left = find_backend(connection, world.backend_id)
    assert left is not None
    assert left.deleted_at is None


def test_what_waits_can_be_given_to_another_model(database: Database, world: World, now: datetime) -> None:
    asked = ask_in_every_state(database, world, now)
    backend_id, model_id = add_other(database, now)
    with database.transaction() as connection:
        assert delete_backend(connection, world.backend_id, now, move_to_model_id=model_id) == 3
    for before, after in ((Status.QUEUED, Status.QUEUED), (Status.WAITING, Status.QUEUED), (Status.HELD, Status.HELD)):
        moved = get(database, asked[before])
        assert (moved.status, moved.backend_id, moved.model_id, moved.model_name) == (
            after,
            backend_id,
            model_id,
            "gemma",
        )
    for untouched in (Status.RUNNING, Status.FAILED):
        kept = get(database, asked[untouched])
        assert (kept.status, kept.backend_id) == (untouched, world.backend_id)


def test_what_the_other_model_was_asked_already_is_answered_once(
    database: Database, world: World, now: datetime
) -> None:
    backend_id, model_id = add_other(database, now)
    here = queue_request(database, world, now, answer_number=1)
    there = queue_request(database, world, now, answer_number=1, backend_id=backend_id, model_id=model_id)
    with database.transaction() as connection:
        assert delete_backend(connection, world.backend_id, now, move_to_model_id=model_id) == 1
    assert get(database, here.id).status is Status.CANCELLED
    assert get(database, there.id).status is Status.QUEUED


def test_what_waits_can_be_cancelled(database: Database, world: World, now: datetime) -> None:
    asked = ask_in_every_state(database, world, now)
    with database.transaction() as connection:
        assert delete_backend(connection, world.backend_id, now, cancels_waiting=True) == 3
    assert [get(database, each).status for each in asked.values()] == [
        *[Status.CANCELLED] * 3,
        Status.RUNNING,
        Status.FAILED,
    ]


def test_where_nothing_waits_nothing_need_be_said(database: Database, world: World, now: datetime) -> None:
    with database.transaction() as connection:
        assert delete_backend(connection, world.backend_id, now) == 0


@pytest.mark.parametrize("which", ["own", "missing", "both"])
def test_a_choice_that_helps_nobody_is_refused(database: Database, world: World, now: datetime, which: str) -> None:
    queue_request(database, world, now)
    _, other_id = add_other(database, now)
    model_id = {"own": world.model_id, "missing": 404, "both": other_id}[which]
    with pytest.raises(Invalid) as caught, database.transaction() as connection:
        delete_backend(connection, world.backend_id, now, move_to_model_id=model_id, cancels_waiting=which == "both")
    assert caught.value.field == "move_to_model_id"
