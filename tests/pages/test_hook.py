"""The pages of hooks: through their forms without scripts, what was typed stays, keys stay away, attempts are shown."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from forllm_server.db import Database
from forllm_server.hooks import call_store
from forllm_server.hooks.model import CallStatus
from forllm_server.jobs.hooking import HookRunner
from tests.hooks.making import KEY, add, calls
from tests.pages.conftest import Browser
from tests.support.app import make_app
from tests.support.outside import Hook
from tests.support.world import make_world

NEW, ONE = "/hooks/new", "/hooks/1"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with Hook() as receiver:
        yield receiver


def perform(database: Database) -> None:
    running = HookRunner(database, KEY, may_run_commands=True, forum_url="http://127.0.0.1:4773")
    running.tick()
    running.wait(20)


def test_a_webhook_is_added_tried_changed_and_deleted(
    browser: Browser, sqlite_database: Database, receiver: Hook
) -> None:
    browser.open("/settings")
    assert browser.page.select_one('a[href="/hooks"]')
    browser.open(f"{NEW}?kind=webhook")
    fields = {"name": "Mine", "url": receiver.url, "may_be_local": "1", "secret": "quite secret"}
    browser.send(NEW, fields | {"events": ["reply.posted", "night.over"]})
    assert browser.path == ONE, browser.words()
    assert "quite secret" not in browser.text
    ticked = [each["value"] for each in browser.page.select('input[name="events"][checked]')]
    assert ticked == ["reply.posted", "night.over"]
    browser.send(f"{ONE}/test", {})
    assert browser.path == "/hooks/calls/1"
    assert "It is made within seconds" in browser.words()
    assert browser.page.select_one('[hx-get="/hooks/calls/1"]')
    perform(sqlite_database)
    browser.open("/hooks/calls/1", headers={"HX-Request": "true"})
    assert browser.text.lstrip().startswith("<div")
    assert browser.page.select_one("[hx-get]") is None
    assert "status 200" in browser.page.get_text()
    assert browser.page.pre.get_text() == "said <b>so</b>"
    browser.open(ONE)
    browser.send(ONE, {"name": "Yours", "events": ["topic.opened"], "is_enabled": None})
    assert browser.page.h1.get_text() == "Yours"
    assert browser.page.select_one(".heading button[disabled]").get_text(strip=True) == "Try it"
    browser.open("/hooks")
    assert "switched off" in browser.words()
    browser.open(f"{ONE}/delete")
    browser.send(f"{ONE}/delete", {})
    assert "The hook was deleted." in browser.text
    browser.open(ONE)
    assert browser.status == 404


@pytest.mark.parametrize(
    ("kind", "fields", "wrong"),
    [
        ("command", {"name": HOSTILE * 5, "command": "true", "events": ["night.over"]}, "name"),
        ("command", {"name": "Mine", "command": 'say "half', "events": ["night.over"]}, "command"),
        ("command", {"name": "Mine", "command": "true", "timeout_seconds": "soon", "events": ["night.over"]},
         "timeout_seconds"),
        ("webhook", {"name": "Mine", "url": "gopher://x", "events": ["night.over"]}, "url"),
        ("webhook", {"name": "Mine", "url": "https://example.org", "events": ["moon.full", "night.over"]}, "events"),
    ],
)  # fmt: skip
def test_what_was_typed_stays_with_what_is_wrong_beside_it(
    browser: Browser, sqlite_database: Database, kind: str, fields: dict[str, str | list[str]], wrong: str
) -> None:
    browser.open(f"{NEW}?kind={kind}")
    browser.send(NEW, fields)
    assert browser.status == 422
    place = browser.page.find(id=f"field-{wrong}")
    assert place["aria-invalid"] == "true"
    assert browser.page.find(id=f"problem-{wrong}")
    for name, value in fields.items():
        if name != "events":
            assert browser.page.find(attrs={"name": name})["value"] == value
    assert [each["value"] for each in browser.page.select('input[name="events"][checked]')] == ["night.over"]
    assert browser.page.main.find("img") is None
    assert calls(sqlite_database) == []


def test_a_command_that_may_not_run_here_says_so(browser: Browser, sqlite_database: Database, tmp_path: Path) -> None:
    assert "--allow-commands" in browser.open(f"{NEW}?kind=command").get_text()
    allowed = Browser(make_app(sqlite_database, tmp_path, allow_commands=True).test_client())
    assert "--allow-commands" not in allowed.open(f"{NEW}?kind=command").get_text()


def test_an_output_is_shown_as_it_is_and_what_was_given_up_is_made_by_hand(
    browser: Browser, sqlite_database: Database, now: datetime
) -> None:
    hook = add(sqlite_database, now, name=HOSTILE, command=f"python3 -c 'print(\"{HOSTILE}\"); raise SystemExit(2)'")
    browser.open(ONE)
    browser.send(f"{ONE}/test", {})
    perform(sqlite_database)
    browser.open("/hooks/calls/1")
    assert "given up" in browser.words()
    assert "failed with exit code 2" in browser.words()
    assert HOSTILE in browser.page.pre.get_text()
    assert browser.page.main.find("img") is None
    browser.send("/hooks/calls/1/retry", {})
    assert "It waits for a FORLLM that was started with --allow-commands" in browser.words()
    with sqlite_database.read() as connection:
        assert call_store.list_calls(connection, hook_id=hook.id, limit=9)[0].status is CallStatus.WAITING


def test_the_list_costs_the_same_however_many_there_are(
    browser: Browser, sqlite_database: Database, now: datetime, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    make_world(sqlite_database, now)
    add(sqlite_database, now)
    few = count_queries(lambda: browser.open("/hooks"))
    for _ in range(10):
        add(sqlite_database, now)
    assert count_queries(lambda: browser.open("/hooks")) == few


@pytest.mark.parametrize("path", ["/hooks/9", "/hooks/9/delete", "/hooks/calls/9", "/hooks/99999999999999999999"])
def test_what_is_not_there_is_not_found(browser: Browser, path: str) -> None:
    browser.open(path)
    assert browser.status == 404
