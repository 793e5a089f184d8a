"""``forllm docs``: the generated parts of docs/, written or checked.

A page that is made as a whole is in :data:`PAGES`; a part of a page stands between ``<!-- generated: name -->`` and
``<!-- end of generated -->`` and is in :data:`PARTS`.
"""

import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from sqlalchemy import Table

from forllm_server import cli
from forllm_server.config import CHECKOUT, OPTIONS
from forllm_server.db import metadata
from forllm_server.errors import ConfigurationError
from forllm_server.jobs import KINDS
from forllm_server.settings.reference import settings_page

#: As the group has them; a command made without its parent would not know.
HELP_OPTIONS = ["-h", "--help"]
PART = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end of generated -->)", re.DOTALL)


@click.command()
@click.option("--check", "is_check", is_flag=True, help="Only say what is out of date; ends with 1 then.")
def command(is_check: bool) -> int:
    """Write the generated parts of the documentation."""
    folder = CHECKOUT / "docs"
    if not folder.is_dir():
        raise ConfigurationError("There is no docs folder in an installed FORLLM; run this in a checkout.")
    stale = {file: content for file, content in generated(folder) if _present(file) != content}
    for file, content in stale.items():
        click.echo(f"{'out of date' if is_check else 'written'}: {file.relative_to(CHECKOUT)}")
        if not is_check:
            file.write_text(content, encoding="utf-8")
    return int(is_check and bool(stale))


def generated(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every page with something generated in it, and what it should hold."""
    for name, make in PAGES.items():
        yield folder / name, make()
    for file in sorted(folder.rglob("*.md")):
        text = file.read_text(encoding="utf-8")
        if "<!-- generated: " in text and file.name not in PAGES:
            yield file, PART.sub(_filled, text)


def command_reference() -> str:
    """The help of every command, as the command line shows it."""
    context = click.Context(cli.group, info_name="forllm", max_content_width=100, terminal_width=100)
    parts = [_help("forllm", cli.group, None)]
    for name in cli.COMMANDS:
        found = cli.group.get_command(context, name)
        assert found is not None
        parts.append(_help(name, found, context))
        if isinstance(found, click.Group):
            parts += [_help(f"{name} {sub}", found.commands[sub], context) for sub in sorted(found.commands)]
    return "\n".join(parts)


def option_table() -> str:
    """The process options: file key, environment variable, flag."""
    rows = ["| in forllm.toml | in the environment | on the command line | default | |", "|---|---|---|---|---|"]
    for option in OPTIONS:
        default = {None: "", (): "none", True: "true", False: "false"}.get(option.default, str(option.default))
        rows.append(f"| `{option.name}` | `{option.variable}` | `{option.flag}` | {default} | {option.help} |")
    return "\n".join(rows) + "\n"


def kind_table() -> str:
    """The kinds of job, from the docstrings of their classes."""
    rows = ["| kind | |", "|---|---|"]
    rows += [f"| `{name}` | {(kind.__doc__ or '').strip().splitlines()[0]} |" for name, kind in sorted(KINDS.items())]
    return "\n".join(rows) + "\n"


def schema_page() -> str:
    """Every table with its columns, as docs/schema.md."""
    for file in sorted((CHECKOUT / "forllm_server").glob("*/tables.py")):
        importlib.import_module(f"forllm_server.{file.parent.name}.tables")
    introduction = (
        "# Schema\n\nThe tables of the database, made from `forllm_server/*/tables.py`; a test says when this page is "
        "out of date.\nTimes are UTC. The schema version is in `alembic_version`.\n\n"
    )
    return introduction + "\n".join(_table(table) for table in sorted(metadata.tables.values(), key=lambda t: t.name))


def _table(table: Table) -> str:
    rows = [f"## {table.name}\n", "| column | type | null | refers to |", "|---|---|---|---|"]
    for column in table.columns:
        kind = "UtcDateTime" if type(column.type).__name__ == "UtcDateTime" else str(column.type)
        refers = ", ".join(sorted(f"`{key.target_fullname}`" for key in column.foreign_keys))
        name = f"**{column.name}**" if column.primary_key else column.name
        rows.append(f"| {name} | {kind} | {'yes' if column.nullable else ''} | {refers} |")
    return "\n".join(rows) + "\n"


def _help(name: str, found: click.Command, parent: click.Context | None) -> str:
    title = name if parent is None else f"forllm {name}"
    context = click.Context(
        found, info_name=title, max_content_width=100, terminal_width=100, help_option_names=HELP_OPTIONS
    )
    return f"## {title}\n\n```text\n{found.get_help(context)}\n```\n"


def _filled(match: re.Match[str]) -> str:
    name = match["name"]
    if name not in PARTS:
        raise ConfigurationError(f"docs/ asks for a generated part {name!r}, which nothing makes.")
    return f"{match[1]}\n{PARTS[name]()}\n{match[3]}"


def _present(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.exists() else None


PAGES: dict[str, Callable[[], str]] = {"settings.md": settings_page, "schema.md": schema_page}
PARTS: dict[str, Callable[[], str]] = {
    "commands": command_reference,
    "options": option_table,
    "kinds": kind_table,
}
