"""The pages of experiments, as a browser without scripts uses them."""

import re
from collections.abc import Callable
from datetime import datetime
from functools import partial

import pytest

from forllm_server import clock
from forllm_server.db import Database, metadata
from forllm_server.jobs.experiment_staging import tend_experiments
from tests.pages.conftest import Browser
from tests.support.world import make_world
from tests.votes.world import Contest

LIST = "/experiments"


@pytest.fixture
def contest(browser: Browser, sqlite_database: Database, now: datetime) -> Contest:
    contest = Contest(sqlite_database, make_world(sqlite_database, now), now, "Ada", "Bob")
    for _ in range(3):
        contest.round()
    return contest


def choose(browser: Browser, contest: Contest, **fields: object) -> None:
    """Have Bob's version answer what Ada answered."""
    browser.open(f"{LIST}/new")
    wanted = {"answers_by": f"version-{contest.versions['Ada']}", "persona_version_id": contest.versions["Bob"]}
    browser.send(f"{LIST}/new", wanted | fields)


def start(browser: Browser, contest: Contest) -> None:
    choose(browser, contest)
    browser.send(f"{LIST}/1/start", {})


def answer_all(database: Database, now: datetime, *, number: int = 3) -> None:
    """The first pairs are answered."""
    pairs, requests = metadata.tables["experiment_pairs"], metadata.tables["llm_requests"]
    with database.transaction() as connection:
        for row in connection.execute(pairs.select().where(pairs.c.number <= number)).all():
            new = {"new_text": f"The new one, {row.number}", "new_characters": 14, "new_tokens": 5, "new_seconds": 2.5}
            own = pairs.c.number == row.number
            connection.execute(pairs.update().where(own).values(answered_at=now, new_finish_reason="stop", **new))
        ended = {"status": "succeeded", "finished_at": now}
        connection.execute(requests.update().where(requests.c.id <= number).values(ended))


def test_an_empty_list_says_what_an_experiment_is(browser: Browser) -> None:
    browser.open(LIST)
    assert "No experiment yet" in browser.words()


def test_from_the_form_to_the_estimate_and_into_the_queue(browser: Browser, contest: Contest) -> None:
    choose(browser, contest, name="Bob for Ada")
    assert (browser.status, browser.path) == (200, f"{LIST}/1")
    words = browser.words()
    assert "Bob for Ada" in words
    assert "Answers by Ada v1" in words
    assert "again by Bob v1 on the same model" in words
    assert "Starting it adds 3 replies" in words
    browser.send(f"{LIST}/1/start", {})
    assert "0 of 3 answered" in browser.words()
    assert "3 in the queue" in browser.words()
    browser.open(LIST)
    assert "Bob for Ada" in browser.words()
    assert "all asked" in browser.words()
    browser.open("/queue")
    assert "Asked again, for an experiment" in browser.words()


def test_a_topic_is_ticked_in_the_list_of_its_subforum(browser: Browser, contest: Contest) -> None:
    browser.open(f"{LIST}/new?subforum_id={contest.world.subforum_id}")
    assert browser.page.find("input", attrs={"name": "topic_ids", "value": str(contest.world.topic_id)})
    wanted = {"topic_ids": str(contest.world.topic_id), "persona_version_id": contest.versions["Bob"]}
    browser.send(f"{LIST}/new", wanted | {"answers_by": f"version-{contest.versions['Ada']}"})
    assert "1 chosen topic" in browser.words()
    assert "3 pairs" in browser.words()


def test_the_topics_of_a_subforum_come_with_what_was_typed(browser: Browser, contest: Contest) -> None:
    browser.open(f"{LIST}/new")
    fields = {"subforum_id": contest.world.subforum_id, "name": "Typed", "model_id": contest.world.model_id}
    browser.send(f"{LIST}/new", fields, button={"look": "1"})
    assert browser.page.find("input", attrs={"name": "name"})["value"] == "Typed"
    assert browser.page.find("input", attrs={"name": "topic_ids"})
    chosen = browser.page.find("select", attrs={"name": "model_id"}).find("option", selected=True)
    assert chosen["value"] == str(contest.world.model_id)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"answers_by": ""}, "No topics are chosen"),
        ({"persona_version_id": ""}, "nothing to compare"),
        ({"persona_version_id": "987654"}, "no such version"),
        ({"answers_by": "nobody"}, "whole number"),
        ({"answers_by": "7"}, "Choose one of the personas"),
        ({"tag": "unheard of"}, "No topic has this tag"),
        ({"topic_ids": "-1"}, "whole number"),
    ],
)
def test_what_cannot_be_taken_is_told_and_the_form_keeps_what_was_typed(
    browser: Browser, contest: Contest, fields: dict[str, str], words: str
) -> None:
    choose(browser, contest, name="Kept", **fields)
    assert browser.status == 422
    assert words in browser.words()
    assert browser.page.find("input", attrs={"name": "name"})["value"] == "Kept"


