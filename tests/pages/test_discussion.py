"""Debates, councils and automatic replies in the page: begun by plain forms, watched, stopped."""

from collections.abc import Callable
from datetime import datetime

import pytest

from forllm_server import clock
from forllm_server.db import Database
from forllm_server.discussions import discussion_store as store
from forllm_server.discussions.model import StepKind
from forllm_server.forum.editing import add_answer
from forllm_server.forum.model import Answer
from forllm_server.jobs.discussing import advance
from forllm_server.queue.llm_request_store import get_llm_request
from tests.pages.conftest import Browser
from tests.personas.world import create
from tests.support.world import LOCAL_USER, World, make_world


@pytest.fixture
def world(sqlite_database: Database, now: datetime) -> World:
    world = make_world(sqlite_database, now)
    with sqlite_database.transaction() as connection:
        for name in ("Skeptic", "Teacher", "Poet"):
            create(connection, name)
    return world


def begin(browser: Browser, world: World, kind: str, **fields: str) -> None:
    browser.open(f"/posts/{world.post_id}/{kind}")
    browser.send(f"/posts/{world.post_id}/{kind}", fields)


def answer_all(database: Database, discussion_id: int = 1) -> int:
    """What the worker does, without a model: each live step is answered, and the next one asked."""
    with database.transaction() as connection:
        live = [step for step in store.list_steps(connection, discussion_id) if step.is_live]
        for step in live:
            request = get_llm_request(connection, step.llm_request_id)
            post_id = None
            if step.kind is StepKind.RANKING:
                ranked = tuple(sorted(step.shown)) if step.seat else None
                store.update_ranked(connection, request.id, ranked, "" if ranked else "This is no ranking: “Hm.”")
            else:
                text = f"{step.kind.value} {step.number}, see #2"
                values = (request.id, LOCAL_USER, request.post_id or 0, text, request.persona_version_id or 0)
                post_id = add_answer(connection, Answer(*values, "X", "qwen3:8b", {}), clock.now()).id
            requests = store.metadata.tables["llm_requests"]
            done = {"status": "succeeded", "reply_post_id": post_id, "output_tokens": 50}
            connection.execute(requests.update().where(requests.c.id == request.id).values(done))
        advance(connection, discussion_id, clock.now())
    return len(live)


def test_a_debate_is_begun_from_a_post_and_told_where_it_stands(
    browser: Browser, world: World, sqlite_database: Database
) -> None:
    browser.open(f"/posts/{world.post_id}/details")
    assert browser.page.find("a", href=f"/posts/{world.post_id}/debate")
    browser.open(f"/posts/{world.post_id}/debate")
    assert "Asks for up to 7 answers of models" in browser.words()
    begin(browser, world, "debate", persona_1="2", persona_2="3", motion="Mirrors are no backups", turns="2")
    assert "Debate: Skeptic (for), Teacher (against)" in browser.words()
    assert "Turn 1: Skeptic (for)" in browser.words()
    assert "0 of 2 turns" in browser.words()
    browser.open(f"/topics/{world.topic_id}")
    assert "Debate: Skeptic (for), Teacher (against)" in browser.words()
    assert browser.page.find(string="debate, turn 1: for")
    for _ in range(3):
        assert answer_all(sqlite_database) == 1
    browser.open(f"/topics/{world.topic_id}")
    assert "ended after 2 turns: cap on turns" in browser.words()
    assert browser.page.find(string="debate, turn 2: against")
    assert browser.page.find(string="debate, summary")


def test_the_estimate_comes_without_a_script_and_with_one(browser: Browser, world: World) -> None:
    browser.open(f"/posts/{world.post_id}/debate")
    browser.send(f"/posts/{world.post_id}/debate/preview", {"turns": "10", "persona_2": "3", "motion": "So it is"})
    assert "Asks for up to 11 answers of models" in browser.words()
    assert browser.page.find("input", attrs={"name": "motion"})["value"] == "So it is"
    token = browser.page.find("input", attrs={"name": "csrf_token"})["value"]
    form = {"csrf_token": token, "persona_1": "2", "persona_2": "3"}
    address = f"/posts/{world.post_id}/debate/estimate"
    assert "up to 4 answers" in browser.client.post(address, data=form | {"turns": "4"}).text
    assert browser.client.post(address, data=form | {"turns": "0"}).text.strip() == ""


