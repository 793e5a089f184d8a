"""The pages of recurring topics, as a browser without scripts uses them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import insert

from forllm_server.db import Database, metadata
from tests.conftest import EVENING
from tests.pages.conftest import Browser

LIST = "/schedule/recurring"
WEEKLY = {"title": "Week of {date}", "content": "What is **new**?", "minute": "22:00", "timezone": "UTC"}


@pytest.fixture
def homelab(browser: Browser) -> Browser:
    browser.open("/subforums/new")
    browser.send("/subforums/new", {"name": "Homelab"})
    return browser


def add(browser: Browser, **fields: object) -> None:
    browser.open(f"{LIST}/new?subforum_id=1")
    browser.send(f"{LIST}/new", WEEKLY | fields)


def chosen(browser: Browser, name: str) -> str:
    option = browser.page.find("select", attrs={"name": name}).find("option", selected=True)
    return str(option["value"])


def test_without_a_subforum_it_says_what_to_do_first(browser: Browser) -> None:
    browser.open(LIST)
    assert "Nothing recurs yet" in browser.words()
    browser.open(f"{LIST}/new")
    assert "A topic needs a subforum" in browser.words()


def test_it_is_shown_with_its_next_occurrence_in_words(homelab: Browser) -> None:
    with time_machine.travel(EVENING, tick=False):
        add(homelab)
    words = homelab.words()
    assert (homelab.status, homelab.path) == (200, LIST)
    assert "“Week of {date}”: next Mon 22:00, in 3 d 1 h." in homelab.page.get_text()
    assert "every Monday at 22:00, by the clock of UTC, in Homelab ; next Mon 22:00, in 3 d 1 h" in words


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", " "),
        ("content", ""),
        ("days", []),
        ("minute", "25:00"),
        ("minute", "24:00"),
        ("timezone", "Mars/Base"),
        ("subforum_id", "99"),
    ],
)
def test_what_cannot_be_taken_is_said_beside_its_field_and_nothing_is_lost(
    homelab: Browser, field: str, value: object
) -> None:
    add(homelab, **{field: value, "persona_2": "1"})
    assert homelab.status == 422
    assert homelab.page.find(id=f"problem-{field}").get_text(strip=True)
    assert chosen(homelab, "persona_2") == "1"
    if field != "content":
        assert "What is **new**?" in homelab.page.find("textarea").get_text()


def test_it_can_be_changed_switched_off_and_on_and_deleted(homelab: Browser) -> None:
    add(homelab)
    homelab.open(f"{LIST}/1")
    homelab.send(f"{LIST}/1", {"title": "Weekly", "days": ["mon", "fri"], "missed": "all", "persona_1": "nobody"})
    assert "Mon, Fri at 22:00" in homelab.words()
    homelab.send(f"{LIST}/1/disable", {})
    assert homelab.page.find(class_="badge").get_text() == "off"
    homelab.send(f"{LIST}/1/enable", {})
    assert "; next " in homelab.words()
    homelab.open(f"{LIST}/1")
    assert (chosen(homelab, "missed"), chosen(homelab, "persona_1")) == ("all", "nobody")
    homelab.open(f"{LIST}/1/delete")
    homelab.send(f"{LIST}/1/delete", {})
    assert "Nothing recurs yet" in homelab.words()
    homelab.open(f"{LIST}/1")
    assert homelab.status == 404


def test_run_once_now_opens_the_topic_and_leads_to_it(homelab: Browser) -> None:
    with time_machine.travel(EVENING, tick=False):
        add(homelab)
        homelab.send(f"{LIST}/1/runs", {})
    assert homelab.path == "/topics/1"
    assert "Week of 2026-11-20" in homelab.words()
    assert "Opened; 1 question is queued." in homelab.page.get_text()
    homelab.open(LIST)
    assert "1 topic opened, the last: Week of 2026-11-20" in homelab.words()


def test_a_subforum_in_the_trash_is_said_and_another_one_can_be_chosen(homelab: Browser) -> None:
    add(homelab)
    homelab.open("/subforums/new")
    homelab.send("/subforums/new", {"name": "Garden"})
    homelab.open("/subforums/1/edit")
    homelab.send("/subforums/1/delete", {})
    homelab.open(LIST)
    assert "a subforum that is in the trash" in homelab.words()
    homelab.send(f"{LIST}/1/runs", {})
    assert homelab.status == 409
    assert "in the trash. Restore it" in homelab.words()
    homelab.open(f"{LIST}/1")
    assert "one that is in the trash" in homelab.words()
    homelab.send(f"{LIST}/1", {})
    assert homelab.problem("subforum_id")
    homelab.send(f"{LIST}/1", {"subforum_id": "2"})
    assert ", in Garden ;" in homelab.words()


def test_whom_to_ask_is_kept_even_when_gone(homelab: Browser, sqlite_database: Database) -> None:
    homelab.open("/personas/new")
    homelab.send("/personas/new", {"name": "Skeptic", "instructions": "Doubt."})
    add(homelab, persona_2="2", persona_3="1")
    homelab.open(f"{LIST}/1")
    assert homelab.page.find("select", attrs={"name": "persona_4"}) is not None
    with sqlite_database.transaction() as connection:
        personas = metadata.tables["personas"]
        connection.execute(personas.update().where(personas.c.id == 2).values(deleted_at=EVENING))
    homelab.open(f"{LIST}/1")
    assert chosen(homelab, "persona_2") == "2"
    assert "one that was deleted" in homelab.words()
    homelab.send(f"{LIST}/1", {"title": "Still asks"})
    homelab.open(f"{LIST}/1")
    assert (chosen(homelab, "persona_2"), chosen(homelab, "persona_3")) == ("2", "1")


def test_what_went_wrong_is_shown_and_text_is_never_markup(homelab: Browser, sqlite_database: Database) -> None:
    add(homelab, title="<b>{number}</b>")
    with sqlite_database.transaction() as connection:
        table = metadata.tables["recurring_topics"]
        connection.execute(table.update().values(last_problem="A question could not be asked. <i>Gone</i>"))
    for path in (LIST, f"{LIST}/1", f"{LIST}/1/delete"):
        homelab.open(path)
        assert homelab.page.main.find(["b", "i"]) is None
        assert "<b>{number}</b>" in homelab.words() or path == f"{LIST}/1"
    homelab.open(LIST)
    assert "<i>Gone</i>" in homelab.words()


def test_a_longer_list_costs_no_more_queries(
    homelab: Browser, sqlite_database: Database, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    def grow(number: int) -> None:
        row: dict[str, Any] = {
            "owner_id": 1,
            "subforum_id": 1,
            "title": "Weekly",
            "content": "New?",
            "asks": [],
            "days": ["mon"],
            "minute": 0,
            "missed": "latest",
            "is_enabled": True,
            "created_at": EVENING,
            "opened_count": 0,
            "next_at": EVENING + timedelta(days=1),
        }
        with sqlite_database.transaction() as connection:
            connection.execute(insert(metadata.tables["recurring_topics"]), [row] * number)

    grow(5)
    few = count_queries(lambda: homelab.open(LIST))
    grow(20)
    assert count_queries(lambda: homelab.open(LIST)) == few
