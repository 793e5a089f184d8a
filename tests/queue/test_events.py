"""What happened to each request, and that it is written with the change or not at all."""

from datetime import datetime, timedelta

from forllm_server.db import Database
from forllm_server.queue import claiming, control, event_store, lease_store
from forllm_server.queue.claiming import LEASE, ClaimableBackend
from forllm_server.queue.lease_store import Lease, Outcome
from forllm_server.queue.llm_request_store import insert_llm_requests
from forllm_server.queue.model import Cause, LlmRequest, Status
from forllm_server.queue.retry import Decision
from tests.support.world import World, make_world, new_request, queue_request

WORKER = "elsewhere/1/1/1"


def claim(database: Database, world: World, now: datetime) -> LlmRequest:
    with database.transaction() as connection:
        claimed = claiming.claim(
            connection,
            backends=[ClaimableBackend(world.backend_id, 9, True)],
            worker=WORKER,
            now=now,
        )
    assert claimed is not None
    return claimed.request


def lease_of(request: LlmRequest) -> Lease:
    return Lease(request.id, request.lease_token or "", request.run, request.topic_id)


def names(database: Database, request: LlmRequest) -> list[str]:
    with database.read() as connection:
        return [event.name.value for event in event_store.list_events(connection, request.id)]


def outcome(first_token_at: datetime | None = None, *, is_first_token_noted: bool = False) -> Outcome:
    return Outcome(
        usage=None,
        finish_reason="stop",
        output_tokens=1,
        has_chunks=False,
        first_token_at=first_token_at,
        is_first_token_noted=is_first_token_noted,
    )


def test_an_answered_request_tells_its_way(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    asked = queue_request(database, world, now)
    claimed = claim(database, world, now)
    begun_at = now + timedelta(seconds=3)
    with database.transaction() as connection:
        lease_store.update_to_succeeded(connection, lease_of(claimed), outcome(begun_at), None, now=now)
    assert names(database, asked) == ["queued", "claimed", "first_token", "succeeded"]
    with database.read() as connection:
        events = event_store.list_events(connection, asked.id)
    assert (events[1].run, events[1].worker) == (1, WORKER)
    assert events[2].at == begun_at


def test_the_first_token_is_told_once(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    asked = queue_request(database, world, now)
    lease = lease_of(claim(database, world, now))
    with database.transaction() as connection:
        for is_first in (True, False):
            lease_store.update_progress(
                connection, lease, until=now + LEASE, output_tokens=1, first_token_at=now, is_first=is_first
            )
        done = outcome(now, is_first_token_noted=True)
        lease_store.update_to_succeeded(connection, lease, done, None, now=now)
    assert names(database, asked) == ["queued", "claimed", "first_token", "succeeded"]


def test_failures_retries_and_releases_are_told_with_their_reason(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    asked = queue_request(database, world, now)
    due_at = now + timedelta(seconds=30)
    for decision in (
        Decision(Status.WAITING, 1, due_at, Cause.RETRY, "cut"),
        Decision(Status.QUEUED, 1, None, Cause.WORKER_STOPPED, "stopped"),
        Decision(Status.FAILED, 2, None, Cause.ERROR, "no"),
    ):
        with database.transaction() as connection:
            lease_store.update_due_to_queued(connection, due_at)
        claimed = claim(database, world, now)
        with database.transaction() as connection:
            lease_store.update_unfinished(connection, lease_of(claimed), decision, now=now)
    told = ["queued", "claimed", "retry_waits", "due", "claimed", "released", "claimed", "failed"]
    assert names(database, asked) == told
    with database.read() as connection:
        assert event_store.list_newest_events(connection, limit=1)[0].detail == "no"


def test_a_rescue_names_the_worker_that_was_lost(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    asked = queue_request(database, world, now)
    claim(database, world, now)
    with database.transaction() as connection:
        claiming.rescue_expired(connection, now + 2 * LEASE, lambda: 0.5)
        last = event_store.list_events(connection, asked.id)[-1]
    assert (last.name.value, last.worker) == ("rescued", WORKER)


def test_what_a_person_does_is_told(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    asked = queue_request(database, world, now)
    with database.transaction() as connection:
        control.hold_llm_request(connection, asked.id, now)
        control.release_llm_request(connection, asked.id, now)
        control.run_llm_request_now(connection, asked.id, now)
        control.cancel_llm_request(connection, asked.id, now)
        control.retry_llm_request(connection, asked.id, now)
    assert names(database, asked) == ["queued", "held", "released", "run_now", "cancelled", "retried"]


def test_a_write_that_the_fence_refuses_leaves_no_trace(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    asked = queue_request(database, world, now)
    claimed = claim(database, world, now)
    stranger = Lease(claimed.id, "somebody else's", 1, claimed.topic_id)
    with database.transaction() as connection:
        lease_store.update_to_succeeded(connection, stranger, outcome(), None, now=now)
        lease_store.update_unfinished(
            connection, stranger, Decision(Status.FAILED, 1, None, Cause.ERROR, "no"), now=now
        )
    assert names(database, asked) == ["queued", "claimed"]


def test_many_that_are_asked_at_once_each_have_their_event(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    queue_request(database, world, now)
    with database.transaction() as connection:
        insert_llm_requests(connection, [new_request(world, answer_number=100 + each) for each in range(300)], now)
        events = event_store.list_newest_events(connection, limit=1000)
    assert len({event.llm_request_id for event in events}) == len(events) == 301
    assert {event.at for event in events} == {now}


def test_events_are_read_page_by_page(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    for _ in range(5):
        queue_request(database, world, now)
    with database.read() as connection:
        newest = event_store.list_newest_events(connection, limit=2)
        older = event_store.list_newest_events(connection, before_id=newest[-1].id, limit=10)
    assert len(newest) == 2
    assert len(older) == 3
    assert newest[-1].id > older[0].id
