"""A wall clock that is set forward or back by hours, while workers hold leases that are written in its time."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection

from forllm_server import clock
from forllm_server.db import Database, metadata
from forllm_server.queue import lease_store
from forllm_server.queue.job import Interruption, Job
from forllm_server.queue.model import Status
from tests.queue.test_worker import Stage, answer, replies
from tests.queue.test_worker import stage as stage

HOURS = timedelta(hours=3)
PATIENCE_SECONDS = 20.0

Jump = Callable[[timedelta], None]


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> Jump:
    """Set the clock of everybody; what counts seconds in memory goes on undisturbed."""
    real = clock.now
    ahead = [timedelta(0)]

    def now() -> datetime:
        return real() + ahead[0]

    def set_ahead(by: timedelta) -> None:
        ahead[0] += by

    monkeypatch.setattr(clock, "now", now)
    return set_ahead


class Slow:
    """A job that writes until it is let go or interrupted, and then answers."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.begun, self.let_go = threading.Event(), threading.Event()
        self.jobs: list[Job] = []

    def __call__(self, job: Job) -> None:
        self.jobs.append(job)
        job.on_interrupt(self.let_go.set)
        job.write(self.text)
        job.checkpoint()
        self.begun.set()
        assert self.let_go.wait(PATIENCE_SECONDS)
        answer(job, self.text)


def test_set_forward_no_answer_is_given_twice_and_nobody_works_on_for_long_without_a_lease(
    stage: Stage, jump: Jump
) -> None:
    first, second = Slow("first"), Slow("second")
    asked = stage.ask()
    one = stage.pool(first)
    one.start()
    assert first.begun.wait(PATIENCE_SECONDS)
    jump(HOURS)
    other = stage.pool(second, threads=0)
    second.let_go.set()
    other._keeper.tick()
    if other.run_next():
        # It was taken over: who had it must notice within a few seconds, and stop its model.
        stage.wait_for(lambda: first.jobs[0].interruption is Interruption.LEASE_LOST)
    first.let_go.set()
    stage.wait_for(lambda: stage.get(asked).status is Status.SUCCEEDED)
    assert list(replies(stage.database)) == [asked]


@pytest.mark.parametrize("by", [HOURS, -HOURS])
def test_who_works_on_alone_finishes_whatever_the_clock_says(stage: Stage, jump: Jump, by: timedelta) -> None:
    slow = Slow("ZFS.")
    asked = stage.ask()
    pool = stage.pool(slow, threads=0)
    worker = threading.Thread(target=pool.run_next)
    worker.start()
    assert slow.begun.wait(PATIENCE_SECONDS)
    jump(by)
    slow.jobs[0].write(" Or not.")
    slow.jobs[0].checkpoint()
    slow.let_go.set()
    worker.join(PATIENCE_SECONDS)
    assert replies(stage.database) == {asked: "ZFS."}
    assert stage.get(asked).attempts == 1


def test_set_back_what_a_dead_process_of_this_machine_had_is_taken_back_at_the_next_start(
    stage: Stage, jump: Jump
) -> None:
    asked = stage.ask()
    dead = stage.pool(lambda job: None, threads=0)
    dead.identity = f"{dead.identity.rsplit('/', 2)[0]}/999999999/1"
    with stage.database.transaction() as connection:
        set_lease(connection, asked, dead.identity, clock.now() + timedelta(seconds=30))
    jump(-HOURS)
    alive = stage.pool(lambda job: answer(job))
    alive.start()
    stage.wait_for(lambda: stage.get(asked).status is Status.SUCCEEDED)
    assert list(replies(stage.database)) == [asked]


def test_set_forward_a_worker_that_goes_on_keeps_its_work(stage: Stage, jump: Jump) -> None:
    first = Slow("first")
    asked = stage.ask()
    one, other = stage.pool(first), stage.pool(lambda job: answer(job, "second"), threads=0)
    one.start()
    assert first.begun.wait(PATIENCE_SECONDS)
    other._keeper.tick()
    jump(HOURS)
    other._keeper.tick()
    stage.wait_for(lambda: (stage.get(asked).lease_until or clock.now()) > clock.now())
    assert not other.run_next()
    assert first.jobs[0].interruption is None
    first.let_go.set()
    stage.wait_for(lambda: stage.get(asked).status is Status.SUCCEEDED)
    assert replies(stage.database) == {asked: "first"}
    assert stage.get(asked).run == 1


def test_set_back_what_a_dead_worker_elsewhere_had_is_not_held_for_hours(stage: Stage, jump: Jump) -> None:
    asked = stage.ask()
    with stage.database.transaction() as connection:
        set_lease(connection, asked, "elsewhere/1/2/3", clock.now() + timedelta(seconds=30))
    alive = stage.pool(lambda job: answer(job), threads=0)
    alive._keeper.tick()
    jump(-HOURS)
    alive._keeper.tick()
    assert stage.get(asked).status is Status.RUNNING
    # Whoever lives has half a minute to show it; then it is taken back.
    alive._keeper._rescues_from = clock.monotonic()
    alive._keeper._performed_at.clear()
    alive._keeper.tick()
    assert stage.get(asked).status is Status.QUEUED
    assert alive.run_next()
    assert list(replies(stage.database)) == [asked]


def set_lease(connection: Connection, llm_request_id: int, worker: str, until: datetime) -> None:
    """As a claim leaves it behind whose process is gone."""
    requests = metadata.tables["llm_requests"]
    values = {"status": "running", "run": 1, "lease_token": "gone", "lease_until": until, "worker": worker}
    connection.execute(requests.update().where(requests.c.id == llm_request_id).values(**values))


def test_a_checkpoint_of_a_lost_lease_writes_nothing_at_whatever_time(
    stage: Stage, jump: Jump, database: Database
) -> None:
    slow = Slow("ZFS.")
    asked = stage.ask()
    pool = stage.pool(slow, threads=0)
    worker = threading.Thread(target=pool.run_next)
    worker.start()
    assert slow.begun.wait(PATIENCE_SECONDS)
    with database.transaction() as connection:
        set_lease(connection, asked, "somebody/else/1/1", clock.now() + timedelta(seconds=30))
    jump(-HOURS)
    slow.let_go.set()
    worker.join(PATIENCE_SECONDS)
    assert replies(database) == {}
    with database.read() as connection:
        (running,) = lease_store.list_running(connection)
    assert (running.id, running.lease_token) == (asked, "gone")
