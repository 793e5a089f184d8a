"""A good citizen of its machine, with real processes, scripted drivers on PATH, and the time handed in."""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from forllm_server import clock
from forllm_server.cli.runtime import Installation
from forllm_server.cli.workers import Workers
from forllm_server.config import Config
from forllm_server.jobs.ledger import Ledger
from forllm_server.jobs.neighbour import Neighbour
from forllm_server.jobs.standing import list_standings
from forllm_server.queue.model import Lane, LlmRequest, Pause, Status
from forllm_server.queue.pause_store import list_pauses
from forllm_server.queue.pausing import pause, resume
from forllm_server.queue.wakeup import Wakeup
from forllm_server.schedule.planning import add_window, new_window
from forllm_server.settings.settings_store import update_setting
from forllm_server.settings.values import change_settings
from tests.jobs.conftest import SECRET_KEY, Evening
from tests.machine.scripted import Programs, burning, is_running, programs, stranger, wait_until
from tests.support.scripted_server import Script, ScriptedServer
from tests.support.world import LOCAL_USER

__all__ = ["programs"]

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
    name = tmp_path / "night-game"
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


# -- making way


def test_a_program_that_burns_the_cpu_pauses_the_queue_within_thirty_seconds(citizen: Citizen) -> None:
    citizen.evening.ask()
    citizen.set(yields_cpu_percent=20)
    citizen.tick()
    with stranger(*burning()):
        took = citizen.tick_until(citizen.is_paused, real_seconds=0.3, at_most=6)
    assert took <= 30 * SECONDS
    held = citizen.pause()
    assert held is not None
    assert held.is_by_machine
    assert held.reason.startswith("CPU in use by others (")
    # From here on only programs count, for who else uses this machine's CPU a test cannot know.
    citizen.set(yields_cpu_percent=None, yields_to_programs="no-such-program")
    assert 10 * MINUTES <= citizen.tick_until(lambda: not citizen.is_paused()) <= 10 * MINUTES + 10 * SECONDS


def test_a_listed_program_pauses_and_its_end_resumes_after_the_quiet_minutes(citizen: Citizen, game: Path) -> None:
    asked = citizen.evening.ask()
    citizen.set(yields_to_programs="blender, Night-*", quiet_minutes=2)
    citizen.tick(3)
    assert not citizen.is_paused()
    with playing(game):
        assert citizen.tick_until(citizen.is_paused) <= 30 * SECONDS
        held = citizen.pause()
        assert held is not None
        assert (held.reason, held.until) == ("night-game is running", None)
        assert not citizen.evening.run()
        with citizen.evening.database.read() as connection:
            standing = list_standings(connection, [asked.request], citizen.now)[asked.request.id]
        assert standing.label == "paused"
        assert "night-game is running" in standing.sentence
    citizen.tick()
    quiet = citizen.pause()
    assert quiet is not None
    assert quiet.until == citizen.now + 2 * MINUTES
    assert quiet.created_at == held.created_at
    calls = citizen.wakeup.calls()
    assert citizen.tick_until(lambda: not citizen.is_paused()) == 2 * MINUTES
    assert citizen.wakeup.calls() > calls
    assert citizen.evening.run()
    assert citizen.evening.get(asked).status is Status.SUCCEEDED


