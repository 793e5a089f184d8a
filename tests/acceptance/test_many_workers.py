"""Four worker processes and a web process on PostgreSQL: never more at once than allowed, and nothing lost or doubled
when they are restarted one after another in the middle of it."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.acceptance.stage import Asked, Stage, answer_to, end_in_order
from tests.conftest import postgres_database
from tests.support.processes import ForllmProcess, wait_for
from tests.support.scripted_server import ScriptedServer, has_left
from tests.support.scripted_wire import Wire

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

WORKERS = 4
TOPICS = 100
AT_ONCE = 2


class Counting(ScriptedServer):
    """Counts how many clients want an answer at once; who has hung up wants none, noticed already or not."""

    def __post_init__(self) -> None:
        self.most_wanted = 0
        self._wires: list[Wire] = []
        self._counting = threading.Lock()
        super().__post_init__()

    def _generate(self, wire: Wire) -> None:
        with self._counting:
            self._wires = [each for each in self._wires if not has_left(each.connection)] + [wire]
            self.most_wanted = max(self.most_wanted, len(self._wires))
        try:
            super()._generate(wire)
        finally:
            with self._counting:
                self._wires = [each for each in self._wires if each is not wire]


class Hall(Stage):
    """Two servers with one model each, and questions that go to both."""

    def __init__(self, folder: Path, database_url: str) -> None:
        super().__init__(folder, environ={"FORLLM_DATABASE_URL": database_url})
        self.models.close()
        self.servers = [Counting("ollama", models=(name,), answer=self.script_for) for name in ("first", "second")]
        self.models = self.servers[0]
        self.model_ids: list[int] = []

    def furnish(self, serve: ForllmProcess) -> None:
        new = {"name": "Second hall", "kind": "ollama", "base_url": self.servers[1].url, "concurrency": AT_ONCE}
        second_id = serve.api("POST", "backends", new)["id"]
        assert serve.api("POST", f"backends/{second_id}/probe")["is_reachable"]
        serve.api("PATCH", f"backends/{self.backend_id}", {"concurrency": AT_ONCE})
        models = serve.api("GET", "models")["items"]
        self.model_ids = [item["id"] for item in models if item["backend_id"] in (self.backend_id, second_id)]
        assert len(self.model_ids) == len(self.servers)

    def ask_all(self, serve: ForllmProcess) -> list[Asked]:
        """One topic after the other, each asked of both models."""
        asked = []
        for number in range(1, TOPICS + 1):
            wishes = [{"model_id": model_id} for model_id in self.model_ids]
            new = {"title": f"Topic {number}", "content": f"Question {number}", "ask": wishes}
            topic = serve.api("POST", f"subforums/{self.subforum_id}/topics", new)
            asked += [
                Asked(number, topic["id"], topic["first_post"]["id"], each["id"]) for each in topic["llm_requests"]
            ]
        return asked

    def set_silent(self, *, is_silent: bool) -> None:
        """Let both models fall silent in the middle of what they write, or go on."""
        for server in self.servers:
            (server.gate.clear if is_silent else server.gate.set)()

    def start_worker(self) -> ForllmProcess:
        worker = self.start("work", "--workers", "2")
        worker.wait_for_words("FORLLM works on")
        return worker


@pytest.fixture
def hall(tmp_path: Path, postgres_server: str) -> Iterator[Hall]:
    database = postgres_database(postgres_server)
    database.close()
    with Hall(tmp_path, database.url) as hall:
        yield hall
        hall.servers[1].close()


def test_a_rolling_restart_of_four_workers_loses_nothing_and_asks_for_no_more_than_allowed(hall: Hall) -> None:
    hall.tokens, hall.delay_seconds = 20, 0.005
    serve = hall.serve("--workers", "0")
    hall.furnish(serve)
    serve.api("POST", "queue/pauses", {})
    asked = hall.ask_all(serve)
    assert len({each.llm_request_id for each in asked}) == 2 * TOPICS
    workers = [hall.start_worker() for _ in range(WORKERS)]
    serve.api("DELETE", "queue/pauses")

    for place in range(WORKERS):
        _wait_for_ended(serve, 10 * (place + 1))
        # Both models are silent in the middle of their answers, so that a worker is really in the middle of its work.
        hall.set_silent(is_silent=True)
        wait_for(lambda: all(server.running == AT_ONCE for server in hall.servers), "answers that have begun")
        end_in_order(workers[place])
        workers.append(hall.start_worker())
        hall.set_silent(is_silent=False)
    assert _statuses(serve)["queued"]
    _wait_for_ended(serve, len(asked))

    assert _statuses(serve) == Counter()
    _assert_answered_once(hall, serve, asked)
    assert [server.most_wanted for server in hall.servers] == [AT_ONCE, AT_ONCE]
    shares = [worker.words().count("llm_request.succeeded") for worker in workers]
    assert sum(shares) == len(asked)
    assert all(shares[WORKERS:]), shares
    for process in (*workers[WORKERS:], serve):
        end_in_order(process)


def _assert_answered_once(hall: Hall, serve: ForllmProcess, asked: Sequence[Asked]) -> None:
    """Every request has a reply of its own with the model's exact text, and every topic has no other."""
    reply_ids = _list_reply_ids(serve)
    assert reply_ids.keys() == {each.llm_request_id for each in asked}
    for number, (first, second) in enumerate(zip(asked[::2], asked[1::2], strict=True), start=1):
        posts = serve.api("GET", f"topics/{first.topic_id}/posts")["items"]
        replies = {post["id"]: post["content"] for post in posts if post["author_kind"] == "persona"}
        text = "".join(answer_to(number, hall.tokens))
        assert replies == {reply_ids[each.llm_request_id]: text for each in (first, second)}
        assert len(replies) == 2


def _list_reply_ids(serve: ForllmProcess) -> dict[int, int]:
    """The reply of each answered request."""
    found: dict[int, int] = {}
    after = ""
    while True:
        page = serve.api("GET", f"llm-requests?status=succeeded&limit=100{after}")
        found |= {item["id"]: item["reply_post_id"] for item in page["items"]}
        if not page["next"]:
            return found
        after = f"&after={page['next']}"


def _wait_for_ended(serve: ForllmProcess, number: int) -> None:
    def seen() -> bool:
        return 2 * TOPICS - sum(_statuses(serve).values()) >= number

    wait_for(seen, f"{number} answers", lambda: str(_statuses(serve)))


def _statuses(serve: ForllmProcess) -> Counter[str]:
    """How many there are in each state but the last one."""
    found = serve.api("GET", "queue")["counts"]
    return Counter({status: number for status, number in found.items() if number and status != "succeeded"})
