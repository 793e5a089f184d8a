"""Random blows against the real processes while they answer, and what came of it, seen from outside.

Every question must end in exactly one reply with exactly the text that the model gave, or in one visible error.
Nothing may be lost, doubled or stuck, and no partial text may ever stand in the forum as a reply.
"""

import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from forllm_server.db import Database
from forllm_server.errors import Unavailable
from tests.acceptance.stage import FINAL, Asked, Stage
from tests.support.faults import FAULTS
from tests.support.processes import ForllmProcess, Refused, wait_for
from tests.support.scripted_server import Script

#: Ways in which a server breaks off; none of them may leave a word in the forum.
BREAKS = ("rst_mid_stream", "truncated_chunked", "eof_without_done", "error_in_stream", "html_200")
#: How often each blow comes, of a hundred. A power cut kills every process at once.
BLOWS = {
    "kill a worker": 24,
    "stop a worker past its lease": 14,
    "pause a worker": 8,
    "end a worker in order": 14,
    "kill the web server": 7,
    "end the web server in order": 5,
    "power cut": 4,
    "the model's server resets": 14,
    "the model falls silent": 10,
}
#: A lease holds for 30 s; so long a process is stopped when nobody helps the clock.
REAL_STOP_SECONDS = 33.0
_CALM_SECONDS = 240.0


@dataclass
class Findings:
    """What came of it. All but the first three should be zero; ``told`` says what was found, for a person."""

    asked: int = 0
    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0
    stuck: int = 0
    partial: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.stuck or self.partial)