def test_a_card_used_by_others_pauses_once_however_its_load_goes_up_and_down(
    citizen: Citizen, programs: Programs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="forllm")
    citizen.evening.ask()
    citizen.set(yields_gpu_percent=20, quiet_minutes=1, busy_seconds=10)
    programs.nvidia_smi(CARD.format(3))
    citizen.tick(2)
    programs.nvidia_smi(CARD.format(87))
    # A blink of use is nothing.
    citizen.tick()
    programs.nvidia_smi(CARD.format(0))
    citizen.tick()
    assert not citizen.is_paused()
    programs.nvidia_smi(CARD.format(87))
    assert citizen.tick_until(citizen.is_paused) <= 20 * SECONDS
    held = citizen.pause()
    assert held is not None
    assert held.reason == "GPU in use by others (87 %)"
    for _ in range(3):
        # A loading screen of half a minute is no end of the game.
        programs.nvidia_smi(CARD.format(2))
        citizen.tick(6)
        assert citizen.is_paused()
        programs.nvidia_smi(CARD.format(95))
        citizen.tick()
    programs.nvidia_smi(CARD.format(0))
    assert MINUTES <= citizen.tick_until(lambda: not citizen.is_paused()) <= MINUTES + 5 * SECONDS
    assert events(caplog).count("machine.made_way") == 1
    assert events(caplog).count("machine.went_on") == 1


