"""The command ``forllm``: a click group whose commands are loaded when they are asked for.

A command is a module of this room with a click command named ``command``, and a line in :data:`COMMANDS`.
"""

import importlib
import sys
from collections.abc import Sequence

import click

from forllm_server import __version__
from forllm_server.errors import ForllmError

#: Command → its module. Loaded one at a time: ``forllm check`` need not load the web server.
COMMANDS = {
    "serve": "serve",
    "work": "work",
    "check": "check",
    "doctor": "doctor",
    "migrate": "migrate",
    "backup": "backup",
    "restore": "restore",
    "demo": "demo",
    "import-original": "import_original",
    "ask": "ask",
    "batch": "batch",
    "debate": "debate",
    "council": "council",
    "queue": "queue",
    "schedule": "schedule",
    "test": "testing",
    "bench": "bench",
    "docs": "docs",
}
DEFAULT = "serve"


class Commands(click.Group):
    """Finds commands by name, starts ``serve`` when none is named, and shows domain errors as one message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"forllm_server.cli.{COMMANDS[cmd_name]}")
        found: click.Command = module.command
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"--help", "-h", "--version"}
        if not args or (args[0].startswith("-") and args[0] not in own):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            outcome = super().invoke(ctx)
        except ForllmError as error:
            raise click.ClickException(error.message) from error
        # What a command returns is its exit code.
        ctx.exit(outcome if isinstance(outcome, int) else 0)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Without a command: serve. Options follow the command.",
)
@click.version_option(__version__, prog_name="forllm")
def group() -> None:
    """A forum for local language models that answers overnight."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (default: the process's own); returns the exit code."""
    try:
        outcome = group.main(
            list(sys.argv[1:] if arguments is None else arguments), prog_name="forllm", standalone_mode=False
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 130
    return outcome if isinstance(outcome, int) else 0
