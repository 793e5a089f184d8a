"""``forllm work``: workers alone, on the data of a server that runs elsewhere or with ``--workers 0``."""

import time
from collections.abc import Sequence

import click

from forllm_server.cli.memory import settle
from forllm_server.cli.naming import backend_chosen
from forllm_server.cli.options import WORKER, with_config
from forllm_server.cli.runtime import Installation, opened
from forllm_server.cli.stopping import STOP_SECONDS, Stop, end_lightly, heed_signals
from forllm_server.cli.workers import Workers
from forllm_server.config import Config
from forllm_server.errors import ConfigurationError
from forllm_server.queue.wakeup import Wakeup

#: Any long while: a signal ends it.
_REST_SECONDS = 3600


@click.command()
@click.option(
    "--backend",
    "backend_names",
    multiple=True,
    metavar="NAME|ID",
    help="Take work of this backend only; may be repeated. Otherwise of all.",
)
@with_config(WORKER)
def command(config: Config, backend_names: Sequence[str]) -> None:
    """Run workers without a web server. As many processes as one likes may work on the same data."""
    if not config.workers:
        raise ConfigurationError("A worker process with 0 workers would do nothing; give --workers 1 or more.")
    with opened(config) as installation:
        backends = _backends(installation, backend_names)
        workers = Workers(
            installation, threads=config.workers, wakeup=Wakeup(), backend_ids=tuple(backends) if backends else None
        )
        heed_signals()
        try:
            workers.start()
            settle()
            told = f"{config.workers} workers{_for(backends)}; Ctrl-C ends it"
            click.echo(f"FORLLM works on {config.data_dir} ({told})")
            while True:
                time.sleep(_REST_SECONDS)
        except Stop:
            pass
        finally:
            workers.stop(STOP_SECONDS)
            end_lightly()


def _backends(installation: Installation, names: Sequence[str]) -> dict[int, str]:
    """The chosen backends' names by id. Raises NotFound for a name that nothing has."""
    if not names:
        return {}
    with installation.database.read() as connection:
        chosen = [backend_chosen(connection, name) for name in names]
    return {backend.id: backend.name for backend in chosen}


def _for(backends: dict[int, str]) -> str:
    return f" for {', '.join(backends.values())}" if backends else ""
