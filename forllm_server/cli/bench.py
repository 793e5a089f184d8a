"""``forllm bench``: the benchmarks of tests/benchmarks, each printing its table."""

import subprocess
import sys
from collections.abc import Sequence

import click

from forllm_server.config import CHECKOUT
from forllm_server.errors import ConfigurationError


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: Sequence[str]) -> int:
    """Measure this machine. ARGUMENTS go to the benchmarks; --help lists them."""
    if not (CHECKOUT / "tests" / "benchmarks").is_dir():
        raise ConfigurationError("There are no benchmarks in an installed FORLLM; run this in a checkout.")
    return subprocess.run([sys.executable, "-m", "tests.benchmarks", *arguments], cwd=CHECKOUT, check=False).returncode
