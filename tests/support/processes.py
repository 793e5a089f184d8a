"""FORLLM's real processes, started, signalled and asked over HTTP as a person's are.

with ForllmProcess("serve", data_dir, "--port", "0") as serve:
    serve.wait_until_open()
    assert serve.api("GET", "/health")["status"] == "healthy"
    assert serve.end(signal.SIGTERM) == 0
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from forllm_server.config import CHECKOUT

#: How long a test waits for something that should happen soon; generous, because the machine may be busy.
PATIENCE_SECONDS = 120.0
_GREETING = re.compile(r"open at (http://\S+:\d+)/")


class Refused(AssertionError):
    """The API answered with an error; `status` and `problem` tell which."""

    def __init__(self, status: int, problem: Any) -> None:
        super().__init__(f"{status}: {problem}")
        self.status = status
        self.problem = problem


class ForllmProcess:
    """One ``python -m forllm_server COMMAND --data …``, behind ``wrapper``. Its words go to ``log``."""

    def __init__(
        self,
        command: str,
        data_dir: Path,
        *options: str,
        environ: Mapping[str, str] | None = None,
        log: Path,
        wrapper: Sequence[str] = (),
    ) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FORLLM_")}
        self._log = log
        with log.open("ab") as words:
            self.process = subprocess.Popen(
                [*wrapper, sys.executable, "-m", "forllm_server", command, "--data", str(data_dir), *options],
                cwd=CHECKOUT,
                env=kept | {"PYTHONUNBUFFERED": "1"} | dict(environ or {}),
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=subprocess.STDOUT,
            )
        self.url = ""
        self._session = requests.Session()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()
        if self.is_running:
            # A stopped process heeds nothing but this.
            self.process.kill()
        self.process.wait()

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def pid(self) -> int:
        return self.process.pid

    def words(self) -> str:
        """All that it has said so far, on stdout and stderr."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait_until_open(self) -> str:
        """Wait for the printed address and for /health; the address."""
        self.url = self.wait_for_words(_GREETING).group(1)
        wait_for(lambda: self._is_healthy(), "/health to answer", self.words)
        return self.url

    def wait_for_words(self, pattern: re.Pattern[str] | str) -> re.Match[str]:
        """Wait until it has said something that matches; the first match."""

        def heard() -> re.Match[str] | None:
            found = re.search(pattern, self.words())
            assert found or self.is_running, f"it ended ({self.process.returncode}): {self.words()}"
            return found

        # On a busy machine, with processes stopped that hold locks, a start may take its time.
        found: re.Match[str] = wait_for(heard, f"the words {pattern!r}", self.words, seconds=120)
        return found

    def api(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON that the server answers; raises Refused for an error. ``path`` begins with / or with a noun."""
        address = path if path.startswith("/") else f"/api/v1/{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self._session.request(method, self.url + address, json=body, headers=named, timeout=30)
        if not response.ok:
            raise Refused(response.status_code, response.json())
        return response.json() if response.content else None

    def page(self, path: str) -> str:
        """The HTML of a page."""
        response = self._session.get(self.url + path, timeout=30)
        response.raise_for_status()
        return response.text

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals, *, within_seconds: float = 15.0) -> int:
        """Send a signal and wait for the end; the exit code (negative: the signal that killed it)."""
        self.send(number)
        return self.wait(within_seconds)

    def wait(self, within_seconds: float = 30.0) -> int:
        """Wait for the end; the exit code."""
        try:
            return self.process.wait(within_seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {within_seconds} s: {self.words()}") from None

    def _is_healthy(self) -> bool:
        assert self.is_running, f"it ended ({self.process.returncode}): {self.words()}"
        try:
            return self._session.get(f"{self.url}/health", timeout=5).status_code == 200
        except requests.RequestException:
            return False


def wait_for(
    seen: Callable[[], Any], what: str, words: Callable[[], str] = str, *, seconds: float = PATIENCE_SECONDS
) -> Any:
    """Ask ``seen`` until its answer is true; that answer. Fails with ``words()`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (answer := seen()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}\n{words()}"
        time.sleep(0.05)
    return answer
