"""``forllm test``: the tests, and with ``--all`` every check there is."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from forllm_server.config import CHECKOUT
from forllm_server.errors import ConfigurationError

#: Where Linux keeps files in memory.
MEMORY_FOLDER = Path("/dev/shm")
ROOM_FOR_TESTS_BYTES = 2 * 1024**3
#: More would wait for each other: a browser or a PostgreSQL each.
MOST_PROCESSES = 8

#: Every check besides the tests: name and arguments for Python.
CHECKS = (
    ("ruff check", ("-m", "ruff", "check", ".")),
    ("ruff format", ("-m", "ruff", "format", "--check", ".")),
    ("mypy", ("-m", "mypy")),
    (
        "import-linter",
        ("-c", "import sys; from importlinter.cli import lint_imports_command as lint; sys.exit(lint())"),
    ),
    ("generated docs", ("-m", "forllm_server", "docs", "--check")),
)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--all", "is_all", is_flag=True, help="Also the slow tests, the linters, the types and the docs.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(is_all: bool, arguments: Sequence[str]) -> int:
    """Run the tests. ARGUMENTS go to pytest: paths, -k, -x …"""
    if not (CHECKOUT / "tests").is_dir():
        raise ConfigurationError("There are no tests in an installed FORLLM; run this in a checkout.")
    failed = [name for name, check in CHECKS if is_all and not _passes(name, check)]
    # Without -m the slow ones are left out (pyproject.toml).
    selection = ["-m", ""] if is_all else []
    code = _run("-m", "pytest", *selection, *_side_by_side(arguments), *arguments, environ=_in_memory())
    if failed:
        click.echo(f"Failed besides the tests: {', '.join(failed)}", err=True)
    return code or int(bool(failed))


def _side_by_side(arguments: Sequence[str]) -> list[str]:
    """Several processes share the tests unless ARGUMENTS choose their own number or a debugger."""
    if any(argument.startswith(("-n", "--dist", "--pdb", "--trace")) for argument in arguments):
        return []
    # One more than there are processors: many a test waits for a server.
    return ["-n", str(min((os.cpu_count() or 1) + 1, MOST_PROCESSES)), "--dist", "worksteal"]


def _passes(name: str, check: Sequence[str]) -> bool:
    click.echo(f"-- {name}", err=True)
    return _run(*check) == 0


def _run(*arguments: str, environ: Mapping[str, str] | None = None) -> int:
    own = {**os.environ, **(environ or {})}
    return subprocess.run([sys.executable, *arguments], cwd=CHECKOUT, check=False, env=own).returncode


def _in_memory() -> dict[str, str]:
    """Thousands of tests write a database each, and every commit waits for the disk: in memory that takes no time."""
    is_roomy = MEMORY_FOLDER.is_dir() and shutil.disk_usage(MEMORY_FOLDER).free > ROOM_FOR_TESTS_BYTES
    if "PYTEST_DEBUG_TEMPROOT" in os.environ or not is_roomy or not os.access(MEMORY_FOLDER, os.W_OK):
        return {}
    return {"PYTEST_DEBUG_TEMPROOT": str(MEMORY_FOLDER)}
