"""``forllm work``: workers alone, on the data of a server that runs elsewhere or with ``--workers 0``."""

import click

from forllm_server.cli.options import WORKER, with_config
from forllm_server.cli.runtime import opened
from forllm_server.cli.stopping import STOP_SECONDS, Stop, heed_signals
from forllm_server.cli.workers import Workers
from forllm_server.config import Config
from forllm_server.errors import ConfigurationError
from forllm_server.queue.wakeup import Wakeup


@click.command()
@with_config(WORKER)
def command(config: Config) -> None:
    """Run workers without a web server. As many processes as one likes may work on the same data."""
    if not config.workers:
        raise ConfigurationError("A worker process with 0 workers would do nothing; give --workers 1 or more.")
    with opened(config) as installation:
        workers = Workers(installation, threads=config.workers, wakeup=Wakeup())
        stopping = heed_signals()
        try:
            workers.start()
            click.echo(f"FORLLM works on {config.data_dir} ({config.workers} workers; Ctrl-C ends it)")
            while not stopping.wait(3600):
                pass
        except Stop:
            pass
        finally:
            workers.stop(STOP_SECONDS)
