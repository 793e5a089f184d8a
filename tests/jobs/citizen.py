"""A neighbour to test with: its time is told, its machine is real, its drivers are scripted."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from forllm_server import clock
from forllm_server.jobs.ledger import Ledger
from forllm_server.jobs.neighbour import Neighbour
from forllm_server.queue.model import Pause
from forllm_server.queue.pause_store import list_pauses
from forllm_server.queue.wakeup import Wakeup
from forllm_server.schedule.planning import add_window, new_window
from forllm_server.settings.values import change_settings
from tests.jobs.conftest import Evening
from tests.machine.scripted import is_running, stranger, wait_until
from tests.support.world import LOCAL_USER

#: Its own for each process that tests: others run at the same time, and may play.
GAME = f"game-{os.getpid()}"
SECONDS, MINUTES = timedelta(seconds=1), timedelta(minutes=1)
NINE = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
CARD = "0, GPU-aa, NVIDIA GeForce RTX 4090, {}, 20480, 24564\n"


class Citizen:
    """A neighbour whose time is told: each tick is five seconds after the one before."""

    def __init__(self, evening: Evening) -> None:
        self.evening = evening
        self.now = clock.now()
        self.ledger = Ledger()
        self.wakeup = Wakeup()
        self.neighbour = self.again()

    def again(self) -> Neighbour:
        """As after a restart."""
        self.neighbour = Neighbour(
            self.evening.database,
            pool=self.evening.pool,
            connections=self.evening.connections,
            wakeup=self.wakeup,
            ledger=self.ledger,
            may_run_commands=True,
        )
        return self.neighbour

    def tick(self, times: int = 1, *, real_seconds: float = 0.0) -> None:
        for _ in range(times):
            self.now += 5 * SECONDS
            self.neighbour.tick(self.now)
            time.sleep(real_seconds)

    def tick_until(self, seen: Callable[[], bool], *, real_seconds: float = 0.0, at_most: int = 200) -> timedelta:
        """How long it took, by the time told."""
        begun = self.now
        for _ in range(at_most):
            if seen():
                return self.now - begun
            self.tick(real_seconds=real_seconds)
        raise AssertionError("it did not come about")

    def set(self, **changes: Any) -> None:
        with self.evening.database.transaction() as connection:
            change_settings(connection, changes, self.now)

    def pause(self) -> Pause | None:
        """The pause of the model's backend."""
        with self.evening.database.read() as connection:
            return list_pauses(connection).get(self.evening.world.backend_id)

    def is_paused(self) -> bool:
        return self.pause() is not None

    def window(self, start_minute: int, end_minute: int) -> None:
        window = new_window(days=["fri"], start_minute=start_minute, end_minute=end_minute, timezone="UTC")
        with self.evening.database.transaction() as connection:
            add_window(connection, window, owner_id=LOCAL_USER, now=self.now)


@pytest.fixture
def citizen(evening: Evening) -> Iterator[Citizen]:
    citizen = Citizen(evening)
    citizen.set(keeps_awake=False)
    yield citizen
    citizen.neighbour.stop()


@pytest.fixture
def game(tmp_path: Path) -> Path:
    """A program of a name that nothing else has."""
    name = tmp_path / GAME
    shutil.copy(shutil.which("sleep") or "/bin/sleep", name)
    return name


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "forllm"]


def facts(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, Any]]:
    return [vars(record)["facts"] for record in caplog.records if record.getMessage() == name]


@contextmanager
def playing(game: Path) -> Iterator[None]:
    """While the game runs; when this ends, it is gone."""
    with stranger(str(game), "60") as process_id:
        yield
    wait_until(lambda: not is_running(process_id), "the end of the game")
