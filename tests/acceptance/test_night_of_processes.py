"""A night in fast motion with everything real: processes, files, signals, HTTP and llama.cpp's embedded model.

Four models: two on a server that is shaped like Ollama, one on an OpenAI-shaped one, and the embedded. The hours end in
the middle of answers and begin again, a listed program takes the machine, and the power fails. In the morning every
question has exactly one reply.
"""

import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest

from tests.acceptance.stage import FINAL, Asked, Stage, end_in_order, wait_until_known
from tests.support.processes import ForllmProcess, wait_for
from tests.support.scripted_server import ScriptedServer

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

LOCAL_MODELS = ("small:1b", "large:30b")
REMOTE_MODEL = "served"
#: so many for each scripted model, and so many for the embedded one
QUESTIONS, EMBEDDED_QUESTIONS = 8, 2
GAME = "forllm-game"


class Night(Stage):
    """The stage with a second server, and hours that can be opened and closed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.models.close()
        self.models = ScriptedServer("ollama", models=LOCAL_MODELS, answer=self.script_for)
        self.others = ScriptedServer("openai", models=(REMOTE_MODEL,), answer=self.script_for)
        self.embedded_id = self.others_id = 0
        self.asked: list[Asked] = []
        self.asked_of_embedded: list[Asked] = []
        self._window_id = self._extension_id = 0

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.others.close()

    def __enter__(self) -> Self:
        return self

    @property
    def chats(self) -> int:
        """How often a scripted model was asked to write."""
        return len(self.models.chats) + len(self.others.chats)

    def furnish(self, serve: ForllmProcess) -> None:
        """The second server, two at once, and the embedded model, which is always there."""
        new = {"name": "Attic", "kind": "openai_compatible", "base_url": self.others.url, "concurrency": 2}
        self.others_id = serve.api("POST", "backends", new)["id"]
        found = serve.api("GET", "backends")["items"]
        self.embedded_id = next(item["id"] for item in found if item["kind"] == "embedded")
        for backend_id in (self.others_id, self.embedded_id):
            assert serve.api("POST", f"backends/{backend_id}/probe")["is_reachable"]
        changes = {"timezone": "UTC", "yields_to_programs": GAME, "busy_seconds": 0, "quiet_minutes": 1}
        serve.api("PATCH", "settings", changes)

    def ask_everything(self, serve: ForllmProcess) -> None:
        """Every model in turn, the order in which people ask."""
        models = {item["name"]: item for item in serve.api("GET", "models")["items"]}
        embedded = next(item["id"] for item in models.values() if item["backend_id"] == self.embedded_id)
        brief = {"name": "Brief", "instructions": "Answer in a word.", "parameters": {"max_tokens": 6}}
        persona_id = serve.api("POST", "personas", brief)["id"]
        for _ in range(QUESTIONS):
            for name in (*LOCAL_MODELS, REMOTE_MODEL):
                self.asked.append(self.ask(serve, model_id=models[name]["id"]))
        for _ in range(EMBEDDED_QUESTIONS):
            self.asked_of_embedded.append(self.ask(serve, model_id=embedded, persona_id=persona_id))

    def close_hours(self, serve: ForllmProcess) -> None:
        """The hours are half a day away, and what still runs when they end is put aside."""
        if self._extension_id:
            serve.api("DELETE", f"schedule/exceptions/{self._extension_id}")
            self._extension_id = 0
            return
        self._window_id = self.close_window(serve)
        kept = ("days", "start_minute", "end_minute", "timezone")
        window = serve.api("GET", f"schedule/windows/{self._window_id}")
        serve.api("PUT", f"schedule/windows/{self._window_id}", {k: window[k] for k in kept} | {"closing": "pause"})

    def open_hours(self, serve: ForllmProcess) -> None:
        """ "Tonight also until …", three hours from now."""
        now = datetime.fromisoformat(serve.api("GET", "schedule/status")["now"])
        until = f"{now + timedelta(hours=3):%H:%M}"
        self._extension_id = serve.api("POST", "schedule/extension", {"until": until})["id"]

    def statuses(self, serve: ForllmProcess) -> Counter[str]:
        items = serve.api("GET", "llm-requests?limit=200")["items"]
        return Counter(item["status"] for item in items)

    def wait_for_answers(self, serve: ForllmProcess, more: int) -> None:
        """Until so many more have been answered than now."""
        wanted = self.statuses(serve)["succeeded"] + more
        wait_for(lambda: self.statuses(serve)["succeeded"] >= wanted, f"{wanted} answers", serve.words)

    def wait_until_written(self, serve: ForllmProcess) -> None:
        """Until some words of an unfinished answer are on disk."""

        def seen() -> bool:
            running = serve.api("GET", "llm-requests?status=running&limit=200")["items"]
            return any(serve.api("GET", f"llm-requests/{item['id']}")["partial_text"] for item in running)

        wait_for(seen, "an answer that has begun", serve.words)

    def wait_until_nothing_runs(self, serve: ForllmProcess) -> None:
        wait_for(lambda: not self.statuses(serve)["running"], "the end of all that runs", serve.words)

    def assert_nothing_begins(self, serve: ForllmProcess) -> None:
        """For longer than workers take to look again."""
        before = self.chats
        wait_until_known()
        assert self.chats == before
        assert not self.statuses(serve)["running"]


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    with Night(tmp_path) as night:
        yield night


@contextmanager
def game_running(folder: Path) -> Iterator[None]:
    """A program of that name runs. It is nobody's child: what the model servers' processes start counts as theirs."""
    sleep = shutil.which("sleep")
    assert sleep is not None
    program = folder / GAME
    # Another name for it is enough: it is told by the name under which it was started.
    program.symlink_to(sleep)
    started = subprocess.run(
        ["sh", "-c", f"'{program}' 300 >/dev/null 2>&1 & echo $!"], stdout=subprocess.PIPE, text=True, check=True
    )
    try:
        yield
    finally:
        os.kill(int(started.stdout), signal.SIGTERM)
        program.unlink()


def test_whatever_happens_in_a_night_in_the_morning_everything_is_answered_once(night: Night, tmp_path: Path) -> None:
    night.tokens, night.delay_seconds = 20, 0.04
    serve = night.serve("--workers", "1")
    night.furnish(serve)
    night.close_hours(serve)
    night.ask_everything(serve)
    worker = night.start("work", "--workers", "3")
    worker.wait_for_words("FORLLM works on")
    night.assert_nothing_begins(serve)
    assert night.chats == 0

    night.open_hours(serve)
    night.wait_for_answers(serve, 4)
    night.wait_until_written(serve)
    night.close_hours(serve)
    night.wait_until_nothing_runs(serve)
    night.assert_nothing_begins(serve)

    night.open_hours(serve)
    night.wait_for_answers(serve, 3)
    with game_running(tmp_path):
        _make_way(night, serve)
    night.wait_for_answers(serve, 2)

    night.wait_until_written(serve)
    for process in (serve, worker):
        assert process.end(signal.SIGKILL) == -signal.SIGKILL
    assert night.models.hung_up.wait(10)
    night.delay_seconds = 0.005
    serve = night.serve("--workers", "1")
    worker = night.start("work", "--workers", "3")
    worker.wait_for_words("FORLLM works on")
    _see_the_morning(night, serve)
    for process in (worker, serve):
        end_in_order(process)
    assert "Traceback" not in serve.words() + worker.words()


def _make_way(night: Night, serve: ForllmProcess) -> None:
    """The machine is somebody else's: everything here pauses and says why, until a person resumes it."""

    def paused() -> list[Any]:
        return [pause for pause in serve.api("GET", "queue/pauses")["items"] if pause["is_by_machine"]]

    pauses = wait_for(lambda: len(paused()) == 3 and paused(), "the pauses of all three backends", serve.words)
    assert {pause["reason"] for pause in pauses} == {f"{GAME} is running"}
    night.wait_until_nothing_runs(serve)
    night.assert_nothing_begins(serve)
    assert night.statuses(serve)["queued"]
    assert f"{GAME} is running" in serve.page("/queue")
    for pause in pauses:
        serve.api("DELETE", f"queue/pauses?backend_id={pause['backend_id']}")


def _see_the_morning(night: Night, serve: ForllmProcess) -> None:
    total = len(night.asked) + len(night.asked_of_embedded)

    def is_over() -> bool:
        found = night.statuses(serve)
        return sum(found[status] for status in FINAL) == total

    wait_for(is_over, "the end of the night", lambda: f"{night.statuses(serve)}\n{serve.words()}")
    assert night.statuses(serve) == Counter(succeeded=total)
    for asked in night.asked:
        assert night.replies(serve, asked) == [night.text_of(asked)]
    for asked in night.asked_of_embedded:
        assert [bool(reply.strip()) for reply in night.replies(serve, asked)] == [True]
    assert night.models.most_running == 1
    assert night.others.most_running <= 2
