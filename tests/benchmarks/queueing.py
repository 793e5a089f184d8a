"""The queue: asking, and draining: claim → reply posted → settled."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import requests
from sqlalchemy import Connection, text

from forllm_server import clock
from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.cli.memory import settle
from forllm_server.cli.runtime import Installation
from forllm_server.config import CHECKOUT
from forllm_server.db import Database
from forllm_server.forum.editing import answer_post
from forllm_server.forum.model import Answer
from forllm_server.jobs import Connections, JobContext
from forllm_server.jobs.asking import Ask, ask
from forllm_server.jobs.reply import ReplyKind
from forllm_server.queue.claiming import ClaimableBackend
from forllm_server.queue.job import Interruption, Job
from forllm_server.queue.llm_request_store import insert_llm_requests
from forllm_server.queue.model import LlmRequest, NewLlmRequest
from forllm_server.queue.wakeup import Wakeup
from forllm_server.queue.worker import Kind, WorkerPool
from tests.benchmarks.measure import Row, Scale, at_least, medians, timed, yardstick
from tests.benchmarks.places import Place, installed, write_forum, write_history

#: Posts to ask about; few, so that the table of posts is not what is measured.
_POSTS = 1_000
_ANSWER = "Mirror the two disks. " * 10
_SLOW_DELAY_SECONDS = 0.01


class InstantKind:
    """Answers at once, and posts the answer by the rule that every answer goes through."""

    def run(self, job: Job) -> None:
        request = job.request
        answer = Answer(
            llm_request_id=request.id,
            owner_id=request.owner_id,
            parent_id=request.post_id or 0,
            content=_ANSWER,
            persona_version_id=request.persona_version_id or 1,
            persona_name="Assistant",
            model_name=request.model_name or "",
            parameters=request.parameters,
            thinking=None,
            finish_reason="stop",
            usage=None,
            question_version=1,
        )

        def write_reply(connection: Connection) -> int:
            return answer_post(connection, answer, job.now())

        job.succeed(write_reply, usage=None, finish_reason="stop", output_tokens=50)


class OnePlan:
    """One backend whose window is always open."""

    def __init__(self, backend_id: int) -> None:
        self._backends = [ClaimableBackend(backend_id, 1, is_window_open=True)]

    def backends(self, connection: Connection, now: datetime) -> Sequence[ClaimableBackend]:
        return self._backends

    def interruption(self, connection: Connection, now: datetime, request: LlmRequest) -> Interruption | None:
        return None


class Queue:
    """An installation with posts to ask about, drained by one worker in this process."""

    def __init__(self, installation: Installation, *, finished: int, base_url: str = "", posts: int = _POSTS) -> None:
        self.database = installation.database
        self.posts = posts
        self.place: Place = write_forum(self.database, posts, ())
        if base_url:
            self._point_to(base_url)
        write_history(self.database, self.place, finished)
        self.connections = Connections(installation.secret_key)
        self.reply_kind = ReplyKind(JobContext(self.database, self.connections))
        self._number = 0
        settle()

    def ask_singly(self, number: int) -> None:
        """Ask by the rule that the pages and the API use, each in a transaction of its own."""
        for _ in range(number):
            self._number += 1
            wish = Ask(
                owner_id=LOCAL_USER_ID,
                post_id=1 + self._number % self.posts,
                model_id=self.place.model_id,
                is_another=self._number >= self.posts,
            )
            with self.database.transaction() as connection:
                ask(connection, wish, clock.now())

    def ask_in_bulk(self, number: int) -> None:
        """Ask all in one transaction, without choosing."""
        news = []
        for _ in range(number):
            self._number += 1
            news.append(self._new(self._number))
        with self.database.transaction() as connection:
            insert_llm_requests(connection, news, clock.now())

    def drain(self, kind: Kind, number: int) -> float:
        """Answer ``number`` requests; how many a second."""
        self.ask_in_bulk(number)
        pool = WorkerPool(
            self.database, kinds={"reply": kind}, plan=OnePlan(self.place.backend_id), threads=0, wakeup=Wakeup()
        )

        def run_all() -> None:
            assert pool.run_all() == number, "not all were run"

        speed = number / timed(run_all)
        assert count_unanswered(self.database) == 0, "a request was not answered"
        return speed

    def forget_queued(self) -> None:
        """Take what waits out of the queue."""
        with self.database.transaction() as connection:
            connection.execute(text("DELETE FROM llm_requests WHERE status = 'queued'"))

    def _new(self, number: int) -> NewLlmRequest:
        post_id = 1 + number % self.posts
        return NewLlmRequest(
            owner_id=LOCAL_USER_ID,
            kind="reply",
            topic_id=1 + (post_id - 1) // 20,
            post_id=post_id,
            persona_id=1,
            persona_version_id=1,
            backend_id=self.place.backend_id,
            model_id=self.place.model_id,
            model_name="qwen3:8b",
            answer_number=2_000_000 + number,
            parameters={"temperature": None, "max_tokens": 1024},
            input={"persona_reason": "built-in", "model_reason": "asked for"},
        )

    def _point_to(self, base_url: str) -> None:
        with self.database.transaction() as connection:
            values = {"url": base_url, "id": self.place.backend_id}
            connection.execute(
                text("UPDATE backends SET kind = 'openai_compatible', base_url = :url WHERE id = :id"), values
            )


def count_unanswered(database: Database) -> int:
    with database.read() as connection:
        unanswered = "SELECT count(*) FROM llm_requests WHERE status != 'succeeded'"
        return int(connection.execute(text(unanswered)).scalar_one())


@contextmanager
def scripted_process(*, tokens: int, delay_seconds: float = 0.0) -> Iterator[str]:
    """A scripted OpenAI-shaped server in a process of its own, so that it does not share our interpreter; its URL."""
    command = [sys.executable, "-m", "tests.support.scripted_server", "--protocol", "openai", "--model", "qwen3:8b"]
    options = ["--tokens", str(tokens), "--delay", str(delay_seconds)]
    with subprocess.Popen([*command, *options], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def measure_enqueue(folder: Path, scale: Scale) -> list[Row]:
    """Asking one by one and in bulk, beside what the disk commits."""
    with installed(folder / "enqueue") as installation, yardstick(folder) as disk:
        queue = Queue(installation, finished=0)
        number = scale.llm_requests

        def in_bulk() -> float:
            speed = scale.bulk / timed(lambda: queue.ask_in_bulk(scale.bulk))
            queue.forget_queued()
            return speed

        speeds = medians(
            {
                "disk": lambda: disk.commits_per_second(number),
                "singly": lambda: number / timed(lambda: queue.ask_singly(number)),
                "bulk": in_bulk,
            },
            scale.repeats,
        )
    share = speeds["singly"] / speeds["disk"]
    return [
        Row("the disk: commits of one row, plain driver", speeds["disk"], "/s", "the yardstick of the next two rows"),
        Row("enqueue singly, durable", speeds["singly"], "/s", "choosing persona and model included"),
        at_least("… as a share of the disk's commits", share, "", 0.5),
        at_least(f"enqueue in bulk, {scale.bulk:,} in one transaction", speeds["bulk"], "/s", 10_000),
    ]


def measure_drain(folder: Path, scale: Scale) -> list[Row]:
    """Claim → posted → settled with an answer that costs nothing, beside the two commits that it cannot do without."""
    with ExitStack() as stack:
        disk = stack.enter_context(yardstick(folder))
        empty = Queue(stack.enter_context(installed(folder / "drain-0")), finished=0)
        full = Queue(stack.enter_context(installed(folder / "drain-n")), finished=scale.finished)
        number = scale.llm_requests
        speeds = medians(
            {
                "disk": lambda: disk.two_commits_per_second(number),
                "empty": lambda: empty.drain(InstantKind(), number),
                "full": lambda: full.drain(InstantKind(), number),
            },
            scale.repeats,
        )
    share = speeds["empty"] / speeds["disk"]
    return [
        Row("the disk: two commits an item, plain driver", speeds["disk"], "/s", "the yardstick of the next rows"),
        at_least("drain, instant answer, empty table", speeds["empty"], "/s", 1_000),
        at_least("… as a share of two plain commits", share, "", 0.5),
        Row(f"drain, instant answer, {scale.finished:,} finished rows", speeds["full"], "/s"),
        at_least("… as a share of the empty table's", speeds["full"] / speeds["empty"], "", 0.8),
    ]


def measure_own_cost(_folder: Path, scale: Scale) -> list[Row]:
    """The same drain and enqueue where a commit costs nothing: what is left is FORLLM's own work."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        return []
    with tempfile.TemporaryDirectory(prefix="forllm-bench-", dir=memory) as name, ExitStack() as stack:
        empty = Queue(stack.enter_context(installed(Path(name) / "own-0")), finished=0)
        full = Queue(stack.enter_context(installed(Path(name) / "own-n")), finished=scale.finished)
        number = scale.llm_requests

        def singly() -> float:
            speed = number / timed(lambda: empty.ask_singly(number))
            empty.forget_queued()
            return speed

        speeds = medians(
            {
                "singly": singly,
                "empty": lambda: empty.drain(InstantKind(), number),
                "full": lambda: full.drain(InstantKind(), number),
            },
            scale.repeats,
        )
    share = f"{speeds['full'] / speeds['empty']:.2f} of the empty table's"
    return [
        Row("enqueue singly, data in memory", speeds["singly"], "/s", _each(speeds["singly"])),
        Row(
            "drain, data in memory, empty table",
            speeds["empty"],
            "/s",
            _each(speeds["empty"]),
        ),
        Row(f"drain, data in memory, {scale.finished:,} finished rows", speeds["full"], "/s", share),
    ]


