"""A person's own order, and what is done to many at once."""

import threading
from datetime import datetime

import pytest

from forllm_server.db import Database
from forllm_server.errors import Conflict, Invalid, NotFound
from forllm_server.queue import claiming, control, lease_store
from forllm_server.queue.bulk import Action, change_many, requeue_many
from forllm_server.queue.claiming import ClaimableBackend
from forllm_server.queue.event_store import list_events
from forllm_server.queue.lease_store import Lease
from forllm_server.queue.llm_request_store import get_llm_request, list_plan, list_positions, update_status
from forllm_server.queue.model import Cause, Lane, Status
from forllm_server.queue.moving import move_llm_requests, run_llm_request_tonight, unpin_llm_request
from forllm_server.queue.retry import Decision
from tests.support.world import World, insert_backend, insert_model, make_world, new_request, queue_request


def line(database: Database) -> list[int]:
    """The queued requests in the order of the claim's index."""
    with database.read() as connection:
        positions = list_positions(connection)
        plan = [request.id for request in list_plan(connection, limit=100) if request.status is Status.QUEUED]
    assert plan == sorted(positions, key=lambda each: positions[each])
    return plan


def claims(database: Database, world: World, now: datetime) -> list[int]:
    """The order in which workers really take them."""
    taken = []
    backends = [ClaimableBackend(world.backend_id, 99, True)]
    while True:
        with database.transaction() as connection:
            claimed = claiming.claim(connection, backends=backends, worker="w", now=now)
        if claimed is None:
            return taken
        taken.append(claimed.request.id)


@pytest.fixture
def world(database: Database, now: datetime) -> World:
    return make_world(database, now)


def ask(database: Database, world: World, now: datetime, number: int, **changes: object) -> list[int]:
    return [queue_request(database, world, now, **({"topic_id": None} | changes)).id for _ in range(number)]


def move(database: Database, ids: list[int], before_id: int | None, now: datetime) -> None:
    with database.transaction() as connection:
        moved = move_llm_requests(connection, ids, before_id=before_id, now=now)
    assert [request.id for request in moved] == ids


def test_what_is_moved_to_the_top_goes_first_in_the_order_given(
    database: Database, world: World, now: datetime
) -> None:
    a, b, c, d = ask(database, world, now, 4)
    move(database, [d, b], None, now)
    assert line(database) == [d, b, a, c]
    move(database, [c], None, now)
    assert line(database) == [c, d, b, a]
    assert claims(database, world, now) == [c, d, b, a]


def test_what_is_moved_before_another_stands_right_there(database: Database, world: World, now: datetime) -> None:
    a, b, c, d, e = ask(database, world, now, 5)
    move(database, [e, d], c, now)
    assert line(database) == [a, b, e, d, c]
    move(database, [c], b, now)
    assert line(database) == [a, c, b, e, d]
    move(database, [a], d, now)
    assert line(database) == [c, b, e, a, d]
    assert claims(database, world, now) == [c, b, e, a, d]


def test_it_can_be_moved_a_hundred_times_to_the_same_place(database: Database, world: World, now: datetime) -> None:
    a, b, c = ask(database, world, now, 3)
    for _ in range(50):
        move(database, [c], b, now)
        move(database, [b], c, now)
    assert line(database) == [a, b, c]


def test_a_place_goes_before_priority_and_after_run_now(database: Database, world: World, now: datetime) -> None:
    (plain,) = ask(database, world, now, 1)
    (urgent,) = ask(database, world, now, 1, priority=9)
    (live,) = ask(database, world, now, 1, lane=Lane.LIVE)
    move(database, [plain], None, now)
    assert line(database) == [live, plain, urgent]


def test_a_held_request_keeps_the_place_it_was_given(database: Database, world: World, now: datetime) -> None:
    a, b, c = ask(database, world, now, 3)
    with database.transaction() as connection:
        control.hold_llm_request(connection, c, now)
    move(database, [c], b, now)
    with database.transaction() as connection:
        control.release_llm_request(connection, c, now)
    assert line(database) == [a, c, b]


