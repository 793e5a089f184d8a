"""A disk that is full in the middle of an answer: the request is released with that reason and answered later, once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text

from forllm_server.queue import job as job_module
from forllm_server.queue import outcomes
from forllm_server.queue.model import Cause, Status
from tests.jobs.conftest import Evening
from tests.support.scripted_server import Script
from tests.support.scripted_wire import Wire

#: So much that its pieces need new pages of the file.
#: No word twice: a model that repeats itself would be stopped.
LONG = tuple(f"{number:04d} {' '.join(f'w{number * 400 + each}' for each in range(400))} " for number in range(60))
WIDE = 1 << 30


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (job_module, outcomes):
        monkeypatch.setattr(module, "SETTLE_PAUSES_SECONDS", (0.0, 0.0))


@contextmanager
def full_disk(evening: Evening) -> Iterator[None]:
    """The database file may not grow by a single page, as on a disk without room."""
    limit = [WIDE]

    def set_limit(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {limit[0]}")

    event.listen(evening.database.engine, "checkout", set_limit)
    with evening.database.read() as connection:
        limit[0] = connection.execute(text("PRAGMA page_count")).scalar_one()
    try:
        yield
    finally:
        limit[0] = WIDE
        with evening.database.read():
            pass
        event.remove(evening.database.engine, "checkout", set_limit)


def test_the_request_is_released_and_says_why(evening: Evening) -> None:
    evening.change("backends", evening.world.backend_id, silence_seconds=60)
    evening.change("models", evening.world.model_id, context_tokens=200_000)
    evening.server.default = Script(tokens=LONG)
    asked = evening.ask()
    with full_disk(evening):
        assert evening.run()
        released = evening.get(asked)
        assert released.status is Status.WAITING
        assert released.cause is Cause.RETRY
        assert "disk is full" in (released.cause_detail or "")
        assert (released.attempts, released.lease_token) == (0, None)
        assert len(evening.posts()) == 1
    evening.change("llm_requests", asked.request.id, status="queued", due_at=None)
    assert evening.run()
    assert [post.content for post in evening.posts()[1:]] == ["".join(LONG)]
    assert evening.get(asked).status is Status.SUCCEEDED


def test_room_that_comes_in_time_loses_nothing(evening: Evening) -> None:
    evening.change("models", evening.world.model_id, context_tokens=200_000)
    asked = evening.ask()
    disk = full_disk(evening)

    def write(wire: Wire) -> None:
        wire.head()
        disk.__enter__()
        for token in LONG:
            wire.token(token)
        disk.__exit__(None, None, None)
        wire.finish("stop")
        wire.end()

    evening.server.script(Script(write=write))
    assert evening.run()
    assert [post.content for post in evening.posts()[1:]] == ["".join(LONG)]
    assert evening.get(asked).attempts == 1
