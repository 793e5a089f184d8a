"""Real processes: they start, share the data, and end in order when they are told to."""

import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


class Process:
    """``forllm …`` as a process of its own."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-u", "-m", "forllm_server", *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.output = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.output += line

    def wait_for(self, pattern: str) -> re.Match[str]:
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            found = re.search(pattern, self.output)
            if found:
                return found
            assert self.process.poll() is None, self.output
            time.sleep(0.05)
        raise AssertionError(f"{pattern} did not come: {self.output}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Send the signal; how many seconds the end took."""
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(20)
        self._reader.join()
        return time.monotonic() - started

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()


@pytest.fixture
def start() -> Iterator[type[Process]]:
    started: list[Process] = []

    class Remembered(Process):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            started.append(self)

    yield Remembered
    for process in started:
        process.end()


def address_of(server: Process) -> str:
    return server.wait_for(r"FORLLM is open at (http://127\.0\.0\.1:\d+)/")[1]


def health(address: str) -> str:
    with urllib.request.urlopen(f"{address}/health", timeout=10) as answer:
        text: str = answer.read().decode()
    return text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_starts_answers_and_ends_in_order(
    start: type[Process], tmp_path: Path, number: signal.Signals
) -> None:
    server = start("--data", tmp_path, "--port", 0)
    assert '"healthy"' in health(address_of(server))
    assert server.stop(number) < 5
    assert server.process.returncode == 0
    assert "server.stopped" in server.output
    assert "Traceback" not in server.output
    assert not list(tmp_path.glob("*-wal"))


def test_two_servers_and_a_worker_share_the_data(start: type[Process], tmp_path: Path) -> None:
    started = [start("serve", "--data", tmp_path, "--port", 0, "--workers", workers) for workers in (0, 1)]
    worker = start("work", "--data", tmp_path)
    assert all('"healthy"' in health(address_of(server)) for server in started)
    worker.wait_for("FORLLM works on")
    refused = subprocess.run(
        [sys.executable, "-m", "forllm_server", "restore", str(tmp_path / "secret.key"), "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (refused.returncode, "FORLLM is running" in refused.stderr) == (1, True)
    assert worker.stop() < 5
    assert worker.process.returncode == 0
    for server in started:
        assert server.stop() < 5


def test_a_signal_during_the_start_ends_it(start: type[Process], tmp_path: Path) -> None:
    server = start("serve", "--data", tmp_path, "--port", 0)
    server.wait_for("schema.upgraded")
    assert server.stop() < 10
    assert "Traceback" not in server.output
