import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pytest

from forllm_server.db import Database
from forllm_server.queue import backend_state_store, claiming, lease_store
from forllm_server.queue.claiming import LEASE, ClaimableBackend
from forllm_server.queue.dispatch import LastServed
from forllm_server.queue.lease_store import Lease, Outcome
from forllm_server.queue.llm_request_store import get_llm_request, update_status
from forllm_server.queue.model import Cause, Lane, LlmRequest, Status
from forllm_server.queue.retry import Decision
from tests.support.world import World, insert_backend, insert_model, insert_topic, make_world, queue_request

DICE = 0.5
OUTCOME = Outcome(usage=None, finish_reason="stop", output_tokens=1, has_chunks=True, first_token_at=None)


def claim(
    database: Database,
    world: World,
    now: datetime,
    *,
    concurrency: int = 1,
    is_open: bool = True,
    own_last: Mapping[int, LastServed] | None = None,
    fans_out: bool = True,
    backends: Sequence[ClaimableBackend] = (),
) -> LlmRequest | None:
    with database.transaction() as connection:
        claimed = claiming.claim(
            connection,
            backends=backends or [ClaimableBackend(world.backend_id, concurrency, is_open, fans_out)],
            own_last=own_last,
            worker="elsewhere/1/1/1",
            now=now,
        )
    return claimed.request if claimed else None


def lease_of(request: LlmRequest) -> Lease:
    assert request.lease_token is not None
    return Lease(request.id, request.lease_token, request.run, request.topic_id)


