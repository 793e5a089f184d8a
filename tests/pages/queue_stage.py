"""What the tests of the queue's pages stand on: a clock that stands, a small world, and requests in every state."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from forllm_server.db import Database, metadata
from forllm_server.queue.model import LlmRequest
from forllm_server.queue.version_store import bump_versions
from forllm_server.schedule.planning import add_window, new_window
from forllm_server.schedule.windows import DAYS
from forllm_server.settings.values import change_settings
from tests.pages.conftest import Browser
from tests.support.world import World, insert, make_world, queue_request


@pytest.fixture(autouse=True)
def clock_stands(now: datetime) -> Iterator[None]:
    with time_machine.travel(now, tick=False):
        yield


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    return make_world(sqlite_database, now)


def change(database: Database, llm_request_id: int, **values: Any) -> None:
    requests = metadata.tables["llm_requests"]
    with database.transaction() as connection:
        connection.execute(requests.update().where(requests.c.id == llm_request_id).values(**values))
        bump_versions(connection, 1)


def fail(database: Database, world: World, now: datetime, cause: str, **values: Any) -> LlmRequest:
    queued = queue_request(database, world, now)
    change(database, queued.id, status="failed", cause=cause, cause_detail="It says why.", finished_at=now, **values)
    return queued


def run(database: Database, world: World, now: datetime, **values: Any) -> LlmRequest:
    queued = queue_request(database, world, now)
    started = now - timedelta(seconds=20)
    change(database, queued.id, status="running", run=1, started_at=started, first_token_at=started, **values)
    return queued


def have_answered(database: Database, world: World, now: datetime) -> None:
    """One reply of 300 tokens, at 10 a second: what everything is foretold from."""
    queued = queue_request(database, world, now)
    change(database, queued.id, status="succeeded", finished_at=now, output_tokens=300, usage={"prompt_tokens": 100})
    with database.transaction() as connection:
        insert(
            connection,
            "model_rates",
            model_id=world.model_id,
            prompt_tokens_per_second=100.0,
            generation_tokens_per_second=10.0,
            load_seconds=4.0,
            samples=1,
            updated_at=now,
        )


def have_window(database: Database, now: datetime, start: int = 22 * 60 + 30, end: int = 6 * 60) -> None:
    with database.transaction() as connection:
        change_settings(connection, {"timezone": "UTC"}, now)
        add_window(connection, new_window(days=DAYS, start_minute=start, end_minute=end), owner_id=1, now=now)


def titles(browser: Browser) -> list[str]:
    """The ids of the plan's rows, in their order."""
    return [row["id"].removeprefix("queued-") for row in browser.page.select("tr.line")]


def post(browser: Browser, path: str, **fields: Any) -> Any:
    token = browser.open("/subforums/new").find("input", attrs={"name": "csrf_token"})["value"]
    return browser.client.post(path, data={"csrf_token": token, **fields}, headers=fields.pop("headers", None))
