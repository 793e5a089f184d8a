"""The page of the workers."""

from datetime import datetime, timedelta

import pytest
import time_machine

from forllm_server.db import Database, metadata
from forllm_server.queue.worker_store import replace_worker, update_stopped
from tests.pages.conftest import Browser
from tests.support.world import World, make_world, queue_request

DESK, ATTIC = "desk/1700000000/42/1700000100", "attic/1700000000/7/1700000100"


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    return make_world(sqlite_database, now)


def test_without_a_worker_it_says_that_nobody_works(browser: Browser) -> None:
    browser.open("/workers")
    assert browser.page.h1.get_text() == "No worker runs"
    assert "Nobody works" in browser.words()


def test_a_worker_shows_its_host_its_threads_its_backends_and_what_it_does(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queued = queue_request(sqlite_database, world, now)
    requests = metadata.tables["llm_requests"]
    with sqlite_database.transaction() as connection:
        replace_worker(connection, DESK, threads=3, backend_ids=[world.backend_id], now=now)
        running = {"status": "running", "run": 1, "worker": DESK, "started_at": now}
        connection.execute(requests.update().where(requests.c.id == queued.id).values(**running))
    with time_machine.travel(now + timedelta(seconds=5), tick=False):
        browser.open("/workers")
    assert browser.page.h1.get_text() == "1 worker, 3 replies at once"
    words = browser.words()
    assert "desk process 42" in words
    assert "3 threads; takes work of Desk" in words
    assert "Assistant v1 on qwen3:8b: ZFS or Btrfs?" in words


def test_workers_that_stopped_or_fell_silent_are_told_apart(
    browser: Browser, sqlite_database: Database, now: datetime
) -> None:
    with sqlite_database.transaction() as connection:
        replace_worker(connection, DESK, threads=1, backend_ids=None, now=now)
        replace_worker(connection, ATTIC, threads=1, backend_ids=None, now=now)
        update_stopped(connection, ATTIC, now)
    with time_machine.travel(now + timedelta(minutes=5), tick=False):
        browser.open("/workers")
    rows = [" ".join(row.get_text(" ").split()) for row in browser.page.select("li.row")]
    assert any("desk" in row and "gave no sign of life any more" in row for row in rows)
    assert any("attic" in row and "stopped in good order" in row for row in rows)


def test_two_workers_of_one_name_are_told_apart(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    """As two containers of one host name, in each of which the worker is process 1."""
    first, second = "forllm/1700000000.aaaaaaaa/1/1700000100", "forllm/1700000000.bbbbbbbb/1/1700000100"
    queued = queue_request(sqlite_database, world, now)
    requests = metadata.tables["llm_requests"]
    with sqlite_database.transaction() as connection:
        replace_worker(connection, first, threads=1, backend_ids=None, now=now)
        replace_worker(connection, second, threads=2, backend_ids=[world.backend_id], now=now)
        running = {"status": "running", "run": 1, "worker": second, "started_at": now}
        connection.execute(requests.update().where(requests.c.id == queued.id).values(**running))
    with time_machine.travel(now + timedelta(seconds=5), tick=False):
        browser.open("/workers")
    assert browser.page.h1.get_text() == "2 workers, 3 replies at once"
    rows = sorted(" ".join(row.get_text(" ").split()) for row in browser.page.select("li.row"))
    assert "1 thread; takes work of every backend Waits for work." in rows[0]
    assert "2 threads; takes work of Desk" in rows[1]
    assert "Assistant v1" in rows[1]
