"""A forum with a topic, a model on a scripted server, and a worker to run what is asked."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from forllm_server import clock
from forllm_server.backends.base import Backend
from forllm_server.db import Database, metadata
from forllm_server.forum import post_store
from forllm_server.forum.model import Post
from forllm_server.jobs import Connections, JobContext, build_kinds
from forllm_server.jobs.asking import Ask, Asked, ask
from forllm_server.jobs.planning import NightPlan
from forllm_server.queue.chunk_store import find_partial
from forllm_server.queue.llm_request_store import get_llm_request
from forllm_server.queue.model import LlmRequest, Partial, Prompt
from forllm_server.queue.prompt_store import find_prompt
from forllm_server.queue.wakeup import Wakeup
from forllm_server.queue.worker import WorkerPool
from tests.support.scripted_server import ScriptedServer
from tests.support.world import LOCAL_USER, World, make_world

SECRET_KEY = b"tests have a secret key of 32 b!"


class Evening:
    """What a test does: ask, let a worker run, read what became of it."""

    def __init__(self, database: Database, world: World, server: ScriptedServer) -> None:
        self.database = database
        self.world = world
        self.server = server
        self.connections = Connections(SECRET_KEY)
        self.pool = WorkerPool(
            database,
            kinds=build_kinds(JobContext(database, self.connections)),
            plan=NightPlan(),
            threads=0,
            wakeup=Wakeup(),
        )

    def ask(self, **wish: object) -> Asked:
        values: dict[str, object] = {"owner_id": LOCAL_USER, "post_id": self.world.post_id}
        with self.database.transaction() as connection:
            return ask(connection, Ask(**(values | wish)), clock.now())

    def run(self) -> bool:
        self.pool.forget_plan()
        return self.pool.run_next()

    def get(self, asked: Asked) -> LlmRequest:
        with self.database.read() as connection:
            return get_llm_request(connection, asked.request.id)

    def prompt(self, asked: Asked) -> Prompt:
        with self.database.read() as connection:
            prompt = find_prompt(connection, asked.request.id)
        assert prompt is not None
        return prompt

    def partial(self, llm_request_id: int) -> Partial | None:
        with self.database.read() as connection:
            return find_partial(connection, llm_request_id)

    def posts(self) -> list[Post]:
        with self.database.read() as connection:
            return post_store.list_page(connection, self.world.topic_id, limit=100)

    def change(self, table: str, row_id: int, **values: object) -> None:
        with self.database.transaction() as connection:
            rows = metadata.tables[table]
            connection.execute(rows.update().where(rows.c.id == row_id).values(**values))

    def backend(self) -> Backend:
        held = self.connections._held[self.world.backend_id]
        return held[1]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer("llama_cpp", models=("qwen3:8b",)) as server:
        yield server


@pytest.fixture
def evening(sqlite_database: Database, now: datetime, server: ScriptedServer) -> Iterator[Evening]:
    world = make_world(sqlite_database, now, base_url=server.url)
    with sqlite_database.transaction() as connection:
        backends = metadata.tables["backends"]
        connection.execute(backends.update().where(backends.c.kind == "embedded").values(is_enabled=False))
    evening = Evening(sqlite_database, world, server)
    yield evening
    evening.connections.close()
