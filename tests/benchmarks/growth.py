"""What the queue costs as it grows: claim, enqueue, forecast and the queue's page, with long histories and lines."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from forllm_server import clock
from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.cli.runtime import Installation
from forllm_server.jobs.asking import Ask, ask
from forllm_server.jobs.forecast import forecast
from forllm_server.queue.claiming import ClaimableBackend, claim
from forllm_server.queue.rate_store import replace_rates
from tests.benchmarks.measure import Row, Scale, medians, timed
from tests.benchmarks.pages import Site
from tests.benchmarks.places import installed
from tests.benchmarks.queueing import Queue

#: With none at all nothing would be foretold, and the plan would cost nothing.
_FEWEST_FINISHED = 50
_PAGE = "/queue"


@dataclass(frozen=True)
class _Grown:
    """An installation of one length of history."""

    queue: Queue
    site: Site

    def wait_for(self, number: int) -> None:
        """Let as many wait as asked for, and no more."""
        self.queue.forget_queued()
        self.queue.ask_in_bulk(number)
        with self.queue.database.transaction() as connection:
            connection.execute(text("ANALYZE"))

    def claim_once(self) -> float:
        """Milliseconds of one claim with its commit; what was claimed goes back into the line, uncounted."""
        backends = [ClaimableBackend(self.queue.place.backend_id, 1, is_window_open=True)]

        def take() -> None:
            with self.queue.database.transaction() as connection:
                now = clock.now()
                assert claim(connection, backends=backends, worker="bench", now=now) is not None

        seconds = timed(take)
        with self.queue.database.transaction() as connection:
            connection.execute(text("UPDATE llm_requests SET status = 'queued' WHERE status = 'running'"))
        return 1000 * seconds

    def enqueue_once(self, number: int) -> float:
        """Milliseconds of one question asked as pages and API do, with its commit; it is taken back, uncounted."""
        wish = Ask(
            LOCAL_USER_ID, 1 + number * 37 % self.queue.posts, model_id=self.queue.place.model_id, is_another=True
        )
        new_ids = []

        def put() -> None:
            with self.queue.database.transaction() as connection:
                new_ids.append(ask(connection, wish, clock.now()).request.id)

        seconds = timed(put)
        with self.queue.database.transaction() as connection:
            for table, column in (("llm_estimates", "llm_request_id"), ("llm_request_events", "llm_request_id")):
                connection.execute(text(f"DELETE FROM {table} WHERE {column} = :id"), {"id": new_ids[0]})
            connection.execute(text("DELETE FROM llm_requests WHERE id = :id"), {"id": new_ids[0]})
        return 1000 * seconds

    def forecast_once(self) -> float:
        """Milliseconds of the plan with its estimates, as the page and the API show them."""

        def foretell() -> None:
            with self.queue.database.read() as connection:
                assert forecast(connection, clock.now()).plan

        return 1000 * timed(foretell)

    def look_once(self) -> float:
        """Milliseconds of the queue's page in the server."""
        seconds, status, _, _ = self.site.get(_PAGE)
        assert status == 200, f"{_PAGE} answered {status}"
        return 1000 * seconds

    def measure(self, scale: Scale) -> dict[str, float]:
        """The medians of all four, taken in turns."""
        numbers = iter(range(10**9))
        tasks: dict[str, Callable[[], float]] = {
            "claim": self.claim_once,
            "enqueue one": lambda: self.enqueue_once(next(numbers)),
            "plan with estimates": self.forecast_once,
            "queue page": self.look_once,
        }
        for task in tasks.values():
            task()
        return medians(tasks, scale.repeats * 3)


def measure_growth(folder: Path, scale: Scale) -> list[Row]:
    """Every length of history with every length of line; one row a line and thing, the histories side by side."""
    found: dict[tuple[int, int], dict[str, float]] = {}
    for finished in scale.histories:
        with installed(folder / f"growth-{finished}") as installation:
            grown = _grow(installation, finished, scale)
            for waiting in scale.waiting:
                grown.wait_for(waiting)
                found[finished, waiting] = grown.measure(scale)
    return [row for waiting in scale.waiting for row in _rows(found, waiting, scale)]


def _grow(installation: Installation, finished: int, scale: Scale) -> _Grown:
    queue = Queue(installation, finished=max(finished, _FEWEST_FINISHED), posts=scale.posts // 4)
    usage = {"prompt_tokens": 900, "completion_tokens": 240, "prompt_seconds": 3.0, "generation_seconds": 12.0}
    with queue.database.transaction() as connection:
        replace_rates(connection, queue.place.model_id, usage, clock.now())
    return _Grown(queue, Site(installation))


def _rows(found: dict[tuple[int, int], dict[str, float]], waiting: int, scale: Scale) -> list[Row]:
    least, *others = scale.histories
    rows = []
    for what, value in found[least, waiting].items():
        grown = ", ".join(f"{found[finished, waiting][what]:.3g} ms with {finished:,} finished" for finished in others)
        rows.append(Row(f"{what}, {waiting:,} waiting", value, "ms", grown))
    return rows
