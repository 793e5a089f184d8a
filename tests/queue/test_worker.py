"""The pool of workers with real threads on a real database; only what a job does is scripted."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, text

from forllm_server import clock
from forllm_server.backends.faults import CutOff, Unreachable
from forllm_server.db import Database, metadata
from forllm_server.queue import chunk_store, claiming, control, lease_store
from forllm_server.queue.claiming import ClaimableBackend
from forllm_server.queue.job import Hopeless, Interrupted, Interruption, Job
from forllm_server.queue.llm_request_store import get_llm_request
from forllm_server.queue.model import Cause, LlmRequest, Status
from forllm_server.queue.wakeup import Wakeup
from forllm_server.queue.worker import WorkerPool
from tests.support.world import World, insert_post, make_world, queue_request

PATIENCE_SECONDS = 60.0


@dataclass
class Scripted:
    """A kind of job that does what its test says."""

    script: Callable[[Job], None]

    def run(self, job: Job) -> None:
        self.script(job)


@dataclass
class FixedPlan:
    """One backend; the test opens and closes its window."""

    backend_id: int
    is_open: bool = True
    closing: Interruption | None = None

    def backends(self, connection: Connection, now: datetime) -> Sequence[ClaimableBackend]:
        return [ClaimableBackend(self.backend_id, 1, self.is_open)]

    def interruption(self, connection: Connection, now: datetime, request: LlmRequest) -> Interruption | None:
        return self.closing


class Stage:
    """A pool on a database, and what a test asks of it."""

    def __init__(self, database: Database, world: World) -> None:
        self.database = database
        self.world = world
        self.plan = FixedPlan(world.backend_id)
        self.pools: list[WorkerPool] = []

    def pool(
        self, script: Callable[[Job], None], threads: int = 1, backend_ids: Sequence[int] | None = None
    ) -> WorkerPool:
        pool = WorkerPool(
            self.database,
            kinds={"reply": Scripted(script)},
            plan=self.plan,
            threads=threads,
            wakeup=Wakeup(),
            backend_ids=backend_ids,
        )
        self.pools.append(pool)
        return pool

    def ask(self, **changes: object) -> int:
        return queue_request(self.database, self.world, clock.now(), **changes).id

    def get(self, llm_request_id: int) -> LlmRequest:
        with self.database.read() as connection:
            return get_llm_request(connection, llm_request_id)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "it did not come to pass in time"
            time.sleep(0.02)


@pytest.fixture
def stage(database: Database, now: datetime) -> Iterator[Stage]:
    stage = Stage(database, make_world(database, now))
    yield stage
    for pool in stage.pools:
        pool.stop()


def answer(job: Job, text: str = "ZFS.") -> None:
    """What a kind does at the end: the reply is a post."""

    def write_reply(connection: Connection) -> int:
        number = connection.execute(metadata.tables["posts"].select()).all()
        post_id = insert_post(connection, job.request.topic_id or 0, clock.now(), number=len(number))
        posts = metadata.tables["posts"]
        connection.execute(
            posts.update().where(posts.c.id == post_id).values(content=text, llm_request_id=job.request.id)
        )
        return post_id

    job.succeed(write_reply, usage={"prompt_tokens": 5}, finish_reason="stop", output_tokens=2)


def replies(database: Database) -> Mapping[int, str]:
    posts = metadata.tables["posts"]
    with database.read() as connection:
        rows = connection.execute(posts.select().where(posts.c.llm_request_id.is_not(None)))
        return {row.llm_request_id: row.content for row in rows}


def test_a_reply_and_its_status_are_one_thing(stage: Stage) -> None:
    asked = stage.ask()
    assert stage.pool(answer).run_next()
    done = stage.get(asked)
    assert (done.status, done.attempts, done.usage, done.finish_reason) == (
        Status.SUCCEEDED,
        1,
        {"prompt_tokens": 5},
        "stop",
    )
    assert replies(stage.database) == {asked: "ZFS."}
    assert done.reply_post_id is not None


def test_when_the_reply_cannot_be_written_the_request_has_not_succeeded(stage: Stage) -> None:
    asked = stage.ask()

    def fail_late(job: Job) -> None:
        def write_reply(connection: Connection) -> int:
            insert_post(connection, stage.world.topic_id, clock.now(), number=5)
            raise RuntimeError("in the middle of the transaction")

        job.succeed(write_reply, usage=None, finish_reason="stop", output_tokens=1)

    stage.pool(fail_late).run_next()
    request = stage.get(asked)
    assert (request.status, request.cause) == (Status.WAITING, Cause.INTERNAL)
    with stage.database.read() as connection:
        assert len(connection.execute(metadata.tables["posts"].select()).all()) == 1


def test_an_error_becomes_a_visible_state_with_its_words(stage: Stage) -> None:
    asked = stage.ask()

    def refuse(job: Job) -> None:
        raise Hopeless("The topic was deleted.", cause=Cause.SUBJECT_GONE)

    stage.pool(refuse).run_next()
    failed = stage.get(asked)
    assert (failed.status, failed.cause, failed.cause_detail) == (
        Status.FAILED,
        Cause.SUBJECT_GONE,
        "The topic was deleted.",
    )


def test_a_job_that_ends_without_a_word_is_an_error(stage: Stage) -> None:
    asked = stage.ask()
    stage.pool(lambda job: None).run_next()
    assert stage.get(asked).cause is Cause.INTERNAL


def test_a_kind_that_only_a_newer_version_knows_is_an_error_that_says_so(stage: Stage) -> None:
    asked = stage.ask(kind="prophecy", max_attempts=1)
    stage.pool(answer).run_next()
    failed = stage.get(asked)
    assert (failed.status, failed.cause) == (Status.FAILED, Cause.INTERNAL)
    assert "of the kind “prophecy”" in (failed.cause_detail or "")


def test_the_partial_text_of_a_failed_run_is_kept_and_the_next_run_replaces_it(stage: Stage) -> None:
    asked = stage.ask()

    def cut(job: Job) -> None:
        job.write("half a sen", "hm")
        raise CutOff()

    pool = stage.pool(cut)
    pool.run_next()
    with stage.database.transaction() as connection:
        partial = chunk_store.find_partial(connection, asked)
        control.retry_llm_request(connection, asked, clock.now())
    assert partial is not None
    assert (partial.text, partial.thinking, partial.run) == ("half a sen", "hm", 1)
    pool.kinds = {"reply": Scripted(lambda job: (job.write("a whole one", tokens=99), answer(job))[1])}
    pool.run_next()
    assert stage.get(asked).status is Status.SUCCEEDED
    with stage.database.read() as connection:
        assert chunk_store.find_partial(connection, asked) is None


def test_a_cancel_reaches_a_silent_generation_and_keeps_its_text(stage: Stage) -> None:
    asked = stage.ask()
    is_closed = threading.Event()

    def wait_in_silence(job: Job) -> None:
        job.on_interrupt(is_closed.set)
        job.write("as far as", tokens=99)
        assert is_closed.wait(PATIENCE_SECONDS)
        raise Interrupted()

    stage.pool(wait_in_silence).start()
    stage.wait_for(lambda: stage.get(asked).output_tokens == 99)
    with stage.database.transaction() as connection:
        control.cancel_llm_request(connection, asked, clock.now())
    stage.wait_for(lambda: stage.get(asked).status is Status.CANCELLED)
    with stage.database.read() as connection:
        partial = chunk_store.find_partial(connection, asked)
    assert partial is not None
    assert partial.text == "as far as"


@pytest.mark.parametrize("ends_by", ["an error", "a stop", "no lease"])
def test_what_was_called_off_is_not_begun_again_by_how_its_run_ended(stage: Stage, ends_by: str) -> None:
    asked = stage.ask()
    pool = stage.pool(lambda job: None)

    def end(job: Job) -> None:
        if ends_by == "no lease":
            requests = metadata.tables["llm_requests"]
            with stage.database.transaction() as connection:
                connection.execute(requests.update().values(lease_until=clock.now() - timedelta(hours=1)))
                lost = claiming.list_expired(connection, clock.now())
                control.cancel_llm_request(connection, asked, clock.now())
                claiming._rescue(connection, lost, clock.now(), lambda: 0.5)
        else:
            with stage.database.transaction() as connection:
                control.cancel_llm_request(connection, asked, clock.now())
        if ends_by == "a stop":
            job.interrupt(Interruption.STOPPING)
            raise Interrupted()
        raise CutOff()

    pool.kinds = {"reply": Scripted(end)}
    pool.run_next()
    ended = stage.get(asked)
    assert (ended.status, ended.cause, ended.cause_detail) == (Status.CANCELLED, Cause.CANCELLED, "Cancelled.")


def test_what_was_called_off_keeps_its_text_where_a_closing_window_would_drop_it(stage: Stage) -> None:
    asked = stage.ask()

    def end(job: Job) -> None:
        job.write("as far as", tokens=99)
        with stage.database.transaction() as connection:
            control.cancel_llm_request(connection, asked, clock.now())
        job.interrupt(Interruption.WINDOW_STOPPED)
        raise Interrupted()

    stage.pool(end).run_next()
    with stage.database.read() as connection:
        partial = chunk_store.find_partial(connection, asked)
    assert stage.get(asked).status is Status.CANCELLED
    assert partial is not None
    assert partial.text == "as far as"


def test_a_graceful_stop_releases_the_request_without_spending_an_attempt(stage: Stage) -> None:
    asked = stage.ask()
    has_begun, is_closed = threading.Event(), threading.Event()

    def generate(job: Job) -> None:
        job.on_interrupt(is_closed.set)
        job.write("begun")
        has_begun.set()
        assert is_closed.wait(PATIENCE_SECONDS)
        raise Interrupted()

    pool = stage.pool(generate)
    pool.start()
    assert has_begun.wait(PATIENCE_SECONDS)
    assert pool.stop()
    released = stage.get(asked)
    assert (released.status, released.attempts, released.cause) == (Status.QUEUED, 0, Cause.WORKER_STOPPED)
    with stage.database.read() as connection:
        partial = chunk_store.find_partial(connection, asked)
    assert partial is not None
    assert partial.text == "begun"


@pytest.mark.parametrize(
    ("policy", "kept"), [(Interruption.WINDOW_PAUSED, "begun"), (Interruption.WINDOW_STOPPED, None)]
)
def test_a_closing_window_parks_the_request(stage: Stage, policy: Interruption, kept: str | None) -> None:
    asked = stage.ask()
    is_closed = threading.Event()

    def generate(job: Job) -> None:
        job.on_interrupt(is_closed.set)
        job.write("begun", tokens=99)
        stage.plan.is_open = False
        stage.plan.closing = policy
        assert is_closed.wait(PATIENCE_SECONDS)
        raise Interrupted()

    stage.pool(generate).start()
    stage.wait_for(lambda: stage.get(asked).cause is Cause.WINDOW_CLOSED)
    parked = stage.get(asked)
    assert (parked.status, parked.attempts) == (Status.QUEUED, 0)
    with stage.database.read() as connection:
        partial = chunk_store.find_partial(connection, asked)
    assert (partial.text if partial else None) == kept


def test_a_worker_that_stood_still_past_its_lease_writes_nothing_more(stage: Stage) -> None:
    asked = stage.ask()

    def sleep_through_the_lease(job: Job) -> None:
        with stage.database.transaction() as connection:
            table = metadata.tables["llm_requests"]
            connection.execute(table.update().values(lease_until=clock.now() - timedelta(hours=1)))
        other.tick_rescue()
        other.run_next()
        answer(job, "too late")

    class Other(WorkerPool):
        def tick_rescue(self) -> None:
            self._keeper.tick()

    other = Other(stage.database, kinds={"reply": Scripted(answer)}, plan=stage.plan, threads=0, wakeup=Wakeup())
    stage.pool(sleep_through_the_lease).run_next()
    assert replies(stage.database) == {asked: "ZFS."}
    assert stage.get(asked).status is Status.SUCCEEDED


def test_three_transport_failures_open_the_circuit_for_everybody(stage: Stage) -> None:
    for _ in range(5):
        stage.ask()

    def refuse(job: Job) -> None:
        raise Unreachable()

    pool = stage.pool(refuse)
    assert [pool.run_next() for _ in range(4)] == [True, True, True, False]
    with stage.database.read() as connection:
        waiting = [
            get_llm_request(connection, row.id) for row in connection.execute(metadata.tables["llm_requests"].select())
        ]
        assert lease_store.list_running(connection) == []
    assert sorted(request.status for request in waiting) == ["queued"] * 2 + ["waiting"] * 3
    assert all(request.attempts == 0 for request in waiting)


def test_work_that_arrives_later_is_begun_without_being_asked_for(stage: Stage) -> None:
    pool = stage.pool(answer, threads=3)
    pool.start()
    asked = [stage.ask() for _ in range(20)]
    stage.wait_for(lambda: all(stage.get(each).status is Status.SUCCEEDED for each in asked))
    assert sorted(replies(stage.database)) == asked


def test_the_next_request_is_taken_with_the_end_of_the_one_before(stage: Stage) -> None:
    ids = [stage.ask() for _ in range(3)]
    seen: list[list[Status]] = []

    def watch(job: Job) -> None:
        answer(job)
        seen.append([stage.get(each).status for each in ids])

    assert stage.pool(watch).run_all() == 3
    done, next_up, queued = Status.SUCCEEDED, Status.RUNNING, Status.QUEUED
    if stage.database.is_sqlite:
        assert seen == [[done, next_up, queued], [done, done, next_up], [done, done, done]]
    else:
        assert seen == [[done, queued, queued], [done, done, queued], [done, done, done]]


def test_what_was_taken_with_an_end_that_failed_was_not_taken(stage: Stage) -> None:
    first, second = stage.ask(max_attempts=1), stage.ask()
    ended: list[int] = []

    def lose_the_first(job: Job) -> None:
        if job.request.id == first:
            with stage.database.transaction() as connection:
                connection.execute(text("UPDATE llm_requests SET lease_token = 'x' WHERE id = :id"), {"id": first})
        ended.append(job.request.id)
        answer(job)

    assert stage.pool(lose_the_first).run_all() == 1
    assert [stage.get(each).status for each in (first, second)] == [Status.RUNNING, Status.QUEUED]
    assert ended == [first]


def test_a_stop_releases_what_was_taken_already(stage: Stage) -> None:
    first, second = stage.ask(), stage.ask()
    pools: list[WorkerPool] = []

    def stop_at_the_end(job: Job) -> None:
        answer(job)
        pools[0].stop()

    pools.append(stage.pool(stop_at_the_end))
    pools[0].run_all()
    released = stage.get(second)
    assert (stage.get(first).status, released.status, released.attempts) == (Status.SUCCEEDED, Status.QUEUED, 0)