class Storm:
    """A web server that works too, and two workers beside it, struck at random."""

    def __init__(self, stage: Stage, dice: random.Random, database: Database, *, seed: int) -> None:
        self.stage = stage
        self.dice = dice
        self.database = database
        self.seed = seed
        self.serve = self._start_serve()
        self.serve.api("PATCH", f"backends/{stage.backend_id}", {"concurrency": 3})
        self.workers = [self._start_worker() for _ in range(2)]
        self.asked: list[Asked] = []
        self.chains: list[list[Asked]] = []
        self.blows: list[str] = []
        self.refusals = 0
        self.partial: list[str] = []

    def _start_serve(self) -> ForllmProcess:
        return self.stage.serve("--workers", "1")

    def _start_worker(self) -> ForllmProcess:
        return self.stage.start("work", "--workers", "2")

    def rage(
        self,
        disturbances: int,
        *,
        real_stops: int = 0,
        tell: Callable[[str], object] = str,
        is_enough: Callable[[], bool] = bool,
    ) -> None:
        """Ask and strike, so many times; ``real_stops`` of them last longer than a lease by the real clock."""
        self.ask()
        every = disturbances // real_stops if real_stops else disturbances + 1
        for number in range(1, disturbances + 1):
            if is_enough():
                break
            self.ask()
            if number % every == 0:
                self._stop_for_real()
            else:
                self.strike()
            self._look_at_one()
            if number % 25 == 0:
                tell(f"{number} of {disturbances} disturbances, {len(self.asked)} questions asked")

    def ask(self) -> None:
        """Ask, if FORLLM can take the question: a worker stopped in the middle of a write holds everybody up."""
        try:
            # Each fourth question is one for a chain of three.
            if len(self.asked) % 4 == 3 and len(self.chains) * 3 < len(self.asked):
                self.chains.append(self.stage.ask_chain(self.serve))
            else:
                self.asked.append(self.stage.ask(self.serve))
        except Refused as refusal:
            if refusal.status != 503:
                raise
            self.refusals += 1

    def strike(self) -> None:
        """One disturbance."""
        blow = self.dice.choices(list(BLOWS), list(BLOWS.values()))[0]
        self.blows.append(blow)
        place = self.dice.randrange(len(self.workers))
        match blow:
            case "kill a worker":
                self.workers[place].end(signal.SIGKILL)
                self.workers[place] = self._start_worker()
            case "end a worker in order":
                _end_in_order(self.workers[place])
                self.workers[place] = self._start_worker()
            case "pause a worker" | "stop a worker past its lease":
                self._hold(self.workers[place], is_lease_over=blow != "pause a worker")
            case "kill the web server":
                self.serve.end(signal.SIGKILL)
                self.serve = self._start_serve()
            case "end the web server in order":
                _end_in_order(self.serve)
                self.serve = self._start_serve()
            case "power cut":
                for process in (self.serve, *self.workers):
                    process.end(signal.SIGKILL)
                self.serve = self._start_serve()
                self.workers = [self._start_worker() for _ in self.workers]
            case "the model's server resets":
                name = self.dice.choice(BREAKS)
                self.stage.models.script(Script(write=next(fault.play for fault in FAULTS if fault.name == name)))
            case "the model falls silent":
                self.stage.models.gate.clear()
                time.sleep(self.dice.uniform(0.2, 1.5))
                self.stage.models.gate.set()
        time.sleep(self.dice.uniform(0.0, 0.6))

    def _stop_for_real(self) -> None:
        self.blows.append("stop a worker for 33 s")
        worker = self.dice.choice(self.workers)
        worker.send(signal.SIGSTOP)
        time.sleep(REAL_STOP_SECONDS)
        worker.send(signal.SIGCONT)

    def _hold(self, worker: ForllmProcess, *, is_lease_over: bool) -> None:
        """Stop a worker for a while; for the others it may look like longer than any lease."""
        worker.send(signal.SIGSTOP)
        time.sleep(self.dice.uniform(0.1, 0.5))
        if is_lease_over:
            self._let_leases_run_out()
            # Time for the others to take its work over, before it wakes and tries to go on.
            time.sleep(self.dice.uniform(1.0, 7.0))
        worker.send(signal.SIGCONT)

    def _let_leases_run_out(self) -> None:
        """What half a minute does to a worker that stands still; the leases of the others are gone with it, unless they
        renew them in time: so healthy workers, too, are robbed of their work."""
        past = datetime.now(UTC) - timedelta(minutes=1)
        moment = past.strftime("%Y-%m-%d %H:%M:%S.%f") if self.database.is_sqlite else past
        # It may have been stopped in the middle of a write, and so holds everybody up: another kind of blow.
        with contextlib.suppress(Unavailable, OperationalError), self.database.transaction() as connection:
            if not self.database.is_sqlite:
                connection.execute(text("SET LOCAL lock_timeout = '1s'"))
            statement = "UPDATE llm_requests SET lease_until = :moment WHERE status = 'running'"
            connection.execute(text(statement), {"moment": moment})

    def _look_at_one(self) -> None:
        """In the middle of it all, too, a topic shows the whole answer or none."""
        if not self.asked:
            return
        asked = self.dice.choice(self.asked)
        with contextlib.suppress(Refused, requests.RequestException):
            replies = self.stage.replies(self.serve, asked)
            if replies not in ([], [self.stage.text_of(asked)]):
                self.partial.append(f"question {asked.number} showed {replies}")

    def calm_down(self) -> Findings:
        """No more blows; what waits for its next try is sent at once, and everything comes to its end. What came."""
        pending = [*self.asked, *(link for chain in self.chains for link in chain)]

        def is_over() -> bool:
            pending[:] = [asked for asked in pending if not self._has_ended(asked)]
            time.sleep(0.2)
            return not pending

        with contextlib.suppress(AssertionError):
            wait_for(is_over, "every question to end", self.state, seconds=_CALM_SECONDS)
        return self._judge()

    def _has_ended(self, asked: Asked) -> bool:
        found = self.stage.look(self.serve, asked)
        if found["status"] == "waiting":
            self.serve.api("POST", f"llm-requests/{found['id']}/retry")
        return found["status"] in FINAL

    def _judge(self) -> Findings:
        findings = Findings(asked=len(self.asked), partial=len(self.partial), told=list(self.partial))
        for asked in self.asked:
            fault = self._judge_one(asked, findings)
            if fault:
                findings.told.append(f"{fault}: {self.stage.look(self.serve, asked)}")
        for chain in self.chains:
            findings.asked += len(chain)
            findings.told += self._judge_chain(chain, findings)
        return findings

    def _judge_chain(self, chain: list[Asked], findings: Findings) -> list[str]:
        """Count a chain: each link answered the one before it, once, or it ended visibly with all behind it."""
        links = [self.stage.look(self.serve, link) for link in chain]
        posts = self.serve.api("GET", f"topics/{chain[0].topic_id}/posts")["items"]
        replies = {post["id"]: post for post in posts if post["author_kind"] == "persona"}
        told = []
        answers: int | None = chain[0].post_id
        for link in links:
            reply = replies.pop(link["reply_post_id"], None)
            if link["status"] == "succeeded" and reply and reply["parent_id"] == answers:
                answers = reply["id"]
                findings.answered += 1
                if reply["content"] != self.stage.text_of(chain[0]):
                    findings.partial += 1
                    told.append(f"not the model's text ({reply['content']})")
            elif link["status"] == "failed" and not reply and link["error"]:
                answers = None
                findings.failed[str(link["cause"])] += 1
            elif link["status"] not in FINAL:
                findings.stuck += 1
                told.append(f"stuck in a chain: {links}")
            else:
                findings.lost += 1
                told.append(f"lost in a chain: {links}")
        findings.doubled += len(replies)
        return told + [f"doubled in a chain: {links}"] * bool(replies)

    def _judge_one(self, asked: Asked, findings: Findings) -> str:
        """Count one question; what is wrong with it, or nothing."""
        found = self.stage.look(self.serve, asked)
        replies = self.stage.replies(self.serve, asked)
        if found["status"] not in FINAL:
            findings.stuck += 1
            return "stuck"
        if len(replies) > 1:
            findings.doubled += 1
            return f"doubled ({replies})"
        if replies and replies != [self.stage.text_of(asked)]:
            findings.partial += 1
            return f"not the model's text ({replies})"
        if found["status"] == "succeeded" and replies and found["reply_post_id"]:
            findings.answered += 1
            return ""
        if found["status"] == "failed" and not replies and found["error"]:
            findings.failed[str(found["cause"])] += 1
            return ""
        findings.lost += 1
        return f"lost ({replies})"

    def state(self) -> str:
        """All that helps to understand a failure."""
        shown = ("id", "status", "cause", "cause_detail", "attempts", "due_at")
        seen: list[Any] = [self.stage.look(self.serve, asked) for asked in self.asked]
        lines = [str({name: found[name] for name in shown}) for found in seen if found["status"] != "succeeded"]
        return "\n".join([f"seed {self.seed}: {self.blows}", *lines])


