"""What a person does to the queue leaves one line each in the log, once it holds, and none for what was not done."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from forllm_server.db import Database
from forllm_server.errors import Conflict
from forllm_server.queue import control, moving, pausing
from forllm_server.queue.bulk import Action, change_many
from forllm_server.queue.claiming import ClaimableBackend, claim
from tests.support.world import make_world, queue_request

Told = Callable[[], list[tuple[str, dict[str, Any]]]]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    """What was logged since it was called last."""
    caplog.set_level(logging.INFO, logger="forllm")

    def lines() -> list[tuple[str, dict[str, Any]]]:
        found = [(record.getMessage(), vars(record)["facts"]) for record in caplog.records]
        caplog.clear()
        return found

    return lines


def test_each_act_leaves_one_line_that_names_what_it_was_done_to(database: Database, now: datetime, told: Told) -> None:
    world = make_world(database, now)
    first, second = (queue_request(database, world, now).id for _ in range(2))
    acts: list[tuple[Callable[[Connection], object], str, dict[str, Any]]] = [
        (lambda c: control.hold_llm_request(c, first, now), "llm_request.held", {}),
        (lambda c: control.release_llm_request(c, first, now), "llm_request.released", {}),
        (lambda c: control.run_llm_request_now(c, first, now), "llm_request.moved", {"to": "now"}),
        (lambda c: moving.run_llm_request_tonight(c, first, now), "llm_request.moved", {"to": "night"}),
        (lambda c: moving.move_llm_requests(c, [first], before_id=None, now=now), "llm_request.moved", {"to": "top"}),
        (
            lambda c: moving.move_llm_requests(c, [first], before_id=second, now=now),
            "llm_request.moved",
            {"to": f"before {second}"},
        ),
        (lambda c: moving.unpin_llm_request(c, first, now), "llm_request.moved", {"to": "its own place"}),
        (lambda c: control.change_priority(c, first, 3), "llm_request.moved", {"priority": 3}),
        (lambda c: control.cancel_llm_request(c, first, now), "llm_request.cancelled", {}),
        (lambda c: control.retry_llm_request(c, first, now), "llm_request.retried", {}),
        (
            lambda c: control.requeue_llm_request(c, first, model_id=world.model_id, now=now),
            "llm_request.requeued",
            {"model": "qwen3:8b"},
        ),
    ]
    for act, name, more in acts:
        with database.transaction() as connection:
            act(connection)
            assert told() == []
        ((line, facts),) = told()
        assert (line, facts["llm_request"], {key: facts[key] for key in more}) == (name, first, more)


def test_one_that_runs_is_asked_to_stop_and_what_is_so_already_is_not_told(
    database: Database, now: datetime, told: Told
) -> None:
    world = make_world(database, now)
    running = queue_request(database, world, now).id
    with database.transaction() as connection:
        backends = [ClaimableBackend(world.backend_id, 1, is_window_open=True)]
        assert claim(connection, backends=backends, worker="w", now=now)
    held = queue_request(database, world, now).id
    with database.transaction() as connection:
        control.cancel_llm_request(connection, running, now)
        for _ in range(2):
            control.hold_llm_request(connection, held, now)
    assert [(line, facts["llm_request"]) for line, facts in told()] == [
        ("llm_request.cancel_asked", running),
        ("llm_request.held", held),
    ]


def test_what_is_refused_or_rolled_back_is_not_told(database: Database, now: datetime, told: Told) -> None:
    world = make_world(database, now)
    first, second = (queue_request(database, world, now).id for _ in range(2))
    with database.transaction() as connection:
        control.cancel_llm_request(connection, first, now)
    told()
    with database.transaction() as connection:
        change_many(connection, Action.HOLD, [first, second], now)
    assert [(line, facts["llm_request"]) for line, facts in told()] == [("llm_request.held", second)]

    def fail_after_a_release() -> None:
        with database.transaction() as connection:
            control.release_llm_request(connection, second, now)
            control.hold_llm_request(connection, first, now)

    with pytest.raises(Conflict):
        fail_after_a_release()
    with database.transaction() as connection:
        control.retry_llm_request(connection, first, now)
    assert [line for line, _ in told()] == ["llm_request.retried"]


def test_a_persons_pause_is_told_and_the_machines_own_is_told_elsewhere(
    database: Database, now: datetime, told: Told
) -> None:
    world = make_world(database, now)
    until = now + timedelta(hours=1)
    with database.transaction() as connection:
        pausing.pause(connection, backend_id=None, until=until, reason=" a game ", now=now)
        pausing.pause(connection, backend_id=world.backend_id, until=None, reason="GPU", now=now, is_by_machine=True)
    assert told() == [("queue.paused", {"backend": None, "until": until})]
    with database.transaction() as connection:
        pausing.resume(connection, backend_id=world.backend_id, is_by_machine=True)
        for _ in range(2):
            pausing.resume(connection, backend_id=None)
    assert told() == [("queue.resumed", {"backend": None})]
