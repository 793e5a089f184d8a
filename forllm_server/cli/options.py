"""Process options on the command line, made from the table in ``forllm_server/config.py``."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from forllm_server import log
from forllm_server.catalog.configured import check_configured
from forllm_server.config import OPTIONS, Config, Option, load_config

#: What every command that touches the data takes.
COMMON = ("data_dir", "database_url", "log_level", "log_format")
WORKER = (*COMMON, "workers", "embedded", "trash_days", "allow_commands")
SERVER = (*WORKER, "host", "port", "debug", "proxy_count", "allowed_hosts")


def with_config(names: tuple[str, ...] = COMMON) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give the command these options and ``--config``, and hand it the validated ``config`` instead of them."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def command(**values: Any) -> Any:
            own = {name: values.pop(name) for name in [*names, "config"]}
            config = read_config(own)
            log.set_up(level="debug" if config.debug else config.log_level, format=config.log_format)
            return function(config=config, **values)

        chosen = [option for option in OPTIONS if option.name in names]
        decorated: Callable[..., Any] = command
        for option in reversed(chosen):
            decorated = _click_option(option)(decorated)
        return click.option("--config", type=click.Path(path_type=Path), help="The configuration file.")(decorated)

    return decorate


def read_config(values: dict[str, Any]) -> Config:
    """The configuration from option values (None or empty: not given); raises ConfigurationError with every problem."""
    given = {name: None if value == () else value for name, value in values.items()}
    return load_config(given, os.environ, check_configured)


def _click_option(option: Option) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    names = [option.flag, option.name]
    text = f"{option.help} [{option.variable}]"
    if option.kind == "bool":
        return click.option(*names, default=None, help=text)
    if option.kind == "list":
        return click.option(*names, multiple=True, help=text)
    # Ranges and choices are checked with everything else, so that all problems are told at once.
    kind = {"int": click.INT, "path": click.Path(path_type=Path)}.get(option.kind, click.STRING)
    metavar = "|".join(option.choices) or None
    return click.option(*names, type=kind, metavar=metavar, default=None, help=text)
