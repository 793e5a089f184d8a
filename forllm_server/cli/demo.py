"""``forllm demo``: fills an empty forum with subforums, personas, threads and questions that wait for the night."""

import tempfile
from dataclasses import replace
from pathlib import Path

import click

from forllm_server import clock, log
from forllm_server.catalog.editing import EMBEDDED_BACKEND_ID
from forllm_server.catalog.probing import probe_backend
from forllm_server.cli.options import with_config
from forllm_server.cli.runtime import Installation, opened
from forllm_server.config import Config
from forllm_server.db import upgrade
from forllm_server.exchange.demo import make_demo

#: The built-in model is looked at in its file: nothing is waited for.
PROBE_SECONDS = 10


@click.command()
@click.option(
    "--example",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the demo's database to this file instead, and leave the data folder alone.",
)
@with_config()
def command(config: Config, example: Path | None) -> None:
    """Fill an empty forum with something to look at. Its questions wait for the night."""
    if example is not None:
        write_example(config, example)
        click.echo(f"{example} ({example.stat().st_size:,} bytes)")
        return
    with opened(config) as installation:
        fill(installation)
    click.echo(f"The forum in {config.data_dir} now has something in it. Start it and look around.")


def write_example(config: Config, file: Path) -> None:
    """The demo as one SQLite file, made in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        own = replace(config, data_dir=Path(folder), database_url=None, backends=())
        with opened(own) as installation:
            fill(installation)
        upgrade.copy_sqlite(own.database_path, file)
    file.chmod(0o644)


def fill(installation: Installation) -> None:
    """Add the demo's content. Raises NotAllowed where there is content already."""
    record = probe_backend(
        installation.database,
        EMBEDDED_BACKEND_ID,
        secret_key=installation.secret_key,
        silence_seconds=PROBE_SECONDS,
        now=clock.now(),
    )
    log.event("demo.model_found", is_reachable=record.is_reachable)
    make_demo(installation.database, clock.now())