class Reply:
    """A reply under way in a thread of its own."""

    def __init__(self, evening: Evening) -> None:
        self._thread = threading.Thread(target=evening.run)
        self._thread.start()

    def wait(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()


def begin(citizen: Citizen) -> Reply:
    """A reply of which the first word is there, and the rest is slow to come."""
    reply = Reply(citizen.evening)
    wait_until(lambda: any(job.first_token_at for job in citizen.evening.pool.running_jobs()), "the first word")
    return reply


SLOW = Script(tokens=("ZFS", ", of", " course."), delay=1.0)


def test_a_reply_is_parked_with_its_text_and_no_attempt_and_its_model_is_unloaded(
    citizen: Citizen, game: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="forllm")
    with ScriptedServer("ollama", models=("qwen3:8b",), default=SLOW) as server:
        world = citizen.evening.world
        citizen.evening.change("backends", world.backend_id, kind="ollama", base_url=server.url)
        asked = citizen.evening.ask()
        citizen.set(yields_to_programs="night-game", busy_seconds=0, quiet_minutes=1)
        reply = begin(citizen)
        with playing(game):
            begun = time.monotonic()
            citizen.tick_until(citizen.is_paused)
            assert time.monotonic() - begun < 5
            reply.wait()
            request = citizen.evening.get(asked)
            assert (request.status, request.attempts) == (Status.QUEUED, 0)
            assert request.output_tokens >= 1
            citizen.tick()
            unloads = [each.body for each in server.requests if each.path == "/api/generate"]
            assert unloads == [{"model": "qwen3:8b", "keep_alive": 0}]
        server.default = Script(tokens=("ZFS", "."))
        citizen.tick_until(lambda: not citizen.is_paused())
        assert citizen.evening.run()
    assert [post.content for post in citizen.evening.posts()[1:]] == ["ZFS."]
    assert facts(caplog, "model.unloaded") == [{"backend": "Desk", "models": "qwen3:8b"}]


def test_what_a_person_wants_now_is_finished_and_its_model_stays_until_then(citizen: Citizen, game: Path) -> None:
    citizen.evening.server.script(SLOW)
    asked = citizen.evening.ask(is_run_now=True)
    citizen.set(yields_to_programs="night-game", busy_seconds=0)
    reply = begin(citizen)
    with playing(game):
        citizen.tick_until(citizen.is_paused)
        reply.wait()
    assert citizen.evening.get(asked).status is Status.SUCCEEDED


def test_a_person_who_resumes_has_the_last_word_until_it_was_quiet_once(citizen: Citizen, game: Path) -> None:
    backend_id = citizen.evening.world.backend_id
    asked = citizen.evening.ask()
    citizen.set(yields_to_programs="night-game", quiet_minutes=1)
    with playing(game):
        citizen.tick_until(citizen.is_paused)
        with citizen.evening.database.transaction() as connection:
            assert resume(connection, backend_id=backend_id)
        citizen.tick(5)
        assert not citizen.is_paused()
        assert citizen.evening.run()
    assert citizen.evening.get(asked).status is Status.SUCCEEDED
    citizen.tick(14)
    citizen.evening.ask(is_another=True)
    with playing(game):
        citizen.tick_until(citizen.is_paused)


def test_what_a_person_paused_stays_paused(citizen: Citizen, game: Path) -> None:
    backend_id = citizen.evening.world.backend_id
    citizen.evening.ask()
    citizen.set(yields_to_programs="night-game", quiet_minutes=1, busy_seconds=0)
    with citizen.evening.database.transaction() as connection:
        mine = pause(connection, backend_id=backend_id, until=None, reason="I work", now=citizen.now)
    with playing(game):
        citizen.tick(3)
    citizen.tick(20)
    assert citizen.pause() == mine


def test_a_restart_takes_a_pause_over_and_does_not_end_it_early(citizen: Citizen, game: Path) -> None:
    citizen.evening.ask()
    citizen.set(yields_to_programs="night-game", quiet_minutes=1)
    with playing(game):
        citizen.tick_until(citizen.is_paused)
        held = citizen.pause()
        citizen.again()
        citizen.tick(2)
        assert citizen.pause() == held
    citizen.again()
    assert MINUTES <= citizen.tick_until(lambda: not citizen.is_paused()) <= MINUTES + 10 * SECONDS


def test_a_pause_ends_at_once_when_the_rules_are_switched_off_even_before_a_restart(
    citizen: Citizen, game: Path
) -> None:
    citizen.evening.ask()
    citizen.set(yields_to_programs="night-game")
    with playing(game):
        citizen.tick_until(citizen.is_paused)
        citizen.set(yields_to_programs="")
        citizen.again()
        citizen.tick()
        assert not citizen.is_paused()


def test_a_backend_on_another_machine_goes_on(citizen: Citizen, game: Path) -> None:
    citizen.evening.ask()
    citizen.evening.change("backends", citizen.evening.world.backend_id, base_url="http://192.0.2.7:8080")
    citizen.set(yields_to_programs="night-game", busy_seconds=0)
    with playing(game):
        citizen.tick(8)
    assert not citizen.is_paused()


# -- staying awake

HOLDS = """echo took >> {log}
while true; do case "$1" in -*) shift;; *) break;; esac; done
"$@"
echo released >> {log}"""


def said(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").split() if log.exists() else []


def test_the_machine_is_kept_awake_while_there_is_work_that_may_be_done(
    citizen: Citizen, programs: Programs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="forllm")
    log = tmp_path / "said"
    programs.write("systemd-inhibit", HOLDS.format(log=log))
    citizen.now = NINE
    citizen.set(keeps_awake=True)
    citizen.window(22 * 60, 23 * 60)
    citizen.tick()
    asked = citizen.evening.ask()
    # Before the window: nobody needs the machine.
    citizen.tick(3)
    assert said(log) == []
    citizen.now = NINE + timedelta(hours=1)
    citizen.tick(3)
    assert said(log) == ["took"]
    with citizen.evening.database.transaction() as connection:
        pause(connection, backend_id=None, until=None, reason="", now=citizen.now)
    citizen.tick(2)
    assert said(log) == ["took", "released"]
    with citizen.evening.database.transaction() as connection:
        resume(connection, backend_id=None)
    citizen.tick(2)
    citizen.evening.change("llm_requests", asked.request.id, status="held")
    citizen.tick(2)
    assert said(log) == ["took", "released"] * 2
    citizen.evening.change("llm_requests", asked.request.id, status="queued", lane=Lane.LIVE.value)
    citizen.now = NINE + timedelta(hours=4)
    # Run now waits for no window.
    citizen.tick()
    citizen.neighbour.stop()
    assert said(log) == ["took", "released"] * 3
    changes = [name for name in events(caplog) if name.startswith("machine.")]
    assert changes == ["machine.kept_awake", "machine.released"] * 3


def test_a_machine_that_cannot_be_kept_awake_is_told_once(
    citizen: Citizen, programs: Programs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="forllm")
    for name in ("systemd-inhibit", "elogind-inhibit"):
        programs.write(name, "echo 'Access denied' >&2; exit 1")
    citizen.evening.ask()
    citizen.set(keeps_awake=True)
    citizen.tick(80)
    (told,) = facts(caplog, "machine.not_kept_awake")
    assert "Access denied" in told["detail"]
    assert "machine.released" not in events(caplog)


# -- commands around a window


@pytest.fixture
def notes(citizen: Citizen, programs: Programs, tmp_path: Path) -> Path:
    """What the commands write down, in a window from 22:00 to 23:00."""
    notes = tmp_path / "notes"
    programs.write("note", f'echo "$1 $FORLLM_EVENT" >> {notes}; echo done; exit "$2"')
    citizen.now = NINE
    citizen.window(22 * 60, 23 * 60)
    citizen.set(command_before_window="note wake 0", command_after_window="note sleep 0")
    return notes


def noted(citizen: Citizen, notes: Path, *, lines: int) -> list[str]:
    """What was noted, once it is as much as expected and a little later."""
    wait_until(lambda: notes.exists() and len(notes.read_text(encoding="utf-8").splitlines()) >= lines, "the command")
    time.sleep(0.1)
    citizen.tick()
    return notes.read_text(encoding="utf-8").splitlines()


def at(hour: int, minute: int = 0) -> datetime:
    return NINE.replace(hour=hour, minute=minute)


def test_the_commands_are_run_once_each_when_the_window_closes_on_waiting_work(citizen: Citizen, notes: Path) -> None:
    citizen.evening.ask()
    citizen.tick(3)
    assert not notes.exists()
    citizen.now = at(22)
    citizen.tick(5)
    assert noted(citizen, notes, lines=1) == ["wake before_window"]
    citizen.again()
    citizen.now = at(22, 30)
    citizen.tick(5)
    assert noted(citizen, notes, lines=1) == ["wake before_window"]
    citizen.now = at(23)
    citizen.tick(5)
    assert noted(citizen, notes, lines=2) == ["wake before_window", "sleep after_window"]
    citizen.again()
    citizen.tick(5)
    # And in the next week again.
    citizen.now = at(22) + timedelta(days=7)
    citizen.tick(3)
    assert noted(citizen, notes, lines=3)[2:] == ["wake before_window"]


def test_the_command_after_a_window_runs_when_the_work_is_done_and_a_later_question_runs_none(
    citizen: Citizen, notes: Path
) -> None:
    asked = citizen.evening.ask()
    citizen.now = at(22, 10)
    citizen.tick(2)
    citizen.evening.change("llm_requests", asked.request.id, status="running")
    citizen.tick(2)
    citizen.evening.change("llm_requests", asked.request.id, status="succeeded")
    citizen.tick(2)
    assert noted(citizen, notes, lines=2) == ["wake before_window", "sleep after_window"]
    citizen.evening.ask(is_another=True)
    citizen.tick(3)
    citizen.now = at(23, 5)
    citizen.tick(3)
    assert noted(citizen, notes, lines=2) == ["wake before_window", "sleep after_window"]


def test_a_reply_that_outlasts_the_window_is_waited_for(citizen: Citizen, notes: Path) -> None:
    asked = citizen.evening.ask()
    citizen.now = at(22, 10)
    citizen.tick(2)
    citizen.evening.change("llm_requests", asked.request.id, status="running")
    for minute in range(0, 30, 5):
        citizen.now = at(23, minute)
        citizen.tick()
    assert noted(citizen, notes, lines=1) == ["wake before_window"]
    citizen.evening.change("llm_requests", asked.request.id, status="succeeded")
    citizen.tick(2)
    assert noted(citizen, notes, lines=2)[1:] == ["sleep after_window"]


def test_an_end_that_was_slept_through_is_left_out(
    citizen: Citizen, notes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    citizen.evening.ask()
    citizen.now = at(22, 10)
    citizen.tick(2)
    assert noted(citizen, notes, lines=1) == ["wake before_window"]
    citizen.again()
    citizen.now = at(23) + timedelta(hours=10)
    citizen.tick(3)
    assert noted(citizen, notes, lines=1) == ["wake before_window"]
    assert events(caplog).count("command.skipped") == 1


def test_no_command_runs_without_work_or_without_windows(citizen: Citizen, notes: Path) -> None:
    citizen.now = at(22, 10)
    citizen.tick(3)
    citizen.now = at(23, 10)
    citizen.tick(3)
    assert not notes.exists()


def test_of_two_processes_one_runs_the_command(citizen: Citizen, notes: Path) -> None:
    citizen.evening.ask()
    citizen.now = at(22, 10)
    first = citizen.neighbour
    citizen.tick(2)
    second = citizen.again()
    for neighbour in (first, second, first, second):
        neighbour.tick(citizen.now)
    assert noted(citizen, notes, lines=1) == ["wake before_window"]


def test_a_command_that_fails_is_a_warning_with_its_output_and_stops_nothing(
    citizen: Citizen, notes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="forllm")
    citizen.set(command_before_window="note wake 7", command_after_window="no-such-program")
    asked = citizen.evening.ask()
    citizen.now = at(22, 10)
    citizen.tick(2)
    noted(citizen, notes, lines=1)
    citizen.evening.change("llm_requests", asked.request.id, status="succeeded")
    citizen.tick()

    def are_both_told() -> bool:
        citizen.tick()
        return events(caplog).count("command.failed") == 2

    wait_until(are_both_told, "both to be told")
    first, second = facts(caplog, "command.failed")
    assert (first["command"], first["exit_code"], first["output"].strip()) == ("before_window", 7, "done")
    assert "could not be started" in second["detail"]


def test_a_row_that_cannot_be_read_is_taken_for_long_over(citizen: Citizen, notes: Path) -> None:
    with citizen.evening.database.transaction() as connection:
        update_setting(connection, "machine.last_opening", "yesterday", now=citizen.now)
    citizen.evening.ask()
    citizen.now = at(22, 10)
    citizen.tick(2)
    assert noted(citizen, notes, lines=1) == ["wake before_window"]


# -- together


@pytest.mark.slow
def test_the_thread_looks_by_itself_and_ends_with_the_workers(evening: Evening, game: Path, tmp_path: Path) -> None:
    with evening.database.transaction() as connection:
        changes = {"yields_to_programs": "night-game", "busy_seconds": 0, "keeps_awake": False}
        change_settings(connection, changes, clock.now())
    evening.server.gate.clear()
    asked = evening.ask()
    installation = Installation(Config(data_dir=tmp_path), evening.database, SECRET_KEY)
    workers = Workers(installation, threads=1, wakeup=Wakeup())
    with playing(game):
        workers.start()
        try:

            def is_held() -> bool:
                with evening.database.read() as connection:
                    return evening.world.backend_id in list_pauses(connection)

            wait_until(is_held, "the pause", seconds=30)
            wait_until(lambda: _is_resting(evening.get(asked)), "the reply to be parked")
        finally:
            evening.server.gate.set()
            assert workers.stop(5)
    assert "neighbour" not in {thread.name for thread in threading.enumerate()}


def _is_resting(request: LlmRequest) -> bool:
    return request.status is Status.QUEUED and request.attempts == 0


def test_a_database_that_is_gone_for_a_moment_ends_nothing(
    citizen: Citizen, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> object:
        raise OSError("the disk is away")

    with monkeypatch.context() as patched:
        patched.setattr(citizen.evening.database, "read", refuse)
        citizen.tick()
    assert facts(caplog, "neighbour.duty_failed")[0]["detail"] == "the disk is away"
    citizen.tick()
    assert events(caplog).count("neighbour.duty_failed") == 1