def test_stop_stands_in_the_topic(browser: Browser, world: World) -> None:
    begin(browser, world, "debate")
    browser.open(f"/topics/{world.topic_id}")
    browser.send("/discussions/1/cancellation", {})
    assert browser.path == f"/topics/{world.topic_id}"
    browser.open(f"/topics/{world.topic_id}")
    assert "ended after 0 turns: stopped by you" in browser.words()


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("debate", {"persona_2": ""}, "A debate is held by 2 to 4: 1 cannot hold one."),
        ("debate", {"persona_1": "2", "persona_2": "2", "role_2": "for"}, "different roles"),
        ("council", {"persona_3": ""}, "A council has 3 to 8 members, and this one has 2."),
        ("council", {"closer": ""}, "somebody who chairs"),
        ("debate", {"persona_2": "999"}, "not there any more"),
    ],
)
def test_what_cannot_be_begun_is_told_and_stays_in_the_form(
    browser: Browser, world: World, kind: str, fields: dict[str, str], words: str
) -> None:
    begin(browser, world, kind, **({"motion": "Kept"} if kind == "debate" else {}), **fields)
    assert browser.status == 422
    assert words in browser.words()
    if kind == "debate":
        assert browser.page.find("input", attrs={"name": "motion"})["value"] == "Kept"


@pytest.mark.parametrize("field", ["turns", "tokens", "minutes"])
def test_a_cap_of_nothing_is_told_at_its_field(browser: Browser, world: World, field: str) -> None:
    begin(browser, world, "debate", **{field: "0"})
    assert browser.status == 422
    assert "At most 0" in browser.problem(field)


def test_a_council_shows_its_ranking_under_the_chairs_answer(
    browser: Browser, world: World, sqlite_database: Database
) -> None:
    browser.open(f"/posts/{world.post_id}/council")
    assert "Asks for 7 answers of models, 10 at most if rankings must be asked for again" in browser.words()
    begin(browser, world, "council", persona_1="2", persona_2="3", persona_3="4")
    assert "3 opinions to come" in browser.words()
    assert answer_all(sqlite_database) == 3
    # Whose ranking is prose is asked once more.
    assert answer_all(sqlite_database) == 3
    assert answer_all(sqlite_database) == 1
    browser.open("/discussions/1")
    assert "Ranking: Skeptic, try 2 of 2" in browser.words()
    assert answer_all(sqlite_database) == 1
    browser.open("/discussions/1")
    assert "Ended: the chair has answered" in browser.words()
    browser.open(f"/topics/{world.topic_id}")
    table = browser.page.find("table", class_="ranking__table")
    rows = [" ".join(row.get_text(" ").split()) for row in table.find_all("tr")[1:]]
    # Teacher says Skeptic before Poet, Poet says Skeptic before Teacher; what the skeptic said is no ranking.
    assert rows == [
        "1 #2 Skeptic 100 1st by Teacher, 1st by Poet",
        "2 #3 Teacher not cited 0 2nd by Poet",
        "2 #4 Poet not cited 0 2nd by Teacher",
    ]
    assert "Skeptic’s ranking: This is no ranking: “Hm.”" in browser.words()
    # A ranking answers no post, and has its page all the same.
    for address in ("/queue/4", "/queue/8", "/queue/history", "/posts/1/answers"):
        browser.open(address)
        assert browser.status == 200, address


def test_all_of_them_are_listed_and_one_that_is_not_there_is_not(browser: Browser, world: World) -> None:
    assert "No debate and no council yet" in str(browser.open("/discussions"))
    begin(browser, world, "debate")
    browser.open("/discussions")
    assert "ZFS or Btrfs?" in browser.words()
    browser.open("/discussions/9")
    assert browser.status == 404
    browser.open("/posts/999/debate")
    assert browser.status == 404


def test_a_topic_costs_the_same_statements_however_much_is_discussed(
    browser: Browser, world: World, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    begin(browser, world, "debate")
    first = count_queries(lambda: browser.open(f"/topics/{world.topic_id}"))
    for _ in range(3):
        begin(browser, world, "debate")
    assert count_queries(lambda: browser.open(f"/topics/{world.topic_id}")) == first


def test_automatic_replies_are_turned_on_seen_and_stopped(browser: Browser, world: World) -> None:
    address = f"/topics/{world.topic_id}/automatic-replies"
    browser.open(f"/posts/{world.post_id}/reply")
    browser.send(f"/posts/{world.post_id}/reply", {"content": "First"})
    assert not browser.page.find_all(attrs={"data-pending": True, "data-row": True})
    browser.open(address)
    browser.send(address, {"persona_ids": ["2", "3"], "most_replies": "3"})
    assert "Automatic replies: Skeptic, Teacher" in browser.words()
    assert "0 of 3 replies asked for" in browser.words()
    browser.open(f"/posts/{world.post_id}/reply")
    browser.send(f"/posts/{world.post_id}/reply", {"content": "Second"})
    assert "2 automatic replies asked for." in browser.words()
    assert len(browser.page.find_all("article", attrs={"data-pending": True})) == 2
    browser.send(f"{address}/stop", {})
    assert "off: stopped by you" in browser.words()


def test_automatic_replies_without_anybody_are_refused(browser: Browser, world: World) -> None:
    address = f"/topics/{world.topic_id}/automatic-replies"
    browser.open(address)
    browser.send(address, {"most_deep": "4"})
    assert browser.status == 422
    assert "Choose one to 6 personas." in browser.words()
    assert browser.page.find("input", attrs={"name": "most_deep"})["value"] == "4"
