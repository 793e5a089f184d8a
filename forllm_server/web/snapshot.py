"""What is read while a page is drawn: one snapshot for the whole page, as what it shows belongs together."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from flask import Flask, g
from sqlalchemy import Connection

from forllm_server.errors import Unavailable
from forllm_server.web.current import current


def install(app: Flask) -> None:
    """Let go of a page's snapshot when it was sent."""
    app.teardown_appcontext(_let_go)


@contextmanager
def page_read() -> Iterator[Connection]:
    """A connection for what a template asks for, opened by the first that asks and shared by the rest.

    Only for the drawing, which comes after everything that a request writes: a snapshot does not see what is written
    after it was taken. Raises Unavailable as every read does; who asks next begins anew.
    """
    manager, connection = _opened()
    try:
        yield connection
    except BaseException as error:
        if g.pop("page_snapshot", None):
            # It tells the database's own errors in our words.
            manager.__exit__(type(error), error, error.__traceback__)
        raise


def _opened() -> tuple[AbstractContextManager[Connection], Connection]:
    if "page_snapshot" not in g:
        manager = current().database.read()
        g.page_snapshot = manager, manager.__enter__()
    found: tuple[AbstractContextManager[Connection], Connection] = g.page_snapshot
    return found


def _let_go(_error: BaseException | None) -> None:
    found = g.pop("page_snapshot", None)
    if found is not None:
        # The page is drawn: a database that has gone since takes nothing of it back.
        with suppress(Unavailable):
            found[0].__exit__(None, None, None)
