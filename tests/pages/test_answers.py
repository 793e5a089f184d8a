"""Answers beside each other, asking again for one of them, and what was asked together."""

from datetime import datetime

import pytest

from forllm_server.db import Database
from forllm_server.forum.editing import answer_post
from forllm_server.forum.model import Answer
from forllm_server.markup.likeness import agreement_words, share_in_common
from tests.pages.conftest import Browser
from tests.pages.test_mentioning import pending
from tests.personas.world import change, create
from tests.support.world import LOCAL_USER, World, insert_model, make_world, queue_request


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    return make_world(sqlite_database, now)


def answer(database: Database, world: World, now: datetime, text: str) -> int:
    """A reply of the built-in persona; its id."""
    request = queue_request(database, world, now)
    with database.transaction() as connection:
        answer = Answer(
            llm_request_id=request.id,
            owner_id=LOCAL_USER,
            parent_id=world.post_id,
            content=text,
            persona_version_id=1,
            persona_name="Assistant",
            model_name="qwen3:8b",
            parameters={"temperature": 0.7, "max_tokens": 100, "seed": 7},
            usage={"completion_tokens": 42},
        )
        return answer_post(connection, answer, now)


def test_answers_stand_beside_each_other_with_their_facts(
    browser: Browser, sqlite_database: Database, world: World, now: datetime
) -> None:
    ids = [answer(sqlite_database, world, now, f"ZFS, **because** {word}.") for word in ("raid", "scrub", "both")]
    browser.open(f"/topics/{world.topic_id}")
    compared = browser.page.find(class_="post__compared")
    assert compared.find("a")["href"] == f"/posts/{world.post_id}/answers"
    assert compared.get_text() == "3 answers: compare 50 % of the words in common"
    browser.open(f"/posts/{world.post_id}/answers")
    columns = browser.page.find_all(class_="answers__one")
    assert len(columns) == 3
    assert "42 tokens" in columns[0].get_text()
    assert "share 50 % of their words" in browser.words()
    browser.open(f"/posts/{world.post_id}/answers?one={ids[0]}&other={ids[2]}")
    assert browser.page.find("del").get_text() == "raid"
    assert browser.page.find("ins").get_text() == "both"


def test_only_answers_to_the_question_are_compared(browser: Browser, world: World) -> None:
    browser.open(f"/posts/{world.post_id}/answers")
    assert "No answer yet" in browser.words()
    browser.open(f"/posts/{world.post_id}/answers?one=1&other=99")
    assert browser.status == 422


def test_words_in_common_are_counted_over_all_pairs() -> None:
    assert share_in_common(["a b", "A, b!", "c"]) == pytest.approx(1 / 3)
    assert share_in_common(["a", "..."]) is None


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["Yes.", "yes", "YES!"], "all say the same"),
        (["Yes.", "yes", "No."], "2 of 3 say the same"),
        (["a b", "b c", "c d"], "22 % of the words in common"),
        (["...", "!"], ""),
        (["one"], ""),
    ],
)
def test_agreement_is_told_at_a_glance(texts: list[str], words: str) -> None:
    assert agreement_words(texts) == words


def rows(browser: Browser) -> dict[str, list[str]]:
    return {row["id"]: row["class"] for row in browser.page.find_all("article", attrs={"data-row": True})}


def test_of_several_answers_the_first_is_open_and_the_others_a_line_each(
    browser: Browser, sqlite_database: Database, world: World, now: datetime
) -> None:
    ids = [answer(sqlite_database, world, now, f"Because {word}.") for word in ("raid", "scrub")]
    browser.open(f"/topics/{world.topic_id}")
    assert not browser.page.select(".post--folded")
    ids.append(answer(sqlite_database, world, now, "Because both."))
    browser.open(f"/topics/{world.topic_id}")
    folded = [f"post-{post_id}" for post_id in ids[1:]]
    assert [row for row, classes in rows(browser).items() if "post--folded" in classes] == folded
    # Whole, and opened without a script.
    row = browser.page.find(id=folded[0])
    assert row.find(class_="post__body").get_text(strip=True) == "Because scrub."
    assert row.select_one("details.unfold > summary")
    browser.open(f"/topics/{world.topic_id}?view=flat")
    assert not browser.page.select(".post--folded")


