"""``forllm serve``: the web pages and the workers in one process."""

import threading
from dataclasses import replace
from functools import partial
from socket import socket
from typing import Any

import click
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher

from forllm_server import log
from forllm_server.app import create_app
from forllm_server.cli.memory import settle
from forllm_server.cli.options import SERVER, with_config
from forllm_server.cli.running import listen
from forllm_server.cli.runtime import Installation, opened
from forllm_server.cli.stopping import STOP_SECONDS, Stop, end_lightly, heed_signals
from forllm_server.cli.workers import Workers
from forllm_server.config import Config
from forllm_server.queue.wakeup import Wakeup
from forllm_server.settings.values import reset_settings
from forllm_server.web.headers import ALWAYS

THREADS = 8
CONNECTION_LIMIT = 1000
#: Larger bodies are refused before they reach the application, which has smaller limits of its own.
MAX_BODY_BYTES = 160 * 1024 * 1024
MAX_HEADER_BYTES = 16 * 1024


@click.command()
@click.option("--reset-theme", is_flag=True, help="First put colours, spacing and size of text back to what they were.")
@with_config(SERVER)
def command(config: Config, reset_theme: bool) -> None:
    """Run the forum: pages, API and workers in one process."""
    bound = listen(config.host, config.port)
    config = replace(config, port=bound.getsockname()[1])
    with bound, opened(config) as installation:
        if reset_theme:
            with installation.database.transaction() as connection:
                reset_settings(connection, ["theme", "density", "text_size"])
        serve(installation, bound)


def serve(installation: Installation, bound: socket) -> None:
    """Answer on the socket until a signal comes, then end in order."""
    config = installation.config
    wakeup = Wakeup()
    app = create_app(config, installation.database, secret_key=installation.secret_key, wake_worker=wakeup.notify)
    workers = Workers(installation, threads=config.workers, wakeup=wakeup)
    stopping = heed_signals()
    stopper = threading.Thread(target=_stop_when, args=(stopping, workers), name="stopper")
    try:
        server = _make_server(app, config, bound)
        workers.start()
        stopper.start()
        settle()
        _greet(config)
        server.run()
    except Stop:
        # The signal came before the loop ran.
        pass
    finally:
        stopping.set()
        if stopper.ident is not None:
            stopper.join()
        end_lightly()
    log.event("server.stopped")


def _stop_when(stopping: threading.Event, workers: Workers) -> None:
    # Beside the web server's own shutdown, not after it: both share the few seconds there are.
    stopping.wait()
    workers.stop(STOP_SECONDS)


def _make_server(app: Any, config: Config, bound: socket) -> Any:
    threads = ThreadedTaskDispatcher()
    threads.set_thread_count(THREADS)
    # Its own patience at the end is longer than ours.
    threads.shutdown = partial(threads.shutdown, timeout=STOP_SECONDS / 2)
    server = create_server(
        app,
        _dispatcher=threads,
        sockets=[bound],
        connection_limit=CONNECTION_LIMIT,
        max_request_body_size=MAX_BODY_BYTES,
        max_request_header_size=MAX_HEADER_BYTES,
        clear_untrusted_proxy_headers=config.proxy_count == 0,
        ident=None,
    )
    server.channel_class = _Channel
    return server


def _refuse(task: Any) -> None:
    """What the web server itself refuses (a malformed request, headers too large), under our headers, too."""
    task.response_headers.extend([*ALWAYS.items(), ("Cache-Control", "no-store")])
    ErrorTask.execute(task)


# Made by calls, because waitress has no types to inherit from.
_Refusal = type("_Refusal", (ErrorTask,), {"execute": _refuse})
_Channel = type("_Channel", (HTTPChannel,), {"error_task_class": _Refusal})


def _greet(config: Config) -> None:
    host = f"[{config.host}]" if ":" in config.host else config.host
    click.echo(f"FORLLM is open at http://{host}:{config.port}/ (data in {config.data_dir}; Ctrl-C ends it)")
    log.event("server.started", host=config.host, port=config.port, workers=config.workers)
