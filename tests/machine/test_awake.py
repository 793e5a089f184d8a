import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from forllm_server.config import CHECKOUT
from forllm_server.machine.awake import KeepAwake, ThreadHolder, set_execution_state
from tests.machine.scripted import Programs, wait_until

#: Takes its options off, writes down what it does, and runs the rest as the real ones do: as a child.
HOLDS = """echo "took $*" >> {log}
while true; do case "$1" in -*) shift;; *) break;; esac; done
"$@"
echo released >> {log}"""
REFUSES_SLEEP = """case "$1" in *sleep*) echo "Failed to inhibit: Access denied" >&2; exit 1;; esac
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "said"


def said(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


@pytest.mark.parametrize(
    ("name", "platform", "words"),
    [
        ("systemd-inhibit", "linux", "--what=sleep:idle --who=FORLLM --why=answers until 06:00 --mode=block"),
        ("elogind-inhibit", "linux", "--what=sleep:idle --who=FORLLM --why=answers until 06:00 --mode=block"),
        ("caffeinate", "darwin", "-i -s"),
    ],
)
def test_the_machine_is_kept_awake_until_the_end_and_no_longer(
    bare_programs: Programs, log: Path, name: str, platform: str, words: str
) -> None:
    bare_programs.write(name, HOLDS.format(log=log))
    with KeepAwake("answers until 06:00", platform=platform) as awake:
        assert awake.is_held
        assert awake.detail == f"kept awake by {name}"
        (took,) = said(log)
        assert took.startswith(f"took {words} sh -c ")
    assert said(log)[1:] == ["released"]
    assert not awake.is_held
    awake.close()


def test_one_that_may_not_hold_off_sleep_holds_off_idleness(bare_programs: Programs, log: Path) -> None:
    bare_programs.write("systemd-inhibit", REFUSES_SLEEP + HOLDS.format(log=log))
    with KeepAwake("work", platform="linux") as awake:
        assert awake.is_held
        assert awake.detail.startswith("kept from sleeping when idle by systemd-inhibit")
    assert said(log)[-1] == "released"


def test_a_refusal_is_told_with_its_reason(bare_programs: Programs) -> None:
    bare_programs.write("systemd-inhibit", "echo 'Failed to connect to bus: No such file or directory' >&2; exit 1")
    with KeepAwake("work", platform="linux") as awake:
        assert not awake.is_held
    assert awake.detail == (
        "not available: systemd-inhibit: Failed to connect to bus: No such file or directory; "
        "elogind-inhibit is not installed"
    )


@pytest.mark.parametrize(
    ("platform", "detail"),
    [
        ("linux", "not available: systemd-inhibit is not installed; elogind-inhibit is not installed"),
        ("darwin", "not available: caffeinate is not installed"),
        ("freebsd14", "not available: FORLLM knows no way on freebsd14"),
        ("win32", "not available: SetThreadExecutionState failed"),
    ],
)
def test_a_machine_without_a_way_says_so(bare_programs: Programs, platform: str, detail: str) -> None:
    with KeepAwake("work", platform=platform) as awake:
        assert not awake.is_held
        assert awake.detail == detail


def test_one_that_says_nothing_is_not_waited_for(bare_programs: Programs) -> None:
    bare_programs.write("systemd-inhibit", "trap '' TERM; sleep 30")
    begun = time.monotonic()
    with KeepAwake("work", platform="linux") as awake:
        assert time.monotonic() - begun < 2.2
        assert not awake.is_held
        assert awake.detail == "not available: systemd-inhibit did not answer in time"


def test_one_that_is_ended_by_others_is_noticed(bare_programs: Programs, log: Path) -> None:
    bare_programs.write("caffeinate", "echo held; sleep 0.1")
    with KeepAwake("work", platform="darwin") as awake:
        wait_until(lambda: not awake.is_held, "its end to be noticed")


def test_one_that_does_not_heed_the_end_of_the_pipe_is_ended(bare_programs: Programs) -> None:
    bare_programs.write("caffeinate", "trap '' TERM; echo held; while true; do sleep 0.1; done")
    begun = time.monotonic()
    with KeepAwake("work", platform="darwin") as awake:
        assert awake.is_held
    assert not awake.is_held
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_machine_may_sleep_when_the_process_dies_however_it_dies(
    bare_programs: Programs, log: Path, number: signal.Signals
) -> None:
    bare_programs.write("systemd-inhibit", HOLDS.format(log=log))
    code = (
        "import sys, threading\n"
        "from forllm_server.machine.awake import KeepAwake\n"
        "awake = KeepAwake('work', platform='linux')\n"
        "print(awake.is_held, flush=True)\n"
        "threading.Event().wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=CHECKOUT, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "True\n"
        assert len(said(log)) == 1
        worker.send_signal(number)
        worker.wait()
        wait_until(lambda: said(log)[1:] == ["released"], "the release")


def test_the_real_one_of_this_machine_holds_or_says_why_not() -> None:
    begun = time.monotonic()
    with KeepAwake("a test of FORLLM") as awake:
        assert time.monotonic() - begun < 2.2
        assert awake.is_held != awake.detail.startswith("not available: ")
        if awake.is_held and shutil.which("systemd-inhibit"):
            held = subprocess.run(["systemd-inhibit", "--list"], capture_output=True, text=True, check=True)
            assert "a test of FORLLM" in held.stdout


def test_on_windows_the_thread_that_asked_takes_it_back() -> None:
    calls: list[tuple[int, int]] = []

    def set_state(state: int) -> int:
        calls.append((threading.get_ident(), state))
        return 0x80000000

    holder = ThreadHolder(set_state)
    assert holder.is_held
    assert [state for _, state in calls] == [0x80000001]
    holder.close()
    assert not holder.is_held
    assert [state for _, state in calls] == [0x80000001, 0x80000000]
    assert len({thread for thread, _ in calls}) == 1
    assert calls[0][0] != threading.get_ident()


def test_elsewhere_windows_function_fails() -> None:
    assert sys.platform == "win32" or set_execution_state(0x80000000) == 0