def _end_in_order(process: ForllmProcess) -> None:
    # At its start it has no handler yet, so that it may as well die of the signal.
    code = process.end(signal.SIGTERM)
    assert code in (0, -signal.SIGTERM), process.words()


def check_database(database: Database) -> list[str]:
    """What is wrong with the database itself after the storm; nothing, as it should be."""
    complaints = []
    with database.read() as connection:
        if database.is_sqlite:
            if connection.execute(text("PRAGMA integrity_check")).all() != [("ok",)]:
                complaints.append("the file is damaged")
            if connection.execute(text("PRAGMA foreign_key_check")).all():
                complaints.append("a row points to nothing")
        replies, succeeded, chunks = connection.execute(
            text(
                "SELECT (SELECT count(*) FROM posts WHERE author_kind = 'persona'), "
                "(SELECT count(*) FROM llm_requests WHERE status = 'succeeded'), "
                "(SELECT count(*) FROM llm_chunks c JOIN llm_requests r ON r.id = c.llm_request_id "
                "WHERE r.status = 'succeeded')"
            )
        ).one()
    if replies != succeeded:
        complaints.append(f"{replies} replies of {succeeded} answered requests")
    if chunks:
        complaints.append(f"{chunks} pieces of text were left behind by answered requests")
    return complaints
