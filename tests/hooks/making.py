"""Hooks to test with, and a look at their calls."""

from datetime import datetime
from typing import Any

from forllm_server.db import Database
from forllm_server.hooks import call_store
from forllm_server.hooks.keeping import add_hook
from forllm_server.hooks.model import Attempt, Call, Hook
from tests.support.world import LOCAL_USER

KEY = b"tests have a secret key of 32 b!"
EVERYTHING = ["topic.opened", "reply.posted", "post.edited", "post.deleted", "llm_request.failed"]


def add(database: Database, now: datetime, **values: Any) -> Hook:
    """A hook: a webhook, unless ``command`` says otherwise."""
    usual: dict[str, Any] = {"kind": "webhook", "name": "Mine", "events": ["reply.posted"]}
    if values.get("command") and "kind" not in values and "url" not in values:
        usual["kind"] = "command"
    else:
        usual["url"] = "https://example.org/hook"
    with database.transaction() as connection:
        return add_hook(connection, owner_id=LOCAL_USER, secret_key=KEY, now=now, **(usual | values))


def calls(database: Database) -> list[Call]:
    """All calls, oldest first."""
    with database.read() as connection:
        return call_store.list_calls(connection, limit=200)[::-1]


def attempts(database: Database, call: Call) -> list[Attempt]:
    with database.read() as connection:
        return call_store.list_attempts(connection, call.id)
