"""Hooks: what is kept, what is refused, and secrets that stay away."""

from datetime import datetime
from typing import Any

import pytest

from forllm_server.db import Database, metadata
from forllm_server.errors import Conflict, Invalid, NotFound
from forllm_server.hooks import hook_store
from forllm_server.hooks.keeping import MOST_HOOKS, add_hook, ask_test, change_hook, delete_hook, open_secret
from forllm_server.hooks.model import Hook
from forllm_server.outward.failure import SendFailed
from tests.hooks.making import KEY, add

OTHER_KEY = b"another secret key of 32 bytes!!"


def change(database: Database, hook: Hook, **values: Any) -> Hook:
    with database.transaction() as connection:
        return change_hook(connection, hook.id, secret_key=KEY, **values)


def test_a_secret_is_sealed_for_its_server_and_never_shown(database: Database, now: datetime) -> None:
    hook = add(database, now, secret="quite secret")
    assert open_secret(hook, KEY) == "quite secret"
    assert "quite" not in repr(hook)
    rows = metadata.tables["hooks"]
    with database.read() as connection:
        assert b"quite" not in connection.execute(rows.select()).one().secret_sealed
    with pytest.raises(SendFailed, match="Enter it again"):
        open_secret(hook, OTHER_KEY)
    with pytest.raises(Invalid, match="another server") as caught:
        change(database, hook, url="https://elsewhere.org/in")
    assert caught.value.field == "secret"
    moved = change(database, hook, url="https://elsewhere.org/in", changes_secret=True, secret="new")
    assert open_secret(moved, KEY) == "new"
    assert not change(database, moved, changes_secret=True, secret=None).has_secret


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("kind", {"kind": "carrier pigeon"}),
        ("name", {"name": "  "}),
        ("name", {"name": "x" * 101}),
        ("events", {"events": []}),
        ("events", {"events": ["reply.posted", "moon.full"]}),
        ("url", {"url": "file:///etc/passwd"}),
        ("url", {"url": "https://me:pass@example.org/"}),
        ("command", {"kind": "webhook", "command": "rm -rf /"}),
        ("timeout_seconds", {"timeout_seconds": 0}),
        ("timeout_seconds", {"timeout_seconds": 301}),
        ("most_attempts", {"most_attempts": 11}),
        ("most_repeats", {"most_repeats": True}),
        ("secret", {"secret": "two\nlines"}),
        ("command", {"kind": "command", "url": "", "command": ""}),
        ("command", {"kind": "command", "url": "", "command": 'say "half'}),
        ("command", {"kind": "command", "url": "", "command": "one\ntwo"}),
        ("url", {"kind": "command", "command": "true"}),
        ("secret", {"kind": "command", "url": "", "command": "true", "secret": "key"}),
        ("timeout_seconds", {"kind": "command", "url": "", "command": "true", "timeout_seconds": 3601}),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(
    sqlite_database: Database, now: datetime, field: str, values: dict[str, Any]
) -> None:
    with pytest.raises(Invalid) as caught:
        add(sqlite_database, now, **values)
    assert caught.value.field == field
    with sqlite_database.read() as connection:
        assert hook_store.list_hooks(connection) == []


def test_an_unknown_event_is_told_with_those_that_there_are(sqlite_database: Database, now: datetime) -> None:
    with pytest.raises(Invalid, match=r"no event “moon\.full”\. There are: topic\.opened, reply\.posted"):
        add(sqlite_database, now, events=["moon.full"])


def test_events_stand_once_and_in_their_order(sqlite_database: Database, now: datetime) -> None:
    hook = add(sqlite_database, now, events=["night.over", "topic.opened", "night.over"])
    assert hook.events == ("topic.opened", "night.over")


def test_there_is_a_limit_and_what_is_gone_is_not_found(sqlite_database: Database, now: datetime) -> None:
    hooks = [add(sqlite_database, now) for _ in range(MOST_HOOKS)]
    with pytest.raises(Invalid, match="delete one first"):
        add(sqlite_database, now)
    with sqlite_database.transaction() as connection:
        change_hook(connection, hooks[1].id, secret_key=KEY, is_enabled=False)
        with pytest.raises(Conflict, match="switched off"):
            ask_test(connection, hooks[1].id, now)
        delete_hook(connection, hooks[0].id)
        for act in (lambda: delete_hook(connection, hooks[0].id), lambda: ask_test(connection, hooks[0].id, now)):
            with pytest.raises(NotFound):
                act()


def test_two_kinds_need_what_is_theirs(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.transaction() as connection:
        hook = add_hook(
            connection, owner_id=1, kind="command", name=" My  hook ", events=["night.over"],
            command="  notify-send 'It is over' ", secret_key=KEY, now=now,
        )  # fmt: skip
    assert (hook.name, hook.command, hook.where) == ("My hook", "notify-send 'It is over'", hook.command)
