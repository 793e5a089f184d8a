"""A good citizen of its machine, with real processes, scripted drivers on PATH, and the time handed in."""

import logging
import threading
import time
from pathlib import Path

import pytest

from forllm_server import clock
from forllm_server.cli.runtime import Installation
from forllm_server.cli.workers import Workers
from forllm_server.config import Config
from forllm_server.jobs.standing import list_standings
from forllm_server.queue.model import LlmRequest, Status
from forllm_server.queue.pause_store import list_pauses
from forllm_server.queue.pausing import pause, resume
from forllm_server.queue.wakeup import Wakeup
from forllm_server.settings.values import change_settings
from tests.jobs.citizen import CARD, GAME, MINUTES, SECONDS, Citizen, citizen, events, facts, game, playing
from tests.jobs.conftest import SECRET_KEY, Evening
from tests.machine.scripted import Programs, burning, programs, stranger, wait_until
from tests.support.scripted_server import Script, ScriptedServer

__all__ = ["citizen", "game", "programs"]


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
    citizen.set(yields_to_programs=f"blender, {GAME.title()}*", quiet_minutes=2)
    citizen.tick(3)
    assert not citizen.is_paused()
    with playing(game):
        assert citizen.tick_until(citizen.is_paused) <= 30 * SECONDS
        held = citizen.pause()
        assert held is not None
        assert (held.reason, held.until) == (f"{GAME} is running", None)
        assert not citizen.evening.run()
        with citizen.evening.database.read() as connection:
            standing = list_standings(connection, [asked.request], citizen.now)[asked.request.id]
        assert standing.label == "paused"
        assert f"{GAME} is running" in standing.sentence
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
        citizen.set(yields_to_programs=GAME, busy_seconds=0, quiet_minutes=1)
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
        server.default = Script(tokens=SLOW.tokens)
        citizen.tick_until(lambda: not citizen.is_paused())
        assert citizen.evening.run()
    assert [post.content for post in citizen.evening.posts()[1:]] == ["ZFS, of course."]
    assert facts(caplog, "model.unloaded") == [{"backend": "Desk", "models": "qwen3:8b"}]


def test_what_a_person_wants_now_is_finished_and_its_model_stays_until_then(citizen: Citizen, game: Path) -> None:
    citizen.evening.server.script(SLOW)
    asked = citizen.evening.ask(is_run_now=True)
    citizen.set(yields_to_programs=GAME, busy_seconds=0)
    reply = begin(citizen)
    with playing(game):
        citizen.tick_until(citizen.is_paused)
        reply.wait()
    assert citizen.evening.get(asked).status is Status.SUCCEEDED


def test_a_person_who_resumes_has_the_last_word_until_it_was_quiet_once(citizen: Citizen, game: Path) -> None:
    backend_id = citizen.evening.world.backend_id
    asked = citizen.evening.ask()
    citizen.set(yields_to_programs=GAME, quiet_minutes=1)
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
    citizen.set(yields_to_programs=GAME, quiet_minutes=1, busy_seconds=0)
    with citizen.evening.database.transaction() as connection:
        mine = pause(connection, backend_id=backend_id, until=None, reason="I work", now=citizen.now)
    with playing(game):
        citizen.tick(3)
    citizen.tick(20)
    assert citizen.pause() == mine


def test_a_restart_takes_a_pause_over_and_does_not_end_it_early(citizen: Citizen, game: Path) -> None:
    citizen.evening.ask()
    citizen.set(yields_to_programs=GAME, quiet_minutes=1)
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
    citizen.set(yields_to_programs=GAME)
    with playing(game):
        citizen.tick_until(citizen.is_paused)
        citizen.set(yields_to_programs="")
        citizen.again()
        citizen.tick()
        assert not citizen.is_paused()


def test_a_backend_on_another_machine_goes_on(citizen: Citizen, game: Path) -> None:
    citizen.evening.ask()
    citizen.evening.change("backends", citizen.evening.world.backend_id, base_url="http://192.0.2.7:8080")
    citizen.set(yields_to_programs=GAME, busy_seconds=0)
    with playing(game):
        citizen.tick(8)
    assert not citizen.is_paused()


# -- together


@pytest.mark.slow
def test_the_thread_looks_by_itself_and_ends_with_the_workers(evening: Evening, game: Path, tmp_path: Path) -> None:
    with evening.database.transaction() as connection:
        changes = {"yields_to_programs": GAME, "busy_seconds": 0, "keeps_awake": False}
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
