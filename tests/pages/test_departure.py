import pytest
from bs4 import BeautifulSoup

from forllm_server.clock import now
from forllm_server.db import Database
from forllm_server.forum.subforums import add_subforum
from forllm_server.forum.topics import open_topic
from forllm_server.settings.values import change_settings
from tests.pages.conftest import Browser

POST = "[a](https://ex.com/x?a=1&b=2) <mailto:a@b.c> [here](/queue) ![i](https://evil.com/p.png) //x [y](//foo.com/z)"


@pytest.fixture
def topic_path(sqlite_database: Database) -> str:
    with sqlite_database.transaction() as connection:
        subforum = add_subforum(connection, owner_id=1, name="Links", description="", now=now())
        topic, _ = open_topic(connection, owner_id=1, subforum_id=subforum.id, title="Links", content=POST, now=now())
    return f"/topics/{topic.id}"


def links(page: BeautifulSoup) -> list[str]:
    return [str(link["href"]) for link in page.select(".post__body a")]


def test_links_that_leave_the_forum_lead_to_a_page_that_shows_the_address(browser: Browser, topic_path: str) -> None:
    assert links(browser.open(topic_path)) == [
        "/departure?to=https%3A%2F%2Fex.com%2Fx%3Fa%3D1%26b%3D2",
        "/departure?to=mailto%3Aa%40b.c",
        "/queue",
        "/departure?to=https%3A%2F%2Fevil.com%2Fp.png",
        "/departure?to=%2F%2Ffoo.com%2Fz",
    ]


def test_the_page_names_the_host_and_leads_on_by_a_click(browser: Browser) -> None:
    page = browser.open("/departure?to=https%3A%2F%2Fex.com%2Fx%3Fa%3D1%26b%3D2")
    assert page.h1 is not None
    assert page.h1.get_text(strip=True) == "This link leads to ex.com"
    link = page.select_one(".buttons a")
    assert link is not None
    assert link["href"] == "https://ex.com/x?a=1&b=2"
    assert "noopener" in link["rel"]


def test_disguises_are_taken_off(browser: Browser) -> None:
    browser.open("/departure?to=https%3A%2F%2Fpaypal.com%40evil.com%2F")
    assert "leads to evil.com" in browser.words()
    assert "before the @ is only a name" in browser.words()
    browser.open("/departure?to=https%3A%2F%2Fp%D0%B0ypal.com%2F")
    assert "xn--" in browser.words()
    browser.open("/departure?to=http%3A%2F%2Fplain.org%2F")
    assert "not be encrypted" in browser.words()


@pytest.mark.parametrize(
    "address", ["", "javascript:alert(1)", "data:text/html,x", "https:///", "/queue", "https://a\r\nb", "x" * 5000]
)
def test_what_no_post_can_link_to_is_refused(browser: Browser, address: str) -> None:
    browser.open("/departure", query_string={"to": address})
    assert browser.status == 422


def test_the_question_can_be_switched_off(browser: Browser, sqlite_database: Database, topic_path: str) -> None:
    with sqlite_database.transaction() as connection:
        change_settings(connection, {"shows_link_warning": False}, now())
    assert links(browser.open(topic_path))[0] == "https://ex.com/x?a=1&b=2"
