"""Log lines that belong to a transaction: written once it is committed, forgotten with what is rolled back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from forllm_server import log

_KEY = "forllm_log_lines"


def log_on_commit(connection: Connection, name: str, /, **facts: Any) -> None:
    """Like ``log.event``, as soon as it is true."""
    connection.info.setdefault(_KEY, []).append((name, facts))


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """A part of a transaction that an exception takes back alone, with its log lines."""
    lines = connection.info.setdefault(_KEY, [])
    before = len(lines)
    try:
        with connection.begin_nested():
            yield
    except BaseException:
        del lines[before:]
        raise


def forget_lines(connection: Connection) -> None:
    """At the beginning: a connection is used for one transaction after the other."""
    connection.info.pop(_KEY, None)


def write_lines(connection: Connection) -> None:
    """After the commit."""
    for name, facts in connection.info.pop(_KEY, ()):
        log.event(name, **facts)
