"""Who works on the queue, and how workers of other processes hear of new work."""

import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from forllm_server import clock
from forllm_server.db import Database
from forllm_server.db.listening import Listener
from forllm_server.queue import keeper, worker_store
from forllm_server.queue.model import ALIVE_SECONDS
from forllm_server.queue.version_store import CHANNEL
from tests.conftest import fill, postgres_database
from tests.queue.test_worker import PATIENCE_SECONDS, Stage, answer
from tests.support.world import insert_backend, insert_model, make_world, queue_request


@pytest.fixture
def stage(database: Database, now: datetime) -> Stage:
    return Stage(database, make_world(database, now))


def test_a_worker_is_listed_from_its_start_to_its_stop(stage: Stage) -> None:
    pool = stage.pool(answer, threads=2)
    pool.start()
    with stage.database.read() as connection:
        (working,) = worker_store.list_workers(connection)
    assert (working.id, working.threads, working.backend_ids) == (pool.identity, 2, None)
    assert working.is_alive(clock.now())
    pool.stop()
    with stage.database.read() as connection:
        (stopped,) = worker_store.list_workers(connection)
    assert not stopped.is_alive(clock.now())


def test_a_stop_does_not_wait_for_who_stands_still_with_the_database(stage: Stage) -> None:
    pool = stage.pool(answer, threads=1)
    pool.start()
    with stage.database.transaction() as stuck:
        stuck.execute(text("UPDATE backends SET name = name"))
        stuck.execute(text("UPDATE workers SET heartbeat_at = heartbeat_at"))
        began = clock.monotonic()
        pool.stop(0.5)
        took = clock.monotonic() - began
    assert took < stage.database.busy_timeout_seconds / 2
    for left in threading.enumerate():
        if left.name.startswith(("keeper", "worker-")):
            left.join(PATIENCE_SECONDS)


def test_a_worker_gives_signs_of_life(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "HEARTBEAT_EVERY_SECONDS", 0.0)
    pool = stage.pool(answer)
    pool.start()

    def has_beaten() -> bool:
        with stage.database.read() as connection:
            (working,) = worker_store.list_workers(connection)
        return working.heartbeat_at > working.started_at

    stage.wait_for(has_beaten)
    pool.stop()


def test_a_worker_without_signs_of_life_is_taken_for_gone(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        worker_store.replace_worker(connection, "host/1/23/4", threads=1, backend_ids=[3, 1], now=now)
        (record,) = worker_store.list_workers(connection)
        assert (record.host, record.pid, record.backend_ids) == ("host", 23, (1, 3))
        later = now + timedelta(seconds=ALIVE_SECONDS + 1)
        assert record.is_alive(now)
        assert not record.is_alive(later)
        assert worker_store.update_heartbeat(connection, "host/1/23/4", later)
        assert worker_store.list_workers(connection)[0].is_alive(later)
        worker_store.update_stopped(connection, "host/1/23/4", later)
        assert not worker_store.update_heartbeat(connection, "host/1/23/4", later)
        assert not worker_store.update_heartbeat(connection, "nobody/1/1/1", later)


def test_workers_long_gone_are_forgotten(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        worker_store.replace_worker(connection, "old/1/2/3", threads=1, backend_ids=None, now=now)
        much_later = now + worker_store.REMEMBERED + timedelta(seconds=1)
        worker_store.replace_worker(connection, "new/1/2/3", threads=1, backend_ids=None, now=much_later)
        assert [record.id for record in worker_store.list_workers(connection)] == ["new/1/2/3"]


def test_a_worker_takes_only_what_it_was_told_to_take(stage: Stage, now: datetime) -> None:
    with stage.database.transaction() as connection:
        other = insert_backend(connection, now, name="Other")
        insert_model(connection, other, now)
    asked = stage.ask()
    picky = stage.pool(answer, backend_ids=[other])
    assert not picky.run_next()
    assert stage.pool(answer, backend_ids=[stage.world.backend_id]).run_next()
    assert stage.get(asked).reply_post_id is not None


@pytest.mark.slow
def test_a_commit_in_one_process_wakes_the_listeners_of_others(
    request: pytest.FixtureRequest, tmp_path: Path, now: datetime
) -> None:
    database = postgres_database(request.getfixturevalue("postgres_server"))
    fill(database, tmp_path / "backups")
    world = make_world(database, now)
    woken = threading.Event()
    listener = Listener(database, CHANNEL, woken.set)
    listener.start()
    assert listener.is_listening.wait(PATIENCE_SECONDS)
    woken.wait(PATIENCE_SECONDS)
    woken.clear()
    queue_request(database, world, now)
    assert woken.wait(PATIENCE_SECONDS)
    listener.stop()
    database.close()


def test_on_sqlite_nobody_listens(sqlite_database: Database) -> None:
    listener = Listener(sqlite_database, CHANNEL, lambda: None)
    listener.start()
    assert not listener.is_listening.is_set()
    listener.stop()
