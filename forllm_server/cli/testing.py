"""``forllm test``: the tests, and with ``--all`` every check there is."""

import subprocess
import sys
from collections.abc import Sequence

import click

from forllm_server.config import CHECKOUT
from forllm_server.errors import ConfigurationError

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
    code = _run("-m", "pytest", *selection, *arguments)
    if failed:
        click.echo(f"Failed besides the tests: {', '.join(failed)}", err=True)
    return code or int(bool(failed))


def _passes(name: str, check: Sequence[str]) -> bool:
    click.echo(f"-- {name}", err=True)
    return _run(*check) == 0


def _run(*arguments: str) -> int:
    return subprocess.run([sys.executable, *arguments], cwd=CHECKOUT, check=False).returncode