def test_without_its_place_it_stands_where_it_would_have_stood(database: Database, world: World, now: datetime) -> None:
    a, b = ask(database, world, now, 2)
    move(database, [b], None, now)
    with database.transaction() as connection:
        assert unpin_llm_request(connection, b, now).pinned is None
    assert line(database) == [a, b]


def test_those_without_a_model_have_a_line_of_their_own(database: Database, world: World, now: datetime) -> None:
    a, b = ask(database, world, now, 2, backend_id=None, model_id=None)
    (with_model,) = ask(database, world, now, 1)
    move(database, [b], a, now)
    with database.read() as connection:
        assert get_llm_request(connection, with_model).pinned is None
        assert get_llm_request(connection, b).pinned == 1.0


def test_moves_between_lines_and_of_what_is_over_are_refused(database: Database, world: World, now: datetime) -> None:
    a, b = ask(database, world, now, 2)
    (live,) = ask(database, world, now, 1, lane=Lane.LIVE)
    with database.transaction() as connection:
        other = insert_backend(connection, now, name="Other")
        model = insert_model(connection, other, now)
    (elsewhere,) = ask(database, world, now, 1, backend_id=other, model_id=model)
    with database.transaction() as connection:
        for before_id in (live, elsewhere, a):
            with pytest.raises(Conflict):
                move_llm_requests(connection, [a], before_id=before_id, now=now)
        control.cancel_llm_request(connection, b, now)
        with pytest.raises(Conflict):
            move_llm_requests(connection, [b], before_id=None, now=now)
        with pytest.raises(NotFound):
            move_llm_requests(connection, [a], before_id=404, now=now)
        assert move_llm_requests(connection, [], before_id=None, now=now) == []


def test_many_are_changed_and_those_that_cannot_be_are_told(database: Database, world: World, now: datetime) -> None:
    a, b, c = ask(database, world, now, 3)
    with database.transaction() as connection:
        control.cancel_llm_request(connection, b, now)
        changes = change_many(connection, Action.HOLD, [a, b, c, c, 404], now)
        assert [request.id for request in changes.changed] == [a, c]
        assert set(changes.refused) == {b, 404}
        assert "was cancelled" in changes.refused[b]
        released = change_many(connection, Action.RELEASE, [a, c], now)
        assert {request.status for request in released.changed} == {Status.QUEUED}
        assert {each.lane for each in change_many(connection, Action.RUN_NOW, [a], now).changed} == {Lane.LIVE}
        assert len(change_many(connection, Action.CANCEL, [a, c], now).changed) == 2
        assert len(change_many(connection, Action.RETRY, [a, b, c], now).changed) == 3


def test_one_that_collides_with_its_twin_does_not_stop_the_others(
    database: Database, world: World, now: datetime
) -> None:
    first = queue_request(database, world, now, answer_number=1)
    (other,) = ask(database, world, now, 1)
    with database.transaction() as connection:
        change_many(connection, Action.CANCEL, [first.id, other], now)
    queue_request(database, world, now, answer_number=1)
    with database.transaction() as connection:
        changes = change_many(connection, Action.RETRY, [first.id, other], now)
    assert set(changes.refused) == {first.id}
    assert [request.id for request in changes.changed] == [other]


@pytest.mark.slow
def test_many_are_cancelled_while_workers_settle_them(database: Database, world: World, now: datetime) -> None:
    """Neither waits for the other for ever: both lock requests before the queue's version."""
    ids = ask(database, world, now, 40)
    backends = [ClaimableBackend(world.backend_id, 99, True)]
    leases = []
    with database.transaction() as connection:
        for _ in ids:
            claimed = claiming.claim(connection, backends=backends, worker="w", now=now)
            assert claimed is not None
            request = claimed.request
            leases.append(Lease(request.id, request.lease_token or "", request.run, request.topic_id))
    done = Decision(Status.QUEUED, 0, None, Cause.WORKER_STOPPED, "Stopped.")

    def settle() -> None:
        for lease in reversed(leases):
            with database.transaction() as connection:
                assert lease_store.update_unfinished(connection, lease, done, now=now)

    worker = threading.Thread(target=settle)
    worker.start()
    for _ in range(5):
        with database.transaction() as connection:
            change_many(connection, Action.CANCEL, ids, now)
    worker.join()
    with database.read() as connection:
        assert lease_store.list_running(connection) == []