def _each(speed: float) -> str:
    return f"{1000 / speed:.1f} ms of our own work each"


def measure_replies(folder: Path, scale: Scale) -> list[Row]:
    """The whole job (prompt, HTTP, checkpoints, post) against an instant server."""
    number = max(5, scale.llm_requests // 4)
    with ExitStack() as stack:
        url = stack.enter_context(scripted_process(tokens=20))
        empty = Queue(stack.enter_context(installed(folder / "reply-0")), finished=0, base_url=url)
        full = Queue(stack.enter_context(installed(folder / "reply-n")), finished=scale.finished, base_url=url)
        for queue in (empty, full):
            stack.callback(queue.connections.close)
        speeds = medians(
            {
                "bare": lambda: number / timed(lambda: _ask_barely(url, number)),
                "empty": lambda: empty.drain(empty.reply_kind, number),
                "full": lambda: full.drain(full.reply_kind, number),
            },
            scale.repeats,
        )
    share = f"{speeds['full'] / speeds['empty']:.2f} of the empty table's"
    return [
        Row("the instant server, asked by a bare client", speeds["bare"], "/s", "20 tokens, one connection each"),
        Row("whole reply job over HTTP, empty table", speeds["empty"], "/s", "prompt kept, streamed, posted"),
        Row(f"whole reply job over HTTP, {scale.finished:,} finished rows", speeds["full"], "/s", share),
    ]


def measure_pace(folder: Path, scale: Scale) -> list[Row]:
    """Whether the model ever waits for us: tokens a second against the same server driven flat out."""
    replies = 3
    tokens = scale.slow_tokens * replies
    with ExitStack() as stack:
        url = stack.enter_context(scripted_process(tokens=scale.slow_tokens, delay_seconds=_SLOW_DELAY_SECONDS))
        queue = Queue(stack.enter_context(installed(folder / "pace")), finished=0, base_url=url)
        stack.callback(queue.connections.close)
        speeds = medians(
            {
                "bare": lambda: tokens / timed(lambda: _ask_barely(url, replies)),
                "drained": lambda: scale.slow_tokens * queue.drain(queue.reply_kind, replies),
            },
            scale.repeats,
        )
    share = speeds["drained"] / speeds["bare"]
    return [
        Row("a server of about 100 tokens/s, bare client", speeds["bare"], "tokens/s"),
        at_least("… drained by FORLLM, as a share of that", share, "", 0.97, f"{scale.slow_tokens} tokens a reply"),
    ]


def _ask_barely(url: str, number: int) -> None:
    body = {"model": "qwen3:8b", "stream": True, "messages": [{"role": "user", "content": "Which file system?"}]}
    with requests.Session() as session:
        for _ in range(number):
            with session.post(f"{url}/v1/chat/completions", json=body, stream=True, timeout=60) as response:
                for _ in response.iter_lines(chunk_size=1):
                    pass
