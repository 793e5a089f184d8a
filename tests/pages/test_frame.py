"""What surrounds every page: cheap, complete on a phone, and as the settings say."""

from collections.abc import Callable

import pytest
from sqlalchemy import event

from forllm_server.db import Database
from forllm_server.pages.frame import BAR_ENTRIES
from tests.pages.conftest import Browser


def test_the_rail_names_the_subforums_without_counting_anything(browser: Browser, sqlite_database: Database) -> None:
    browser.open("/subforums/new")
    browser.send("/subforums/new", {"name": "Homelab"})
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(sqlite_database.engine, "before_cursor_execute", note)
    page = browser.open("/keys")
    event.remove(sqlite_database.engine, "before_cursor_execute", note)
    assert page.select_one(".rail__subforums").get_text(" ", strip=True) == "Subforums Homelab"
    # Whether something is unread is asked of an index; counting would read every topic.
    assert [statement for statement in statements if "FROM topics" in statement and "count(" in statement] == []
    assert any("EXISTS" in statement for statement in statements if "FROM topics" in statement)


def test_a_page_reads_its_frame_with_few_statements(
    browser: Browser, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    browser.open("/keys")
    assert count_queries(lambda: browser.open("/keys")) <= 12


def test_every_place_of_the_rail_can_be_reached_on_a_phone(browser: Browser) -> None:
    page = browser.open("/")
    everywhere = {link["href"] for link in page.select(".rail__nav .rail__list > li:not(.rail__item--narrow) > a")}
    foot = {link["href"] for link in page.select(".rail__list > li:not(.rail__item--wide, .rail__item--narrow) > a")}
    more = {link["href"] for link in page.select(".rail__more a")}
    assert len(foot) <= BAR_ENTRIES
    assert foot | more >= everywhere
    assert not foot & more


@pytest.mark.parametrize(
    ("name", "value", "attribute"),
    [("text_size", "large", "data-size"), ("density", "compact", "data-density"), ("theme", "soft", "data-theme")],
)
def test_the_look_is_as_the_settings_say(browser: Browser, name: str, value: str, attribute: str) -> None:
    browser.open("/settings")
    browser.send("/settings", {name: value})
    assert browser.open("/").html[attribute] == value


def test_a_page_tells_search_and_readers_what_it_is(browser: Browser) -> None:
    page = browser.open("/settings")
    assert page.find("meta", attrs={"name": "description"})["content"]
    assert page.html["lang"] == "en"
    assert page.find("a", class_="skip")["href"] == "#main"