def test_a_claim_gives_a_lease(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    queue_request(database, world, now)
    claimed = claim(database, world, now)
    assert claimed is not None
    assert (claimed.status, claimed.run, claimed.lease_until) == (Status.RUNNING, 1, now + LEASE)


def test_the_concurrency_of_a_backend_is_never_exceeded(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    for _ in range(3):
        queue_request(database, world, now, topic_id=None)
    claimed = [claim(database, world, now, concurrency=2) for _ in range(3)]
    assert [request is not None for request in claimed] == [True, True, False]


def test_workers_that_claim_at_once_do_not_exceed_it_either(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    for _ in range(12):
        queue_request(database, world, now, topic_id=None)
    claimed: list[LlmRequest | None] = []
    threads = [
        threading.Thread(target=lambda: claimed.append(claim(database, world, now, concurrency=2))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == 8
    assert sum(request is not None for request in claimed) == 2


def test_a_cold_prompt_prefix_is_not_read_by_two_at_once(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    for _ in range(2):
        queue_request(database, world, now)
    first = claim(database, world, now, concurrency=2)
    assert first is not None
    assert claim(database, world, now, concurrency=2) is None
    with database.transaction() as connection:
        lease_store.update_progress(connection, lease_of(first), until=now + LEASE, output_tokens=1, first_token_at=now)
    assert claim(database, world, now, concurrency=2) is not None


def test_where_threads_are_not_fanned_out_each_place_has_one_of_its_own(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    with database.transaction() as connection:
        other_id = insert_topic(connection, world, now)
    asked = [queue_request(database, world, now, topic_id=each) for each in (world.topic_id, world.topic_id, other_id)]
    first = claim(database, world, now, concurrency=4, fans_out=False)
    assert first is not None
    with database.transaction() as connection:
        lease_store.update_progress(connection, lease_of(first), until=now + LEASE, output_tokens=1, first_token_at=now)
    beside = claim(database, world, now, concurrency=4, fans_out=False)
    assert beside is not None
    assert (first.topic_id, beside.topic_id) == (world.topic_id, other_id)
    assert claim(database, world, now, concurrency=4, fans_out=False) is None
    live = queue_request(database, world, now, lane=Lane.LIVE)
    urgent = claim(database, world, now, concurrency=4, fans_out=False)
    assert urgent is not None
    assert urgent.id == live.id
    with database.transaction() as connection:
        for done in (first, urgent):
            lease_store.update_to_succeeded(connection, lease_of(done), OUTCOME, None, now=now)
    after = claim(database, world, now, concurrency=4, fans_out=False)
    assert after is not None
    assert after.id == asked[1].id


def test_a_closed_window_lets_only_run_now_through(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    queue_request(database, world, now)
    assert claim(database, world, now, is_open=False) is None
    live = queue_request(database, world, now, lane=Lane.LIVE)
    claimed = claim(database, world, now, is_open=False)
    assert claimed is not None
    assert claimed.id == live.id


def test_a_backend_whose_circuit_is_open_is_left_alone_and_then_tried_with_one(
    database: Database, now: datetime
) -> None:
    world = make_world(database, now)
    for _ in range(3):
        queue_request(database, world, now, topic_id=None)
    with database.transaction() as connection:
        for number in range(1, 4):
            failures = backend_state_store.insert_failure(connection, world.backend_id, error="refused", now=now)
            assert failures == number
        backend_state_store.update_open_until(connection, world.backend_id, open_until=now + timedelta(seconds=30))
    assert claim(database, world, now, concurrency=4) is None
    later = now + timedelta(seconds=31)
    claimed = [claim(database, world, later, concurrency=4) for _ in range(2)]
    assert [request is not None for request in claimed] == [True, False]


def test_a_backend_with_nothing_to_do_does_not_hide_the_next_one(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    with database.transaction() as connection:
        other_id = insert_backend(connection, now, name="Other")
        other_model = insert_model(connection, other_id, now)
    queue_request(database, world, now, backend_id=other_id, model_id=other_model)
    both = [ClaimableBackend(world.backend_id, 1, True), ClaimableBackend(other_id, 1, True)]
    claimed = claim(database, world, now, backends=both)
    assert claimed is not None
    assert claimed.backend_id == other_id


def test_what_the_server_has_loaded_goes_first(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    with database.transaction() as connection:
        other_model = insert_model(connection, world.backend_id, now, name="llama3.1:8b")
    queue_request(database, world, now, model_id=other_model)
    loaded = queue_request(database, world, now)
    with database.transaction() as connection:
        last = LastServed(world.model_id, 1, world.topic_id, owner_id=1)
        backend_state_store.replace_last_served(connection, world.backend_id, last, now=now)
        assert backend_state_store.list_last_served(connection) == {world.backend_id: last}
    claimed = claim(database, world, now)
    assert claimed is not None
    assert claimed.id == loaded.id


def test_each_place_of_a_backend_goes_on_with_its_own_thread(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    with database.transaction() as connection:
        topics = [insert_topic(connection, world, now) for _ in range(2)]
    queued = [queue_request(database, world, now, topic_id=topics[number % 2]) for number in range(6)]
    first, second = (claim(database, world, now, concurrency=2) for _ in range(2))
    assert first is not None
    assert second is not None
    assert [first.topic_id, second.topic_id] == topics
    for request in (first, second):
        with database.transaction() as connection:
            lease_store.update_to_succeeded(connection, lease_of(request), OUTCOME, None, now=now)
    own = {world.backend_id: LastServed(world.model_id, 1, first.topic_id)}
    third = claim(database, world, now, concurrency=2, own_last=own)
    assert third is not None
    assert third.id == queued[2].id


def test_a_place_whose_model_is_no_longer_loaded_goes_on_with_the_one_that_is(
    database: Database, now: datetime
) -> None:
    world = make_world(database, now)
    with database.transaction() as connection:
        other_model = insert_model(connection, world.backend_id, now, name="llama3.1:8b")
        last = LastServed(other_model, 1, world.topic_id, owner_id=1)
        backend_state_store.replace_last_served(connection, world.backend_id, last, now=now)
    queue_request(database, world, now)
    loaded = queue_request(database, world, now, model_id=other_model)
    own = {world.backend_id: LastServed(world.model_id, 1, world.topic_id)}
    claimed = claim(database, world, now, concurrency=2, own_last=own)
    assert claimed is not None
    assert claimed.id == loaded.id


def test_a_write_without_the_lease_changes_nothing(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    queue_request(database, world, now)
    claimed = claim(database, world, now)
    assert claimed is not None
    stranger = Lease(claimed.id, "somebody else's", claimed.run, claimed.topic_id)
    gone = Decision(Status.FAILED, 1, None, Cause.ERROR, "no")
    with database.transaction() as connection:
        assert lease_store.update_lease(connection, stranger, until=now) is None
        assert lease_store.update_progress(connection, stranger, until=now, output_tokens=9, first_token_at=now) is None
        assert not lease_store.update_unfinished(connection, stranger, gone, now=now)
        assert not lease_store.update_to_succeeded(connection, stranger, OUTCOME, None, now=now)
        assert get_llm_request(connection, claimed.id) == claimed


def test_an_expired_lease_is_rescued_and_the_first_owner_is_fenced_off(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    queue_request(database, world, now)
    first = claim(database, world, now)
    assert first is not None
    later = now + LEASE + timedelta(seconds=1)
    with database.transaction() as connection:
        assert claiming.rescue_expired(connection, now, lambda: DICE) == []
        assert [each.id for each in claiming.rescue_expired(connection, later, lambda: DICE)] == [first.id]
    second = claim(database, world, later)
    assert second is not None
    assert (second.id, second.run, second.attempts) == (first.id, 2, 1)
    with database.transaction() as connection:
        won = [
            lease_store.update_to_succeeded(connection, lease_of(request), OUTCOME, None, now=later)
            for request in (first, second)
        ]
    assert won == [False, True]


def test_a_request_whose_worker_is_lost_again_and_again_fails_visibly(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    asked = queue_request(database, world, now, max_attempts=2)
    for round_number in range(2):
        start = now + timedelta(hours=round_number)
        assert claim(database, world, start) is not None
        with database.transaction() as connection:
            claiming.rescue_expired(connection, start + timedelta(minutes=1), lambda: DICE)
    with database.read() as connection:
        lost = get_llm_request(connection, asked.id)
    assert (lost.status, lost.cause, lost.attempts) == (Status.FAILED, Cause.WORKER_LOST, 2)


def test_a_lost_request_that_was_being_cancelled_is_cancelled(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    asked = queue_request(database, world, now)
    assert claim(database, world, now) is not None
    with database.transaction() as connection:
        update_status(connection, asked.id, from_statuses=(Status.RUNNING,), values={"is_cancel_requested": True})
        claiming.rescue_expired(connection, now + timedelta(minutes=1), lambda: DICE)
        assert get_llm_request(connection, asked.id).status is Status.CANCELLED


def test_what_is_due_joins_the_queue(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    asked = queue_request(database, world, now)
    claimed = claim(database, world, now)
    assert claimed is not None
    due_at = now + timedelta(seconds=30)
    again = Decision(Status.WAITING, 1, due_at, Cause.RETRY, "cut")
    with database.transaction() as connection:
        assert lease_store.update_unfinished(connection, lease_of(claimed), again, now=now)
        assert not lease_store.has_due(connection, now)
        assert lease_store.update_due_to_queued(connection, now) == 0
        assert lease_store.has_due(connection, due_at)
        assert lease_store.update_due_to_queued(connection, due_at) == 1
        assert get_llm_request(connection, asked.id).status is Status.QUEUED


@pytest.mark.parametrize("identity", ["another-host/1/1/1", "", "x"])
def test_a_worker_of_another_host_is_never_taken_for_gone(database: Database, now: datetime, identity: str) -> None:
    world = make_world(database, now)
    queue_request(database, world, now)
    assert claim(database, world, now) is not None
    with database.transaction() as connection:
        assert claiming.rescue_orphans(connection, now, lambda: DICE) == []
