"""``forllm batch``: a table asked from the command line; the same command on the same table goes on where it was."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
from sqlalchemy import Connection

from forllm_server import clock
from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.batches import batch_store, cell_store
from forllm_server.batches.checks import LONGEST_VALUE, Check, CheckKind, new_check
from forllm_server.batches.exporting import ExportFormat
from forllm_server.batches.making import MOST_REPEATS, BatchDraft, prepare
from forllm_server.batches.model import Batch, Place, Progress, State
from forllm_server.batches.reading import LARGEST_FILE_BYTES, Encoding, Format, Table, decode, format_of, read_table
from forllm_server.cli.ask import UNANSWERED, find_subforum_id, warn_without_worker
from forllm_server.cli.naming import model_named, persona_named
from forllm_server.cli.options import with_config
from forllm_server.cli.runtime import opened
from forllm_server.config import Config
from forllm_server.db import Database
from forllm_server.errors import Invalid, TooLarge
from forllm_server.jobs import batches as rules
from forllm_server.jobs.batch_forecast import foretell_batch
from forllm_server.jobs.batch_lines import pieces_of
from forllm_server.personas.choosing import choose
from forllm_server.settings.values import read_settings

_FORMATS = click.Choice([each.value for each in Format])
_ENCODINGS = click.Choice([each.value for each in Encoding])
_EXPORTS = click.Choice([each.value for each in ExportFormat])

LOOK_EVERY_SECONDS = 1.0
MOST = 1_000

_number = click.argument("batch_id", type=click.IntRange(min=1))


@click.group()
def command() -> None:
    """Ask a table line by line, of several personas and models."""


@command.command("run")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--template", help="What is asked, as in 'Is {{town}} in {{land}}?'. Not needed for a single column.")
@click.option("--persona", "personas", multiple=True, metavar="NAME", help="Who answers; may be repeated.")
@click.option("--model", "models", multiple=True, metavar="NAME", help="On which model; may be repeated.")
@click.option("--repeats", type=click.IntRange(1, MOST_REPEATS), default=1, show_default=True, help="Times each.")
@click.option("--title", help="Otherwise the file's name.")
@click.option("--subforum", "subforum_name", metavar="NAME", help="Where; otherwise in the first subforum.")
@click.option("--format", "form", type=_FORMATS, help="Otherwise by the file's name.")
@click.option("--encoding", type=_ENCODINGS, default=Encoding.AUTO.value, show_default=True, help="Of the file.")
@click.option("--topics", "is_in_topics", is_flag=True, help="A topic for each line, instead of one for all.")
@click.option("--each-once", "is_each_once", is_flag=True, help="Leave out lines that ask what an earlier one asks.")
@click.option(
    "--check",
    "checks",
    multiple=True,
    metavar="KIND:VALUE",
    help="As in contains:yes, json:name,age:number, schema:@file.",
)
@click.option("--judge", "judge_name", metavar="NAME", help="The persona that judges every answer by the rubric.")
@click.option("--rubric", default="", help="What an answer must do to pass, as in 'Names the country.'")
@click.option("--now", "is_now", is_flag=True, help="Go first, and wait for no window.")
@click.option("--new", "is_new", is_flag=True, help="Ask again what an earlier batch has asked.")
@click.option("--wait", "is_waiting", is_flag=True, help="Wait for all answers. Ends with 3 if some did not come.")
@with_config()
def run_command(
    config: Config,
    file: Path,
    template: str | None,
    personas: Sequence[str],
    models: Sequence[str],
    repeats: int,
    title: str | None,
    subforum_name: str | None,
    form: str | None,
    encoding: str,
    is_in_topics: bool,
    is_each_once: bool,
    checks: Sequence[str],
    judge_name: str | None,
    rubric: str,
    is_now: bool,
    is_new: bool,
    is_waiting: bool,
) -> int:
    """Ask every line of FILE (CSV, TSV, JSON Lines, a Markdown list, plain lines).

    The same command on the same file finds its batch again, goes on with it and tries again what failed. A running
    `serve` or `work` on the same data answers it.
    """
    table = read_file(file, form, Encoding(encoding))
    # Files are read and schemas tried while nobody waits for the database.
    tried = tuple(_check(text) for text in checks)
    with opened(config) as installation:
        with installation.database.transaction() as connection:
            persona_ids = [persona_named(connection, name).id for name in personas] or [_default_persona(connection)]
            draft = BatchDraft(
                subforum_id=find_subforum_id(connection, subforum_name),
                title=title or file.name,
                template=template or _default_template(table),
                table=table,
                persona_ids=tuple(persona_ids),
                model_ids=tuple(model_named(connection, name).model.id for name in models) or (None,),
                repeats=repeats,
                place=Place.TOPICS if is_in_topics else Place.GRID,
                checks=tried,
                judge_persona_id=persona_named(connection, judge_name).id if judge_name else None,
                rubric=rubric,
                is_run_now=is_now,
                is_each_once=is_each_once,
            )
            batch = _find_or_create(connection, draft, is_new=is_new)
        return _wait(installation.database, batch.id) if is_waiting else 0


@command.command("list")
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="How many at most.")
@with_config()
def list_command(config: Config, limit: int) -> int:
    """Show the batches, newest first."""
    with opened(config) as installation, installation.database.read() as connection:
        found = batch_store.list_batches(connection, limit=limit)
        for batch in found:
            click.echo(f"{batch.id:>6}  {_progress_words(cell_store.read_progress(connection, batch))}  {batch.title}")
    if not found:
        click.echo("There is no batch yet.", err=True)
    return 0 if found else 1


@command.command("show")
@_number
@with_config()
def show_command(config: Config, batch_id: int) -> int:
    """Show how far a batch is."""
    with opened(config) as installation, installation.database.read() as connection:
        batch = batch_store.get_batch(connection, batch_id)
        progress = cell_store.read_progress(connection, batch)
        foretold = foretell_batch(connection, batch, progress, clock.now())
    state = "finished" if batch.finished_at and batch.state is State.OPEN else batch.state.value
    click.echo(f"{batch.title}: {state}\n{batch.line_count:,} lines, {_progress_words(progress)}")
    for ask in batch.asks:
        click.echo(f"  {ask.label}")
    if batch.judge:
        click.echo(f"Judged by {batch.judge.persona_words}: {batch.judge.rubric}")
    if foretold is not None:
        click.echo(f"Still to come: {foretold.words}.")
    if batch.problem:
        click.echo(batch.problem, err=True)
    return 0


@command.command("export")
@_number
@click.option("--format", "form", type=_EXPORTS, default=ExportFormat.CSV.value)
@click.option("--output", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Otherwise shown.")
@with_config()
def export_command(config: Config, batch_id: int, form: str, output: Path | None) -> int:
    """Write a batch with its answers as CSV, JSON Lines or a Markdown table."""
    with opened(config) as installation:
        database = installation.database
        with database.read() as connection:
            batch = batch_store.get_batch(connection, batch_id)
        pieces = pieces_of(database.read, batch, ExportFormat(form))
        if output is None:
            for piece in pieces:
                click.echo(piece, nl=False)
        else:
            with output.open("w", encoding="utf-8", newline="") as file:
                file.writelines(pieces)
    return 0


def read_file(file: Path, form: str | None, encoding: Encoding) -> Table:
    """The table in a file. Raises TooLarge before a byte is read, and Invalid."""
    if file.stat().st_size > LARGEST_FILE_BYTES:
        raise TooLarge(
            f"{file.name} has {file.stat().st_size / 2**20:,.0f} MB, and a table may have "
            f"{LARGEST_FILE_BYTES // 2**20}. Split it."
        )
    return read_table(decode(file.read_bytes(), encoding), Format(form) if form else format_of(file.name))


def _find_or_create(connection: Connection, draft: BatchDraft, *, is_new: bool) -> Batch:
    known = None if is_new else batch_store.find_batch_by_fingerprint(connection, prepare(draft).fingerprint)
    if known is None:
        batch = rules.create_batch(connection, draft, owner_id=LOCAL_USER_ID, now=clock.now())
        click.echo(f"Batch {batch.id}: {batch.line_count:,} lines, {batch.cell_count:,} answers to come.", err=True)
        return batch
    retried = rules.retry_failed(connection, known.id, clock.now())
    if known.state is State.PAUSED:
        rules.resume_batch(connection, known.id, clock.now())
    again = f" {retried:,} that failed are tried again." if retried else ""
    click.echo(f"Batch {known.id} of this table is there already and goes on.{again}", err=True)
    return known


def _wait(database: Database, batch_id: int) -> int:
    """Show the progress until there is nothing to wait for; the exit code."""
    warn_without_worker(database)
    with database.read() as connection:
        batch = batch_store.get_batch(connection, batch_id)
    with click.progressbar(length=batch.cell_count, label=f"Batch {batch_id}", file=sys.stderr) as bar:
        while True:
            with database.read() as connection:
                batch = batch_store.get_batch(connection, batch_id)
                progress = cell_store.read_progress(connection, batch)
            bar.update(max(progress.total - progress.remaining - bar.pos, 0))
            if batch.finished_at is not None or batch.state is not State.OPEN:
                break
            time.sleep(LOOK_EVERY_SECONDS)
    click.echo(_progress_words(progress) + (f". {batch.problem}" if batch.problem else ""), err=True)
    return 0 if progress.answered == progress.total else UNANSWERED


def _progress_words(progress: Progress) -> str:
    failed = f", {progress.failed:,} failed" if progress.failed else ""
    judged = (
        f", {progress.judged_pass:,} pass the rubric, {progress.judged_fail:,} fail it" if progress.by_verdict else ""
    )
    undecided = f", {progress.undecided:,} without a readable verdict" if progress.undecided else ""
    return f"{progress.answered:,} of {progress.total:,} answered{failed}{judged}{undecided}"


def _default_persona(connection: Connection) -> int:
    default_id = read_settings(connection).default_persona_id
    return choose(connection, asked_persona_id=None, subforum_id=None, default_persona_id=default_id).persona.id


def _default_template(table: Table) -> str:
    return f"{{{{{table.columns[0]}}}}}" if len(table.columns) == 1 else ""


def _check(text: str) -> Check:
    kind, _, value = text.partition(":")
    if kind == CheckKind.SCHEMA and value.startswith("@"):
        value = _schema_file(Path(value[1:]))
    return new_check(kind if kind in list(CheckKind) else text, value)


def _schema_file(file: Path) -> str:
    try:
        with file.open("rb") as opened_file:
            # One more than may be, so that what is too long is told.
            return opened_file.read(4 * LONGEST_VALUE + 1).decode("utf-8-sig")
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}.", field="checks") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{file} is no UTF-8 text.", field="checks") from error
