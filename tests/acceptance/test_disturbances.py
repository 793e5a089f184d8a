"""The invariant under random blows: every question ends in exactly one reply with exactly the text that the model
gave, or in one visible error. Nothing is lost, nothing is doubled, nothing is stuck.

A few dozen disturbances by default; `KILL_DISTURBANCES=1000` and `KILL_SEED=7` in the environment for more and others.
"""

import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.stage import FINAL, Asked, Stage
from tests.support.faults import FAULTS
from tests.support.processes import ForllmProcess, wait_for
from tests.support.scripted_server import Script

pytestmark = pytest.mark.slow

DISTURBANCES = int(os.environ.get("KILL_DISTURBANCES", "30"))
SEED = int(os.environ.get("KILL_SEED", str(time.time_ns() % 100_000)))
#: Ways in which a server breaks off; none of them may leave a word in the forum.
BREAKS = ("rst_mid_stream", "truncated_chunked", "eof_without_done", "error_in_stream", "html_200")


class Storm:
    """Workers that are struck at random while they answer, beside a server that only watches."""

    def __init__(self, stage: Stage, dice: random.Random) -> None:
        self.stage = stage
        self.dice = dice
        self.serve = stage.serve("--workers", "0")
        self.serve.api("PATCH", f"backends/{stage.backend_id}", {"concurrency": 3})
        self.workers = [self._start_worker() for _ in range(2)]
        self.asked: list[Asked] = []
        self.blows: list[str] = []

    def _start_worker(self) -> ForllmProcess:
        return self.stage.start("work", "--workers", "2")

    def ask(self) -> None:
        self.asked.append(self.stage.ask(self.serve))

    def strike(self) -> None:
        """One disturbance."""
        place = self.dice.randrange(len(self.workers))
        blow = self.dice.choice(
            ["kill", "kill", "stop past the lease", "pause", "terminate", "break off", "fall silent"]
        )
        self.blows.append(blow)
        match blow:
            case "kill":
                self.workers[place].end(signal.SIGKILL)
                self.workers[place] = self._start_worker()
            case "terminate":
                # At its start it has no handler yet, so that it may as well die of the signal.
                code = self.workers[place].end(signal.SIGTERM)
                assert code in (0, -signal.SIGTERM), self.workers[place].words()
                self.workers[place] = self._start_worker()
            case "pause" | "stop past the lease":
                self._hold(self.workers[place], is_lease_over=blow != "pause")
            case "break off":
                name = self.dice.choice(BREAKS)
                self.stage.models.script(Script(write=next(fault.play for fault in FAULTS if fault.name == name)))
            case "fall silent":
                self.stage.models.gate.clear()
                time.sleep(self.dice.uniform(0.2, 1.5))
                self.stage.models.gate.set()
        time.sleep(self.dice.uniform(0.0, 0.6))

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
        past = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
        with closing(sqlite3.connect(self.stage.data_dir / "forllm_data.db", timeout=1)) as connection:
            try:
                with connection:
                    connection.execute("UPDATE llm_requests SET lease_until = ? WHERE status = 'running'", (past,))
            except sqlite3.OperationalError:
                # It was stopped in the middle of a write, and so holds everybody up: another kind of blow.
                return

    def calm_down(self) -> None:
        """No more blows; what waits for its next try is sent at once, and everything comes to its end."""
        wait_for(self._is_over, "every question to end", self._state, seconds=180)

    def _is_over(self) -> bool:
        pending = [self.stage.look(self.serve, asked) for asked in self.asked]
        for found in pending:
            if found["status"] == "waiting":
                self._send_at_once(found)
        time.sleep(0.3)
        return all(found["status"] in FINAL for found in pending)

    def _send_at_once(self, found: Any) -> None:
        self.serve.api("POST", f"llm-requests/{found['id']}/retry")

    def _state(self) -> str:
        shown = ("id", "status", "cause", "cause_detail", "attempts", "due_at")
        lines = [str({name: self.stage.look(self.serve, asked)[name] for name in shown}) for asked in self.asked]
        return "\n".join([f"seed {SEED}: {self.blows}", *lines])


def test_whatever_strikes_every_question_has_one_reply_or_one_error(stage: Stage) -> None:
    stage.tokens, stage.delay_seconds = 50, 0.03
    storm = Storm(stage, random.Random(SEED))
    storm.ask()
    for _ in range(DISTURBANCES):
        storm.ask()
        storm.strike()
    storm.calm_down()
    for asked in storm.asked:
        found = stage.look(storm.serve, asked)
        replies = stage.replies(storm.serve, asked)
        if found["status"] == "succeeded":
            assert replies == [stage.text_of(asked)], storm._state()
            assert found["reply_post_id"], storm._state()
        else:
            assert (found["status"], replies) == ("failed", []), storm._state()
            assert found["error"], storm._state()
    answered = sum(stage.look(storm.serve, asked)["status"] == "succeeded" for asked in storm.asked)
    assert answered >= len(storm.asked) // 2, storm._state()
    with closing(sqlite3.connect(stage.data_dir / "forllm_data.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
