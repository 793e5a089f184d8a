"""``forllm queue``: the queue for a night without a screen. It works on the data itself, beside a running server.

Every command ends with 0 when it did what was asked, 1 when nothing matched or something was refused, and 2 when the
command line makes no sense. What was done to an LLM request is a line on the standard output, what was refused a line
on the standard error; so the log, which goes there too, is not told once more.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import click
from sqlalchemy import Connection

from forllm_server import clock
from forllm_server.cli.naming import backend_named, model_named, persona_named, subforum_named
from forllm_server.cli.options import with_config
from forllm_server.cli.queue_plan import list_planned, live_count, plan_lines, times_of
from forllm_server.cli.queue_rows import Row, as_json, read_rows, table
from forllm_server.cli.runtime import opened
from forllm_server.config import Config
from forllm_server.db.lines import forget_lines
from forllm_server.jobs.forecast import forecast
from forllm_server.queue import pausing
from forllm_server.queue.bulk import Action, Changes, change_many, requeue_many
from forllm_server.queue.history_store import HistoryFilter, list_history
from forllm_server.queue.llm_request_store import list_llm_requests
from forllm_server.queue.model import LIVE, Status
from forllm_server.queue.moving import move_llm_requests
from forllm_server.schedule.words import read_moment
from forllm_server.settings.values import read_settings

#: No command shows or changes more at once.
MOST = 1_000

_json = click.option("--json", "is_json", is_flag=True, help="One JSON value instead of a table.")
_limit = click.option("--limit", type=click.IntRange(1, MOST), default=100, show_default=True, help="How many at most.")
_statuses = click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([status.value for status in Status]),
    help="Those in this state; may be repeated.",
)
_ids = click.argument("ids", nargs=-1, type=click.IntRange(min=1))


@click.group()
def command() -> None:
    """Look at the queue and change it, without a browser."""


@command.command("list")
@_statuses
@_limit
@_json
@with_config()
def list_command(config: Config, statuses: Sequence[str], limit: int, is_json: bool) -> int:
    """Show LLM requests, newest first; those that are live or failed, unless --status names others."""
    wanted = [Status(status) for status in statuses] or [*LIVE, Status.FAILED]
    with opened(config) as installation, installation.database.read() as connection:
        found = list_llm_requests(connection, statuses=wanted, limit=limit)
        rows = read_rows(connection, found, clock.now())
    return _show(rows, is_json, empty="Nothing is in the queue.")


@command.command("plan")
@_limit
@_json
@with_config()
def plan_command(config: Config, limit: int, is_json: bool) -> int:
    """Show what runs and what comes next, in the order of work, grouped by window and model, and when it is done."""
    with opened(config) as installation, installation.database.read() as connection:
        foretold = forecast(connection, clock.now())
        rows = read_rows(connection, list_planned(connection, foretold, limit), foretold.at)
    if is_json:
        click.echo(as_json([row.as_dict() | times_of(foretold, row.llm_request.id) for row in rows]))
    elif rows:
        click.echo("\n".join(plan_lines(foretold, rows)))
        if rest := live_count(foretold) - len(rows):
            click.echo(f"\n{rest:,} more are not shown; --limit shows more.")
    else:
        click.echo("Nothing waits to be answered.", err=True)
    return 0 if rows else 1


@command.command("history")
@_statuses
@click.option("--subforum", "subforum_name", metavar="NAME", help="Only of this subforum.")
@click.option("--persona", "persona_name", metavar="NAME", help="Only of this persona.")
@click.option("--model", "model_name", metavar="NAME", help="Only of this model, also one that is gone.")
@click.option("--text", default="", help="Only where these words stand in the question or the topic's title.")
@click.option("--before", "before_id", type=click.IntRange(min=1), metavar="ID", help="Only older ones than this.")
@_limit
@_json
@with_config()
def history_command(
    config: Config,
    statuses: Sequence[str],
    subforum_name: str | None,
    persona_name: str | None,
    model_name: str | None,
    text: str,
    before_id: int | None,
    limit: int,
    is_json: bool,
) -> int:
    """Show what was ever asked, the newest first."""
    with opened(config) as installation, installation.database.read() as connection:
        wanted = HistoryFilter(
            statuses=[Status(status) for status in statuses],
            subforum_id=subforum_named(connection, subforum_name).id if subforum_name else None,
            persona_id=persona_named(connection, persona_name).id if persona_name else None,
            model_id=model_named(connection, model_name, is_to_ask=False).model.id if model_name else None,
            text=text.strip(),
        )
        found = list_history(connection, wanted, before_id=before_id, limit=limit)
        rows = read_rows(connection, found.llm_requests, clock.now())
    if found.next_id is not None:
        click.echo(f"Older ones: --before {found.next_id}", err=True)
    return _show(rows, is_json, empty="Nothing that fits was asked.")


@command.command("move")
@click.argument("ids", nargs=-1, required=True, type=click.IntRange(min=1))
@click.option("--before", "before_id", type=click.IntRange(min=1), metavar="ID", help="Otherwise to the top.")
@click.option("--back", "is_back", is_flag=True, help="Take the places given by hand back.")
@with_config()
def move_command(config: Config, ids: Sequence[int], before_id: int | None, is_back: bool) -> int:
    """Put LLM requests, in the order given, right before another one of their line, or to the top."""
    if is_back:
        if before_id:
            raise click.UsageError("Give --before or --back, not both.")
        return _change(config, _rule(Action.UNPIN), done="moved back", ids=ids, statuses=(), is_json=False)
    with opened(config) as installation, installation.database.transaction() as connection:
        moved = move_llm_requests(connection, ids, before_id=before_id, now=clock.now())
        forget_lines(connection)
    where = f"before {before_id}" if before_id else "to the top"
    click.echo(f"Moved {where}: {', '.join(str(each.id) for each in moved)}.")
    return 0


@command.command("hold")
@_ids
@_statuses
@_json
@with_config()
def hold_command(config: Config, **chosen: Any) -> int:
    """Set LLM requests aside until they are released."""
    return _change(config, _rule(Action.HOLD), done="held", **chosen)


@command.command("release")
@_ids
@_statuses
@_json
@with_config()
def release_command(config: Config, **chosen: Any) -> int:
    """Put held LLM requests back into the queue."""
    return _change(config, _rule(Action.RELEASE), done="released", **chosen)


@command.command("run")
@_ids
@_statuses
@_json
@with_config()
def run_command(config: Config, **chosen: Any) -> int:
    """Let LLM requests go first, without waiting for a window."""
    return _change(config, _rule(Action.RUN_NOW), done="to be run now", **chosen)


@command.command("tonight")
@_ids
@_statuses
@_json
@with_config()
def tonight_command(config: Config, **chosen: Any) -> int:
    """Let LLM requests wait for their window: those that were to run now, are held, or were to be tried later."""
    return _change(config, _rule(Action.RUN_TONIGHT), done="to be run tonight", **chosen)


@command.command("cancel")
@_ids
@_statuses
@_json
@with_config()
def cancel_command(config: Config, **chosen: Any) -> int:
    """Call LLM requests off. A running one stops within seconds."""
    return _change(config, _rule(Action.CANCEL), done="called off", **chosen)


@command.command("retry")
@_ids
@_statuses
@click.option("--model", "model_name", metavar="NAME", help="Have this model answer instead.")
@_json
@with_config()
def retry_command(config: Config, model_name: str | None, **chosen: Any) -> int:
    """Queue failed or cancelled LLM requests again, as: forllm queue retry --status failed."""

    def requeue(connection: Connection, ids: Sequence[int], now: datetime) -> Changes:
        model_id = model_named(connection, model_name or "").model.id
        return requeue_many(connection, ids, model_id=model_id, now=now)

    return _change(config, requeue if model_name else _rule(Action.RETRY), done="queued again", **chosen)


@command.command("pause")
@click.option("--backend", "backend_name", metavar="NAME", help="Only this backend; otherwise the whole queue.")
@click.option("--until", metavar="TIME", help="22:30 or 2026-12-24T22:30; otherwise until it is resumed.")
@click.option("--minutes", type=click.IntRange(1, 60 * 24 * 366), help="For so long.")
@click.option("--reason", default="", help="Why; shown on the queue page.")
@with_config()
def pause_command(
    config: Config, backend_name: str | None, until: str | None, minutes: int | None, reason: str
) -> None:
    """Begin nothing new. What runs goes on."""
    if until and minutes:
        raise click.UsageError("Give --until or --minutes, not both.")
    now = clock.now()
    with opened(config) as installation, installation.database.transaction() as connection:
        zone = read_settings(connection).zone
        end = _next(read_moment(until, zone, now), until, now) if until else None
        end = now + timedelta(minutes=minutes) if minutes else end
        backend = backend_named(connection, backend_name) if backend_name else None
        pausing.pause(connection, backend_id=backend.id if backend else None, until=end, reason=reason, now=now)
        forget_lines(connection)
    where = backend.name if backend else "The queue"
    when = f"{end.astimezone(zone):%Y-%m-%d %H:%M}" if end else "it is resumed"
    click.echo(f"{where} is paused until {when}.")


@command.command("resume")
@click.option("--backend", "backend_name", metavar="NAME", help="Only this backend; otherwise the whole queue.")
@with_config()
def resume_command(config: Config, backend_name: str | None) -> int:
    """End a pause. Ends with 1 when nothing was paused."""
    with opened(config) as installation, installation.database.transaction() as connection:
        backend = backend_named(connection, backend_name) if backend_name else None
        was_paused = pausing.resume(connection, backend_id=backend.id if backend else None)
        forget_lines(connection)
    where = backend.name if backend else "The queue"
    click.echo(f"{where} goes on." if was_paused else f"{where} was not paused.")
    return 0 if was_paused else 1


def _next(moment: datetime, text: str, now: datetime) -> datetime:
    """A time of day that is over today is meant for tomorrow."""
    return moment + timedelta(days=1) if len(text.strip()) <= len("22:30") and moment <= now else moment


def _rule(action: Action) -> Callable[[Connection, Sequence[int], datetime], Changes]:
    return lambda connection, ids, now: change_many(connection, action, ids, now)


def _change(
    config: Config,
    rule: Callable[[Connection, Sequence[int], datetime], Changes],
    *,
    done: str,
    ids: Sequence[int],
    statuses: Sequence[str],
    is_json: bool,
) -> int:
    """Do ``rule`` to the LLM requests that are named, by number or by state, and tell what became of each."""
    if bool(ids) == bool(statuses):
        raise click.UsageError("Name LLM requests by their numbers, or all in a state with --status.")
    now = clock.now()
    with opened(config) as installation, installation.database.transaction() as connection:
        wanted = [Status(status) for status in statuses]
        chosen = ids or [each.id for each in list_llm_requests(connection, statuses=wanted, limit=MOST)][::-1]
        changes = rule(connection, chosen, now)
        forget_lines(connection)
        rows = read_rows(connection, changes.changed, now)
    _tell(changes, rows, is_json, done)
    return 0 if rows and not changes.refused else 1


def _tell(changes: Changes, rows: Sequence[Row], is_json: bool, done: str) -> None:
    if is_json:
        refused = [{"id": each, "reason": reason} for each, reason in changes.refused.items()]
        click.echo(as_json({"changed": [row.as_dict() for row in rows], "refused": refused}))
        return
    for row in rows:
        click.echo(f"{row.llm_request.id}  {done}: {row.question}")
    for llm_request_id, reason in changes.refused.items():
        click.echo(f"{llm_request_id}  {reason}", err=True)
    if not rows and not changes.refused:
        click.echo("Nothing matched.", err=True)


def _show(rows: Sequence[Row], is_json: bool, *, empty: str) -> int:
    if is_json:
        click.echo(as_json([row.as_dict() for row in rows]))
    elif rows:
        click.echo("\n".join(table(row.cells() for row in rows)))
    else:
        click.echo(empty, err=True)
    return 0 if rows else 1
