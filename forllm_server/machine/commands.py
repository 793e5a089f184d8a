"""A person's own commands around a window: wake another machine before it, shut this one down after it.

No shell: the words are split as a shell would, and that is all. No environment but what programs need to find their
way, so that no key or password of FORLLM's goes along; what happened is in ``FORLLM_EVENT`` and other ``FORLLM_…``.
"""

import os
import re
import shlex
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from forllm_server.errors import Invalid
from forllm_server.machine.bounded import Ended, run_bounded

TIMEOUT_SECONDS = 60.0
OUTPUT_BYTES = 16 * 1024
MOST_CHARACTERS = 4_000
#: What a command inherits: where programs, home and session are, the language. Nothing that opens a door.
INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TZ", "TMPDIR"),
    *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES"),
    *("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
    *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERNAME", "USERPROFILE"),
    *("HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES"),
)
_FACT = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class CommandOutcome:
    """How a command went."""

    argv: tuple[str, ...]
    #: negative: the signal that ended it; None: it was not started, or was ended for taking too long
    exit_code: int | None
    #: the end of what it wrote to stdout and stderr, OUTPUT_BYTES at most
    output: str
    is_truncated: bool
    is_timed_out: bool
    seconds: float
    #: what went wrong, a sentence for people; empty when it succeeded
    problem: str
    #: it was ended because FORLLM stops
    is_called_off: bool = False
    #: there is no such program, or it may not be run
    is_missing: bool = False

    @property
    def is_ok(self) -> bool:
        return not self.problem


class RunningCommand:
    """A command under way."""

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        timeout_seconds: float,
        folder: Path | None,
        *,
        given: bytes | None = None,
        called_off: threading.Event | None = None,
    ) -> None:
        self.argv = tuple(argv)
        self._environment = environment
        self._timeout_seconds = timeout_seconds
        self._folder = folder
        self._given = given
        self._called_off = called_off
        self._outcome: CommandOutcome | None = None
        self._thread = threading.Thread(target=self._run, name="command", daemon=True)
        self._thread.start()

    def outcome(self, wait_seconds: float = 0.0) -> CommandOutcome | None:
        """How it went, or None while it runs; waits for ``wait_seconds`` at most."""
        self._thread.join(wait_seconds)
        return self._outcome

    def _run(self) -> None:
        found = shutil.which(self.argv[0], path=self._environment.get("PATH"))
        if found is None and self._folder is not None:
            found = shutil.which(str(self._folder / self.argv[0]))
        ended = Ended(None, "", False, False, 0.0, "There is no such program")
        if found is not None:
            ended = run_bounded(
                [found, *self.argv[1:]],
                timeout_seconds=self._timeout_seconds,
                output_bytes=OUTPUT_BYTES,
                environment=self._environment,
                folder=self._folder,
                given=self._given,
                called_off=self._called_off,
            )
        self._outcome = CommandOutcome(
            self.argv,
            ended.exit_code,
            ended.output,
            ended.is_truncated,
            ended.is_timed_out,
            ended.seconds,
            _problem(ended, self.argv[0], self._timeout_seconds),
            is_called_off=ended.is_called_off,
            is_missing=bool(ended.problem),
        )


def parse_command(command: str, *, field: str | None = None, is_windows: bool = os.name == "nt") -> tuple[str, ...]:
    """The words of a command line, without a shell: ``*``, ``|``, ``$`` and ``>`` mean nothing. Raises Invalid."""
    if len(command) > MOST_CHARACTERS:
        raise Invalid(f"A command may have {MOST_CHARACTERS:,} characters. Put more into a script.", field=field)
    if "\0" in command:
        raise Invalid("A command cannot hold a NUL character.", field=field)
    try:
        words = shlex.split(command, posix=not is_windows)
    except ValueError:
        raise Invalid("A quotation mark in this command has no partner.", field=field) from None
    # Backslashes separate folders there, so that quotation marks are left in place by the splitting.
    argv = tuple(_without_quotes(word) for word in words) if is_windows else tuple(words)
    if not argv or not argv[0]:
        raise Invalid("A command begins with the name of a program.", field=field)
    return argv


def start_command(
    command: str,
    event: str,
    facts: Mapping[str, str | int | float] | None = None,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    folder: Path | None = None,
) -> RunningCommand:
    """Start a command and return at once. Raises Invalid for one that cannot be read (see ``parse_command``).

    ``event``: e.g. ``window.opened``, in FORLLM_EVENT. ``facts``: names in lower case → values; ``backend`` becomes
    FORLLM_BACKEND. After ``timeout_seconds`` it is ended with all that it started. ``folder``: where it runs.
    """
    environment = command_environment(event, facts or {})
    return RunningCommand(parse_command(command), environment, timeout_seconds, folder)


def run_command(
    command: str,
    event: str,
    facts: Mapping[str, str | int | float] | None = None,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    folder: Path | None = None,
    given: bytes | None = None,
    called_off: threading.Event | None = None,
) -> CommandOutcome:
    """As ``start_command``, but waits for the end: ``timeout_seconds`` + 0.6 s at most.

    ``given``: what the command can read from stdin. Once ``called_off`` is set, it is ended at once.
    """
    environment = command_environment(event, facts or {})
    argv = parse_command(command)
    running = RunningCommand(argv, environment, timeout_seconds, folder, given=given, called_off=called_off)
    while (outcome := running.outcome(timeout_seconds)) is None:
        continue
    return outcome


def command_environment(event: str, facts: Mapping[str, str | int | float]) -> dict[str, str]:
    """All that a command's environment holds. Raises ValueError for a fact's name that is none."""
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    for name, value in {"event": event, **facts}.items():
        if not _FACT.fullmatch(name):
            raise ValueError(f"{name!r} is not a name for a fact")
        environment[f"FORLLM_{name.upper()}"] = str(value).replace("\0", "")
    return environment


def _problem(ended: Ended, name: str, timeout_seconds: float) -> str:
    if ended.problem:
        return f"{name} could not be started: {ended.problem}."
    if ended.is_called_off:
        return f"{name} was ended: FORLLM stops."
    if ended.is_timed_out:
        return f"{name} was ended: it took longer than {timeout_seconds:g} s."
    if ended.exit_code is not None and ended.exit_code < 0:
        return f"{name} was ended by signal {-ended.exit_code}."
    return f"{name} failed with exit code {ended.exit_code}." if ended.exit_code else ""


def _without_quotes(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else word