def test_an_answer_that_was_answered_stands_open(
    browser: Browser, sqlite_database: Database, world: World, now: datetime
) -> None:
    ids = [answer(sqlite_database, world, now, f"Because {word}.") for word in ("raid", "scrub", "both")]
    browser.open(f"/posts/{ids[1]}/reply")
    browser.send(f"/posts/{ids[1]}/reply", {"content": "Why?"})
    folded = [row for row, classes in rows(browser).items() if "post--folded" in classes]
    assert folded == [f"post-{ids[2]}"]


def test_answers_beside_each_other_can_be_marked_as_read(
    browser: Browser, sqlite_database: Database, world: World, now: datetime
) -> None:
    ids = [answer(sqlite_database, world, now, f"Because {word}.") for word in ("raid", "scrub", "both")]
    browser.open(f"/posts/{world.post_id}/answers")
    unseen = browser.page.find_all("article", attrs={"data-unseen": True})
    assert {int(row["data-post"]) for row in unseen} == set(ids)
    browser.send(f"/topics/{world.topic_id}/seen", {})
    browser.open(f"/posts/{world.post_id}/answers")
    assert not browser.page.find_all("article", attrs={"data-unseen": True})


def test_a_reply_is_asked_for_again_hotter_longer_on_another_model_by_another_version(
    browser: Browser, sqlite_database: Database, world: World, now: datetime
) -> None:
    with sqlite_database.transaction() as connection:
        other_id = insert_model(connection, world.backend_id, now, name="other:3b")
    reply_id = answer(sqlite_database, world, now, "ZFS.")
    browser.open(f"/posts/{reply_id}/ask-again")
    fields = {"model_id": str(other_id), "seed": "9", "is_hotter": "1", "is_longer": "1"}
    browser.send(f"/posts/{reply_id}/ask-again", fields)
    assert "Queued" in browser.words()
    browser.open("/api/v1/llm-requests")
    newest = browser.client.get("/api/v1/llm-requests").get_json()["items"][0]
    assert (newest["model"], newest["post_id"]) == ("other:3b", world.post_id)
    assert newest["parameters"] == {"temperature": 1.0, "max_tokens": 200, "seed": 9} | {
        name: value for name, value in newest["parameters"].items() if name not in ("temperature", "max_tokens", "seed")
    }


def test_a_persons_post_cannot_be_asked_for_again(browser: Browser, world: World) -> None:
    browser.open(f"/posts/{world.post_id}/ask-again")
    assert browser.status == 409


def test_several_personas_on_several_models_are_asked_and_called_off_as_one(
    browser: Browser, sqlite_database: Database, world: World, now: datetime
) -> None:
    with sqlite_database.transaction() as connection:
        other_id = insert_model(connection, world.backend_id, now, name="other:3b")
        teacher = create(connection, "Teacher")
        change(connection, teacher, instructions="Teach.")
    browser.open(f"/posts/{world.post_id}/ask")
    fields = {"persona_id": str(teacher.id), "model_id": str(world.model_id), "repeats": "2"}
    browser.send(f"/posts/{world.post_id}/ask", fields | {"other_model_ids": str(other_id)})
    assert "Queued: 4 replies" in browser.words()
    assert pending(browser) == ["Teacher"] * 4
    found = browser.client.get("/api/v1/llm-requests").get_json()["items"]
    (group_id,) = {each["group_id"] for each in found}
    browser.open(f"/queue/groups/{group_id}")
    assert "4 replies asked together" in browser.words()
    browser.send(f"/queue/groups/{group_id}/cancellation", {})
    assert "4 requests called off" in browser.words()


def test_a_chain_is_asked_and_says_what_each_waits_for(
    browser: Browser, sqlite_database: Database, world: World
) -> None:
    with sqlite_database.transaction() as connection:
        create(connection, "Teacher")
    browser.open(f"/posts/{world.post_id}/reply")
    browser.send(f"/posts/{world.post_id}/reply", {"content": "@assistant>@teacher?"})
    assert pending(browser) == ["Assistant", "Teacher"]
    assert "waits for @assistant’s answer" in browser.words()
    browser.open("/queue")
    assert "Waiting for the answer before them" in browser.words()
