"""``forllm import-original``: takes over the forum of an original FORLLM."""

from pathlib import Path

import click

from forllm_server import clock
from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.cli.options import with_config
from forllm_server.cli.runtime import opened
from forllm_server.config import Config
from forllm_server.exchange.original import import_original


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@with_config()
def command(config: Config, file: Path) -> None:
    """Import FILE, the forllm_data.db of an original FORLLM. Again, it brings only what is new; FILE stays as it is."""
    with opened(config) as installation:
        report = import_original(installation.database, file, owner_id=LOCAL_USER_ID, now=clock.now())
    click.echo("\n".join(report.lines()))
