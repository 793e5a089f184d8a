"""What is kept until the queue changes: never what was taken back, never of another database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text

from forllm_server.db import Database
from forllm_server.queue import llm_request_store, plan_store
from forllm_server.queue.dispatch import Candidate
from forllm_server.queue.moving import move_llm_requests
from forllm_server.queue.plan import order
from forllm_server.queue.remembering import remembered
from forllm_server.queue.version_store import bump_versions
from tests.conftest import EVENING
from tests.support.world import World, make_world, new_request, queue_request


@pytest.fixture
def world(database: Database, now: datetime) -> World:
    return make_world(database, now)


def ask_reader(database: Database, seen: list[int]) -> int:
    """What is remembered under one key; ``seen`` grows with each reading."""

    def read() -> int:
        seen.append(len(seen))
        return seen[-1]

    with database.read() as connection:
        return remembered(connection, "key", read)


def test_it_is_read_once_until_the_queue_changes(database: Database) -> None:
    seen: list[int] = []
    assert [ask_reader(database, seen) for _ in range(3)] == [0, 0, 0]
    with database.transaction() as connection:
        bump_versions(connection, None)
    assert [ask_reader(database, seen) for _ in range(3)] == [1, 1, 1]


def test_what_a_transaction_saw_that_failed_is_not_remembered(database: Database, world: World) -> None:
    class Refusal(Exception):
        """Takes the transaction back."""

    def positions_while_asking(*, is_refused: bool) -> dict[int, int]:
        with database.transaction() as connection:
            llm_request_store.insert_llm_request(connection, new_request(world, answer_number=9), EVENING)
            found = dict(plan_store.list_positions(connection, EVENING))
            if is_refused:
                raise Refusal
        return found

    queue_request(database, world, EVENING)
    with pytest.raises(Refusal):
        positions_while_asking(is_refused=True)
    assert len(_positions(database)) == 1
    assert len(positions_while_asking(is_refused=False)) == len(_positions(database)) == 2


def test_places_are_read_again_when_the_line_has_moved_and_only_then(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def counted(candidates: Sequence[Candidate], *others: Any, **how: Any) -> list[Candidate]:
        read.append(len(candidates))
        return order(candidates, *others, **how)

    monkeypatch.setattr(plan_store, "order", counted)
    asked = [queue_request(database, world, EVENING).id for _ in range(3)]
    assert [_positions(database) for _ in range(3)] == [dict(zip(asked, (1, 2, 3), strict=True))] * 3
    once = len(read)
    with database.transaction() as connection:
        move_llm_requests(connection, [asked[2]], before_id=None, now=EVENING)
    assert _positions(database)[asked[2]] == 1
    assert len(read) == 2 * once


def test_two_databases_are_not_confused(database: Database, sqlite_database: Database) -> None:
    assert ask_reader(database, []) == 0
    assert ask_reader(sqlite_database, [0, 1, 2]) == 3
    with sqlite_database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM llm_requests")).scalar_one() == 0


def _positions(database: Database) -> dict[int, int]:
    with database.read() as connection:
        return dict(plan_store.list_positions(connection, EVENING))
