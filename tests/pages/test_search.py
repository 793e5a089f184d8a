"""The search page."""

from collections.abc import Callable
from datetime import datetime

import pytest
from bs4 import BeautifulSoup

from forllm_server.db import Database
from tests.pages.conftest import Browser
from tests.search.world import Shelf


@pytest.fixture
def shelf(sqlite_database: Database) -> Shelf:
    return Shelf(sqlite_database)


def titles(page: BeautifulSoup) -> list[str]:
    return [link.get_text() for link in page.select(".found .row__title")]


def test_an_empty_page_shows_what_can_be_asked(browser: Browser, shelf: Shelf) -> None:
    post_id = shelf.topic("Mirrors", "Two disks", subforum="Home lab")
    shelf.reply(post_id, "No.", persona="Skeptic", model="qwen3:32b")
    page = browser.open("/search")
    links = {link.get_text(): link["href"] for link in page.main.find_all("a")}
    assert links["Home lab"] == "/search?q=in%3A%22Home+lab%22"
    assert links["Skeptic"] == "/search?q=persona%3ASkeptic"
    assert links["qwen3:32b"] == "/search?q=model%3Aqwen3%3A32b"
    assert "is:bookmarked" in links
    for address in links.values():
        assert browser.client.get(address).status_code == 200
    assert titles(browser.open(links["qwen3:32b"])) == titles(browser.open(links["Skeptic"])) == ["Mirrors"]


def test_what_was_found_is_marked_and_leads_to_the_post(browser: Browser, shelf: Shelf) -> None:
    root = shelf.topic("Disks & <mirrors>", "A **mirror** is\n\n# no <b>backup</b>")
    reply = shelf.reply(root, "Which mirrors?", persona="Skeptic", model="qwen3:32b")
    page = browser.open("/search?q=mirror")
    assert {link["href"] for link in page.select(".found .row__title")} == {f"/posts/{root}", f"/posts/{reply}"}
    assert sorted(mark.get_text() for mark in page.find_all("mark")) == ["mirror", "mirrors", "mirrors"]
    assert page.select(".found b") == []
    words = browser.words()
    assert "A mirror is no <b>backup</b>" in words
    assert "Skeptic v1 qwen3:32b Homelab" in words
    assert "2 posts found" in words


def test_marks_that_a_text_brings_along_mark_nothing_and_break_nothing(browser: Browser, shelf: Shelf) -> None:
    shelf.topic("T", "\x03 one \x02\x02<script> two </script>\x03 mirror \x02")
    page = browser.open("/search?q=mirror")
    assert page.select(".found script") == []
    assert "<script> two </script>" in browser.words()


def test_the_order_is_chosen_and_more_is_shown(browser: Browser, shelf: Shelf) -> None:
    for number in range(45):
        shelf.topic(f"Topic {number}", "mirror " * (1 + number % 3))
    page, seen = browser.open("/search?q=mirror&sort=newest"), []
    assert titles(page)[:2] == ["Topic 44", "Topic 43"]
    while True:
        seen += titles(page)
        more = page.find("a", rel="next")
        if more is None:
            break
        page = browser.open(more["href"])
    assert seen == [f"Topic {number}" for number in reversed(range(45))]


def test_a_page_costs_the_same_however_much_is_found(
    browser: Browser, shelf: Shelf, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    shelf.topic("Topic", "mirror")
    few = count_queries(lambda: browser.open("/search?q=mirror"))
    for number in range(15):
        shelf.topic(f"Topic {number}", "mirror")
    assert count_queries(lambda: browser.open("/search?q=mirror")) == few


def test_a_mistyped_word_is_forgiven(browser: Browser, shelf: Shelf) -> None:
    shelf.topic("Kubernetes at home", "Is it worth it?")
    page = browser.open("/search?q=kuberntes+at+home")
    link = page.select_one(".found__meant")
    assert link.get_text() == "kubernetes at home"
    assert titles(browser.open(link["href"])) == ["Kubernetes at home"]


@pytest.mark.parametrize("text", ['--- *** "" OR', '"', "🦆", "👩\u200d👩\u200d👧", "\u202e", "in:", "\0", "()", "*"])
def test_nothing_to_look_for_is_said_and_the_text_stays(browser: Browser, shelf: Shelf, text: str) -> None:
    shelf.topic("T", "mirror")
    page = browser.open("/search", query_string={"q": text})
    assert browser.status == 200
    assert page.find(id="search-text")["value"] == text.replace("\0", "")
    assert "What can be asked" in browser.words()


def test_a_text_that_is_too_long_is_refused_and_stays(browser: Browser) -> None:
    text = "mirror " * 1500
    page = browser.open("/search", query_string={"q": text})
    assert browser.status == 422
    assert "This search has 10,500 characters; at most 1,000 are possible." in browser.problem("q")
    assert page.find(id="search-text")["value"] == text


def test_hints_say_what_was_understood_otherwise(browser: Browser, shelf: Shelf) -> None:
    shelf.topic("T", "mirror")
    browser.open("/search?q=colour:red+has:tape+is:lost+persona:nobody")
    words = browser.words()
    assert "There is no filter “colour:”" in words
    assert "After “has:” can stand code or file" in words
    assert "No persona is called “nobody”. There are: Assistant." in words
    assert "Nothing found" in words


def test_a_script_is_given_the_results_alone(browser: Browser, shelf: Shelf) -> None:
    shelf.topic("T", "mirrors")
    answer = browser.client.get("/search?q=mirro&typing=1", headers={"HX-Request": "true"}).get_data(as_text=True)
    assert "<mark>mirrors</mark>" in answer
    assert "<html" not in answer


def test_a_cursor_that_was_tampered_with_is_refused(browser: Browser, now: datetime) -> None:
    browser.open("/search?q=mirror&after=nonsense!")
    assert browser.status == 400
