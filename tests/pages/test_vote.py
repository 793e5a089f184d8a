"""Voting between two replies with the names hidden."""

import json
import re
from collections.abc import Callable
from datetime import datetime

import pytest

from forllm_server.db import Database, metadata
from tests.pages.conftest import Browser
from tests.support.world import make_world
from tests.votes.world import Contest


@pytest.fixture
def contest(browser: Browser, sqlite_database: Database, now: datetime) -> Contest:
    return Contest(sqlite_database, make_world(sqlite_database, now), now, "Skeptic", "Teacher")


def test_who_wrote_what_is_told_after_the_vote_and_not_before(browser: Browser, contest: Contest) -> None:
    contest.round()
    browser.open("/votes")
    main = str(browser.page.main)
    assert browser.page.main.find("code", string="x = 1"), "code is rendered"
    assert not re.search("skeptic|teacher|qwen|hue-|/personas|/posts/", main, re.IGNORECASE)
    browser.send("/votes", {}, button={"choice": "left"})
    assert browser.path == "/votes/1"
    assert "You preferred A" in browser.words()
    assert {"Skeptic v1", "Teacher v1"} <= {link.get_text() for link in browser.page.main.find_all("a")}
    assert browser.page.main.find("a", href="/posts/2")


def test_a_pair_stands_as_it_stood_before_and_not_all_pairs_alike(browser: Browser, contest: Contest) -> None:
    first_is_left = set()
    for _ in range(12):
        replies = contest.round()
        browser.open("/votes")
        left = browser.page.find("input", attrs={"name": "left_post_id"})["value"]
        assert browser.open("/votes").find("input", attrs={"name": "left_post_id"})["value"] == left
        first_is_left.add(int(left) == replies["Skeptic"])
        browser.send("/votes", {}, button={"choice": "tie"})
    assert first_is_left == {True, False}


def test_each_choice_is_kept_and_a_skipped_pair_can_be_asked_again(browser: Browser, contest: Contest) -> None:
    for choice, told in (("right", "You preferred B"), ("tie", "equally good"), ("bad", "both bad")):
        contest.round()
        browser.open("/votes")
        browser.send("/votes", {}, button={"choice": choice})
        assert told in browser.words()
    contest.round()
    browser.open("/votes")
    browser.send("/votes", {}, button={"choice": "skip"})
    assert "Nothing waits for your vote" in browser.words()
    assert "You have voted 3 times" in browser.words()
    browser.send("/votes/skipped/delete", {})
    assert browser.page.find("button", attrs={"value": "left"})


def test_a_second_vote_on_the_same_two_changes_nothing_until_it_is_meant_to(browser: Browser, contest: Contest) -> None:
    contest.round()
    browser.open("/votes")
    sent = {"left_post_id": browser.page.find("input", attrs={"name": "left_post_id"})["value"]}
    sent["right_post_id"] = browser.page.find("input", attrs={"name": "right_post_id"})["value"]
    token = browser.page.find("input", attrs={"name": "csrf_token"})["value"]
    browser.send("/votes", {}, button={"choice": "left"})
    again = {"csrf_token": token, **sent, "choice": "right"}
    swapped = again | {"left_post_id": sent["right_post_id"], "right_post_id": sent["left_post_id"]}
    for form in (again, swapped):
        browser._show(browser.client.post("/votes", data=form, follow_redirects=True))
        assert "You have voted on these two already" in browser.text
        assert "You preferred A" in browser.words()
    browser.send("/votes/1", {}, button={"choice": "right"})
    assert "You preferred B" in browser.words()
    browser.send("/votes/1/delete", {})
    assert browser.path == "/votes"
    assert browser.page.find("button", attrs={"value": "left"})


def test_what_cannot_be_compared_is_refused(browser: Browser, contest: Contest) -> None:
    one, other = contest.round(), contest.round()
    browser.open("/votes")
    token = browser.page.find("input", attrs={"name": "csrf_token"})["value"]
    for left, right in ((one["Skeptic"], other["Teacher"]), (1, one["Skeptic"]), (5, 5), (98, 99), ("x", 1)):
        sent = {"csrf_token": token, "left_post_id": left, "right_post_id": right, "choice": "left"}
        assert browser.client.post("/votes", data=sent).status_code == 422, (left, right)
    sent = {"csrf_token": token, "left_post_id": one["Skeptic"], "right_post_id": one["Teacher"], "choice": "me"}
    assert browser.client.post("/votes", data=sent).status_code == 422
    assert browser.client.get("/votes/99").status_code == 404


def test_replies_of_one_entrant_deleted_ones_and_kept_parts_are_not_asked_about(
    browser: Browser, contest: Contest, sqlite_database: Database, now: datetime
) -> None:
    rows = metadata.tables["posts"]
    replies = contest.round()
    for values in ({"deleted_at": now}, {"is_partial": True}, {"persona_version_id": contest.versions["Teacher"]}):
        with sqlite_database.transaction() as connection:
            before = connection.execute(rows.select().where(rows.c.id == replies["Skeptic"])).mappings().one()
            connection.execute(rows.update().where(rows.c.id == replies["Skeptic"]).values(**values))
        assert "No two replies to compare yet" in browser.open("/votes").main.get_text()
        with sqlite_database.transaction() as connection:
            connection.execute(rows.update().where(rows.c.id == replies["Skeptic"]).values(**dict(before)))
    assert browser.open("/votes").find("button", attrs={"value": "left"})


def test_how_many_wait_stands_in_the_rail_and_in_the_morning(browser: Browser, contest: Contest) -> None:
    contest.round()
    contest.round()
    browser.open("/morning")
    assert "2 pairs of replies wait for your vote" in browser.words()
    link = browser.page.select_one(".rail__nav .rail__list > li > a[href='/votes']")
    assert "2 pairs wait for your vote" in " ".join(link.get_text(" ").split())


def test_a_page_costs_the_same_however_many_wait(
    browser: Browser, contest: Contest, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    contest.round()
    browser.open("/votes")
    few = count_queries(lambda: browser.open("/votes"))
    for _ in range(20):
        contest.round()
    browser.open("/votes")
    assert count_queries(lambda: browser.open("/votes")) == few


def test_the_preferences_are_given_as_json_lines(browser: Browser, contest: Contest) -> None:
    replies = contest.round()
    contest.vote(replies["Skeptic"], replies["Teacher"], replies["Teacher"])
    tied = contest.round()
    contest.vote(tied["Skeptic"], tied["Teacher"], None)
    answer = browser.client.get("/votes/preferences.jsonl")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="preferences.jsonl"'
    (line,) = [json.loads(line) for line in answer.get_data(as_text=True).split("\n")[:-1]]
    assert line["prompt"] == "Question 1?"
    assert line["chosen"].startswith(f"Answer 1, letter {contest.versions['Teacher']}")
    assert line["meta"]["rejected"] == {
        "post_id": replies["Skeptic"],
        "persona": "Skeptic",
        "persona_version_id": contest.versions["Skeptic"],
        "model": "qwen3:8b",
    }
