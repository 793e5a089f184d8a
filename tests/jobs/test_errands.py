"""What is done around the work of a night: the machine kept awake, commands before and after a window."""

import logging
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from forllm_server.queue.model import Lane
from forllm_server.queue.pausing import pause, resume
from forllm_server.settings.settings_store import update_setting
from tests.jobs.citizen import NINE, Citizen, citizen, events, facts
from tests.machine.scripted import Programs, programs, wait_until

__all__ = ["citizen", "programs"]


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
