"""``forllm schedule explain``: why models may work at a moment, or may not."""

import click

from forllm_server import clock
from forllm_server.cli.options import with_config
from forllm_server.cli.runtime import opened
from forllm_server.config import Config
from forllm_server.errors import Invalid
from forllm_server.schedule.gate import read_plan
from forllm_server.schedule.words import explain, read_moment
from forllm_server.settings.values import read_settings
from forllm_server.settings.zones import is_zone, zone_or_machine


@click.group()
def command() -> None:
    """Look at the hours in which models may work."""


@command.command("explain")
@click.option("--at", "moment", default=None, help="22:30 or 2026-12-24T22:30; default: now.")
@click.option("--tz", "zone_name", default=None, help="An IANA time zone; default: the forum's.")
@click.option("--backend", "backend_id", type=int, default=None, help="The id of a backend with hours of its own.")
@with_config()
def explain_command(config: Config, moment: str | None, zone_name: str | None, backend_id: int | None) -> None:
    """Say why the schedule is open or closed at a moment, and what changes next."""
    if zone_name is not None and not is_zone(zone_name):
        raise Invalid(f"{zone_name} is not a time zone; write it like Europe/Berlin.", field="tz")
    now = clock.now()
    with opened(config) as installation, installation.database.read() as connection:
        zone = zone_or_machine(zone_name) if zone_name else read_settings(connection).zone
        at = read_moment(moment, zone, now) if moment else now
        # Read as of the moment asked about, so that exceptions of a past date still count.
        click.echo(explain(read_plan(connection, min(at, now), zone), backend_id, at))
