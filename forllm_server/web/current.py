"""What a view may reach: the application it runs in and the person it runs for."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, cast

from flask import Flask, current_app, g
from sqlalchemy import Connection

from forllm_server.config import Config

_EXTENSION = "forllm"


class Transactions(Protocol):
    """The two ways into the database; :class:`forllm_server.db.Database` is one."""

    def read(self) -> AbstractContextManager[Connection]:
        """A connection to read from."""
        ...

    def transaction(self) -> AbstractContextManager[Connection]:
        """A connection to write with: committed at the end, rolled back by an exception."""
        ...


@dataclass(frozen=True)
class App:
    """Everything that lives as long as the process and is needed to answer."""

    config: Config
    database: Transactions
    secret_key: bytes
    #: Tells a worker of this process that something was queued; call it after the commit.
    wake_worker: Callable[[], None]
    local_user_id: int


def install(flask: Flask, app: App) -> None:
    """Make ``app`` what :func:`current` answers within ``flask``."""
    flask.extensions[_EXTENSION] = app


def current() -> App:
    """The application that answers the present request."""
    return cast(App, current_app.extensions[_EXTENSION])


def current_user_id() -> int:
    """Who asks. There is one local user, and everybody who reaches the loopback address is that one."""
    return current().local_user_id


def request_id() -> str:
    """The name of the present request, as shown on error pages and in the log."""
    return str(g.get("request_id", ""))
