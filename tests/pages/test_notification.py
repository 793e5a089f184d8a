"""The page of being told: channels through their forms, the test button, secrets that stay away, and the news."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine

from forllm_server.db import Database, metadata
from tests.morning.night_world import answer
from tests.pages.conftest import Browser
from tests.support.outside import Hook
from tests.support.world import make_world

NIGHT = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
NEW = "/notifications/channels/new"
ONE = "/notifications/channels/1"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as hook:
        yield hook


def add_webhook(browser: Browser, url: str, **fields: str) -> None:
    browser.open(f"{NEW}?kind=webhook")
    browser.send(NEW, {"name": "Mine", "url": url, "may_be_local": "1"} | fields)
    assert browser.path == ONE, browser.words()


def test_a_channel_is_added_tested_changed_and_deleted(browser: Browser, hook: Hook) -> None:
    add_webhook(browser, hook.url, secret="quite secret")
    assert "quite secret" not in browser.text
    browser.send(f"{ONE}/test", {})
    assert "The test was sent" in browser.words()
    assert hook.posted[0].headers["x-forllm-signature"].startswith("t=")
    browser.send(ONE, {"name": "Yours", "tells_stalls": None})
    assert browser.page.h1.get_text() == "Yours"
    page = browser.open("/notifications")
    assert page.select_one(".row__title").get_text() == "Yours"
    assert page.select_one(".row .row__end").get_text(strip=True) == "nights"
    browser.open(f"{ONE}/delete")
    browser.send(f"{ONE}/delete", {})
    assert "The channel was deleted." in browser.text
    assert browser.open(ONE) is not None
    assert browser.status == 404


def test_a_failed_test_says_why(browser: Browser, hook: Hook) -> None:
    add_webhook(browser, hook.url)
    hook.answers.append((500, ""))
    browser.send(f"{ONE}/test", {})
    assert "The test failed: 127.0.0.1 answered 500: said <b>so</b>" in browser.page.get_text()
    assert browser.page.main.find("b") is None


def test_a_secret_is_left_alone_by_an_empty_field_and_removed_by_a_tick(
    browser: Browser, sqlite_database: Database, hook: Hook
) -> None:
    add_webhook(browser, hook.url, secret="quite secret")
    browser.send(ONE, {"name": "Still"})
    channels = metadata.tables["channels"]
    with sqlite_database.read() as connection:
        assert connection.execute(channels.select()).one().secret_sealed
    browser.send(ONE, {"removes_secret": "1"})
    with sqlite_database.read() as connection:
        assert connection.execute(channels.select()).one().secret_sealed is None


@pytest.mark.parametrize(
    ("kind", "fields", "wrong"),
    [
        ("webhook", {"name": "Mine", "url": "gopher://x"}, "url"),
        ("webhook", {"name": "", "url": "https://example.org"}, "name"),
        ("webhook", {"name": "Mine", "url": "https://example.org", "body": "{nonsense}"}, "body"),
        ("ntfy", {"name": "Mine", "topic": "no spaces"}, "topic"),
        ("email", {"name": "Mine", "host": "m.example", "sender": "a@b.example", "recipients": "nobody"}, "recipients"),
        ("email", {"name": "Mine", "host": "m.example", "sender": "a@b.example", "port": "x"}, "port"),
    ],
)  # fmt: skip
def test_bad_input_is_shown_again_with_what_was_typed(
    browser: Browser, kind: str, fields: dict[str, str], wrong: str
) -> None:
    browser.open(f"{NEW}?kind={kind}")
    browser.send(NEW, fields | {"secret": "not to be shown"})
    assert browser.status == 422
    assert browser.problem(wrong)
    shown = browser.page.find(attrs={"name": "name"})
    assert shown["value"] == fields["name"]
    assert "not to be shown" not in browser.text


def test_a_kind_that_is_none_is_refused(browser: Browser) -> None:
    browser.open(f"{NEW}?kind=pigeon")
    assert browser.status == 422


def test_what_was_given_up_is_sent_after_all(browser: Browser, sqlite_database: Database, hook: Hook) -> None:
    add_webhook(browser, hook.url)
    row = {
        "channel_id": 1, "occasion": "night", "key": "night:2026-11-21", "subject": HOSTILE, "body": "b", "facts": {},
        "status": "failed", "attempts": 10, "created_at": NIGHT, "ended_at": NIGHT, "problem": HOSTILE,
    }  # fmt: skip
    deliveries = metadata.tables["deliveries"]
    with sqlite_database.transaction() as connection:
        connection.execute(deliveries.insert().values(**row))
    page = browser.open("/notifications")
    assert "given up" in browser.words()
    assert page.main.find("img") is None
    browser.send("/notifications/deliveries/1/retry", {})
    with sqlite_database.read() as connection:
        assert connection.execute(deliveries.select()).one().status == "waiting"


def test_the_news_count_what_came_after_and_cost_nothing_when_nothing_did(
    browser: Browser, sqlite_database: Database, now: datetime
) -> None:
    world = make_world(sqlite_database, now)
    first = answer(sqlite_database, world, NIGHT)
    news = browser.open("/notifications/news").p
    assert (news["data-newest"], news["data-count"]) == (str(first), "0")
    last = [answer(sqlite_database, world, NIGHT, persona_name=HOSTILE) for _ in range(2)][-1]
    news = browser.open(f"/notifications/news?after={first}").p
    assert (news["data-newest"], news["data-count"], news["data-head"]) == (str(last), "2", "2 new replies")
    assert news.find("img") is None
    same = browser.client.get(f"/notifications/news?after={last}", headers={"If-None-Match": f'W/"{last}"'})
    assert (same.status_code, same.data) == (304, b"")
    assert browser.client.get("/notifications/news?after=x").status_code == 422


@pytest.mark.parametrize(("path", "text"), [("3", ">3<"), ("99", ">9+<"), ("9223372036854775807", ">9+<")])
def test_the_icon_carries_the_number(browser: Browser, path: str, text: str) -> None:
    response = browser.client.get(f"/notifications/icon/{path}.svg")
    assert response.content_type == "image/svg+xml"
    assert text in response.get_data(as_text=True)


def test_a_message_about_the_night_leads_to_its_page(browser: Browser) -> None:
    with time_machine.travel(NIGHT, tick=False):
        browser.open("/morning/2026-11-20")
    assert browser.status == 200