def test_a_vote_is_blind_and_then_tells_who_wrote_what(
    browser: Browser, contest: Contest, sqlite_database: Database, now: datetime
) -> None:
    start(browser, contest)
    answer_all(sqlite_database, now)
    browser.open(f"{LIST}/1/next")
    assert browser.path == f"{LIST}/1/pairs/1"
    main = str(browser.page.main)
    assert "The new one, 1" in main
    assert not re.search("ada|bob|qwen|hue-|/personas/|old|side-new", main.split('id="question"')[1], re.IGNORECASE)
    browser.send(f"{LIST}/1/pairs/1/vote", {}, button={"choice": "left"})
    assert re.search("You preferred the (old|new) answer", browser.words())
    assert {"Ada v1", "Bob v1"} <= {link.get_text() for link in browser.page.main.find_all("a")}
    assert browser.page.find("a", href=f"{LIST}/1/pairs/2")
    browser.send(f"{LIST}/1/pairs/1/vote", {"choice": "bad"})
    assert "You found both bad" in browser.words()
    browser.send(f"{LIST}/1/pairs/1/vote/delete", {})
    assert "Which is better?" in browser.words()


def test_which_side_the_new_one_has_is_as_good_as_random_and_means_what_is_seen(
    browser: Browser, contest: Contest, sqlite_database: Database, now: datetime
) -> None:
    for _ in range(9):
        contest.round()
    start(browser, contest)
    answer_all(sqlite_database, now, number=12)
    is_new_left = set()
    for number in range(1, 13):
        browser.open(f"{LIST}/1/pairs/{number}")
        left = browser.page.find("section", class_="versus__side").get_text()
        is_new_left.add("The new one" in left)
        browser.send(f"{LIST}/1/pairs/{number}/vote", {}, button={"choice": "left"})
        assert f"You preferred the {'new' if 'The new one' in left else 'old'} answer" in browser.words()
    assert is_new_left == {True, False}


def test_the_report_says_what_the_votes_told_and_is_downloaded(
    browser: Browser, contest: Contest, sqlite_database: Database, now: datetime
) -> None:
    start(browser, contest)
    answer_all(sqlite_database, now, number=2)
    pairs = metadata.tables["experiment_pairs"]
    with sqlite_database.transaction() as connection:
        connection.execute(pairs.update().where(pairs.c.number == 1).values(choice="new", voted_at=now))
        connection.execute(pairs.update().where(pairs.c.number == 3).values(problem="The backend burned down."))
    browser.open(f"{LIST}/1")
    words = browser.words()
    assert "The new answers won 1 of 1 vote with a winner, 100 % (95 % interval 21-100 %)" in words
    assert "Not told yet" in words
    assert "1 × The backend burned down." in words
    assert "Tokens written not known 5" in words
    assert "waits for your vote" in words
    browser.open(f"{LIST}/1?show=new")
    assert len(browser.page.find_all("li", class_="row--link")) == 1
    for form, type_ in (("csv", "text/csv"), ("json", "application/json"), ("md", "text/markdown")):
        answer = browser.client.get(f"{LIST}/1/export?format={form}")
        assert answer.mimetype == type_
        assert "The new one, 2" in answer.get_data(as_text=True)


def test_the_morning_names_what_was_finished_in_its_night(
    browser: Browser, contest: Contest, sqlite_database: Database, now: datetime
) -> None:
    start(browser, contest)
    answer_all(sqlite_database, now)
    tend_experiments(sqlite_database, clock.now())
    browser.open("/morning")
    assert browser.page.find("a", href=f"{LIST}/1", string="Bob v1 on the same model")


def test_a_new_answer_is_put_into_its_thread(
    browser: Browser, contest: Contest, sqlite_database: Database, now: datetime
) -> None:
    start(browser, contest)
    answer_all(sqlite_database, now)
    browser.open(f"{LIST}/1/pairs/2")
    browser.send(f"{LIST}/1/pairs/2/vote", {}, button={"choice": "skip"})
    assert "No vote: the names were shown first" in browser.words()
    browser.send(f"{LIST}/1/pairs/2/post", {})
    assert "The new one, 2" in browser.words()
    browser.open(f"{LIST}/1/pairs/2")
    assert "The new answer in its thread" in browser.words()


def test_it_is_paused_cancelled_and_deleted(browser: Browser, contest: Contest) -> None:
    start(browser, contest)
    browser.send(f"{LIST}/1/pause", {})
    assert "paused, 0 %" in browser.words()
    browser.send(f"{LIST}/1/resume", {})
    assert "all asked, 0 %" in browser.words()
    browser.send(f"{LIST}/1/cancellation", {})
    assert "cancelled" in browser.words()
    assert "3 called off" in browser.words()
    browser.open(f"{LIST}/1/delete")
    browser.send(f"{LIST}/1/delete", {})
    assert "No experiment yet" in browser.words()
    browser.open(f"{LIST}/1")
    assert browser.status == 404


def test_the_pages_cost_the_same_for_few_and_many_pairs(
    browser: Browser,
    contest: Contest,
    count_queries: Callable[[Callable[[], object]], int],
    sqlite_database: Database,
    now: datetime,
) -> None:
    start(browser, contest)
    few = count_queries(partial(browser.open, f"{LIST}/1"))
    answer_all(sqlite_database, now)
    for _ in range(40):
        contest.round()
    choose(browser, contest)
    browser.send(f"{LIST}/2/start", {})
    assert count_queries(partial(browser.open, f"{LIST}/2")) <= few
    assert browser.status == 200