def test_failed_ones_are_answered_by_another_model(database: Database, world: World, now: datetime) -> None:
    a, b = ask(database, world, now, 2)
    with database.transaction() as connection:
        other = insert_backend(connection, now, name="Other")
        model = insert_model(connection, other, now, name="llama3.1:8b")
        control.cancel_llm_request(connection, a, now)
        control.hold_llm_request(connection, b, now)
        changes = requeue_many(connection, [a, b], model_id=model, now=now)
        assert not changes.refused
        for each, status in ((a, Status.QUEUED), (b, Status.HELD)):
            request = get_llm_request(connection, each)
            assert (request.backend_id, request.model_id, request.model_name) == (other, model, "llama3.1:8b")
            assert request.status is status
        with pytest.raises(Invalid) as refused:
            requeue_many(connection, [a], model_id=404, now=now)
        assert refused.value.field == "model_id"
        twin = new_request(world)
        assert twin.model_id != model


def test_what_was_to_run_now_goes_back_to_the_night(database: Database, world: World, now: datetime) -> None:
    first, second = queue_request(database, world, now).id, queue_request(database, world, now).id
    with database.transaction() as connection:
        control.run_llm_request_now(connection, second, now)
        move_llm_requests(connection, [second], before_id=None, now=now)
        changed = run_llm_request_tonight(connection, second, now)
        assert (changed.lane, changed.status, changed.pinned) == (Lane.NIGHT, Status.QUEUED, None)
        assert list_events(connection, second)[-1].detail == "to the night"
    assert line(database) == [first, second]


@pytest.mark.parametrize("status", [Status.HELD, Status.WAITING])
def test_what_is_held_or_due_later_is_to_run_tonight(
    database: Database, world: World, now: datetime, status: Status
) -> None:
    first, second = queue_request(database, world, now).id, queue_request(database, world, now).id
    with database.transaction() as connection:
        move_llm_requests(connection, [second], before_id=None, now=now)
        values = {"status": status.value, "due_at": now, "cause": Cause.RETRY.value, "cause_detail": "Cut off."}
        update_status(connection, second, from_statuses=[Status.QUEUED], values=values)
        changed = run_llm_request_tonight(connection, second, now)
    assert (changed.status, changed.due_at, changed.cause, changed.cause_detail) == (Status.QUEUED, None, None, None)
    # Its place of the night is still its own.
    assert line(database) == [second, first]


@pytest.mark.parametrize("status", ["running", "succeeded", "failed", "cancelled"])
def test_what_has_begun_or_ended_is_not_to_run_tonight(
    database: Database, world: World, now: datetime, status: str
) -> None:
    asked = queue_request(database, world, now).id
    with database.transaction() as connection:
        update_status(connection, asked, from_statuses=[Status.QUEUED], values={"status": status})
    with database.transaction() as connection, pytest.raises(Conflict):
        run_llm_request_tonight(connection, asked, now)


def test_many_are_sent_to_the_night_or_back_to_their_places_at_once(
    database: Database, world: World, now: datetime
) -> None:
    a, b, c = (queue_request(database, world, now).id for _ in range(3))
    with database.transaction() as connection:
        move_llm_requests(connection, [c, b], before_id=None, now=now)
        changes = change_many(connection, Action.UNPIN, [b, c, 404], now)
        assert ([each.id for each in changes.changed], list(changes.refused)) == ([b, c], [404])
    assert line(database) == [a, b, c]
    with database.transaction() as connection:
        change_many(connection, Action.RUN_NOW, [a, b, c], now)
        changes = change_many(connection, Action.RUN_TONIGHT, [a, b, c], now)
    assert {each.lane for each in changes.changed} == {Lane.NIGHT}
