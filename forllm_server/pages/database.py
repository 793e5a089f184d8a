"""The database of the present application, for rules that open their own transactions."""

from typing import cast

from forllm_server.db import Database
from forllm_server.web.current import current


def database() -> Database:
    """The same as ``current().database``, with the type that rules ask for."""
    return cast(Database, current().database)
