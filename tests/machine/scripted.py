"""Doubles at the wire: executables on PATH that answer as a driver's or a system's own would, and real processes that
are not of this process's family."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest


class Programs:
    """A folder in front of PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, script: str) -> Path:
        """An executable of POSIX sh."""
        file = self.folder / name
        file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        file.chmod(0o755)
        return file

    def nvidia_smi(
        self,
        cards: str,
        *,
        compute: str = "",
        processes: str | None = None,
        watts: str = "",
    ) -> None:
        """An ``nvidia-smi`` that answers the queries; ``processes`` None: the driver has no ``pmon`` for this card."""
        answers = {"cards": cards, "compute": compute, "processes": processes or "", "watts": watts}
        for name, answer in answers.items():
            (self.folder / f"nvidia.{name}").write_text(answer, encoding="utf-8")
        pmon = f"cat {self.folder}/nvidia.processes" if processes is not None else "echo 'Not supported'; exit 3"
        self.write(
            "nvidia-smi",
            f"""case "$*" in
              *query-gpu=index*) cat {self.folder}/nvidia.cards ;;
              *query-compute-apps=*) cat {self.folder}/nvidia.compute ;;
              *query-gpu=power.draw*) cat {self.folder}/nvidia.watts ;;
              pmon*) {pmon} ;;
              *) echo "unknown option $*"; exit 2 ;;
            esac""",
        )


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Executables of the test, found before those of the machine."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return Programs(folder)


@pytest.fixture
def bare_programs(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """A PATH with nothing on it but what tests write, and the shell's bare necessities."""
    for name in ("sh", "cat", "sleep"):
        (programs.folder / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(programs.folder))
    return programs


@contextlib.contextmanager
def stranger(*argv: str) -> Iterator[int]:
    """A running process whose parent has ended, so that it belongs to nobody's family; its id."""
    started = subprocess.run(
        ["sh", "-c", '"$@" >/dev/null 2>&1 & echo $!', "sh", *argv], stdout=subprocess.PIPE, text=True, check=True
    )
    process_id = int(started.stdout)
    try:
        yield process_id
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)


def burning(*, seconds: float = 60.0) -> Sequence[str]:
    """The words of a program that uses a core."""
    return [
        sys.executable,
        "-c",
        f"import time\nend = time.monotonic() + {seconds}\nwhile time.monotonic() < end: pass",
    ]


def is_running(process_id: int) -> bool:
    try:
        return psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(seen: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.02)
