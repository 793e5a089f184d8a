"""Summaries in the pages: asked for with a form, shown at the head of the topic, changed by hand, removed."""

import itertools
from datetime import datetime

import pytest

from forllm_server.db import Database
from forllm_server.forum.editing import add_reply, edit_post
from forllm_server.summaries import summary_store
from forllm_server.summaries.model import CoveredPost, NewVersion, SummaryAuthor, SummaryScope
from tests.pages.conftest import Browser
from tests.support.world import LOCAL_USER, World, make_world


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    return make_world(sqlite_database, now)


def thread(database: Database, world: World, now: datetime, length: int = 3) -> list[int]:
    """A chain of replies to the first post; the ids of all, the first post's too."""
    ids = [world.post_id]
    with database.transaction() as connection:
        for number in range(length):
            content = f"Reply {number}"
            ids.append(add_reply(connection, owner_id=LOCAL_USER, parent_id=ids[-1], content=content, now=now).id)
    return ids


def summary(database: Database, world: World, now: datetime, ids: list[int], text: str = "They *chose* ZFS.") -> int:
    """A written summary of a way; its id."""
    with database.transaction() as connection:
        summary_id = summary_store.insert_summary(
            connection,
            owner_id=LOCAL_USER,
            topic_id=world.topic_id,
            scope=SummaryScope.WAY,
            anchor_post_id=ids[-1],
            now=now,
        )
        covered = tuple(CoveredPost(post_id, 1, True, parent_id) for parent_id, post_id in itertools.pairwise(ids))
        new = NewVersion(
            content=text,
            author=SummaryAuthor.MODEL,
            owner_id=LOCAL_USER,
            anchor_post_id=ids[-1],
            covered=covered,
            persona_name="Summary",
            model_name="qwen3:8b",
        )
        summary_store.insert_version(connection, summary_id, new, now)
    return summary_id


def test_a_summary_stands_at_the_head_of_its_topic_and_leads_to_the_whole(
    browser: Browser, sqlite_database: Database, world: World, now: datetime
) -> None:
    ids = thread(sqlite_database, world, now)
    browser.open(f"/topics/{world.topic_id}")
    assert "In short" not in browser.words()
    summary_id = summary(sqlite_database, world, now, ids)
    browser.open(f"/topics/{world.topic_id}")
    assert f"In short: 3 posts (#{ids[1]} to #{ids[3]})" in browser.words()
    assert browser.page.select_one(".summary em").get_text() == "chose"
    assert browser.page.find("a", href=f"/posts/{ids[1]}", string="the whole")
    browser.open(f"/summaries/{summary_id}/versions/1")
    assert "Reply 0" in browser.words()
    assert "v1 by Summary on qwen3:8b" in browser.words()


def test_a_stale_summary_says_why_and_is_asked_for_again(
    browser: Browser, sqlite_database: Database, world: World, now: datetime
) -> None:
    ids = thread(sqlite_database, world, now)
    summary_id = summary(sqlite_database, world, now, ids)
    with sqlite_database.transaction() as connection:
        edit_post(connection, ids[2], editor_id=LOCAL_USER, content="Otherwise.", now=now)
    browser.open(f"/topics/{world.topic_id}")
    assert "out of date: 1 post was edited" in browser.words()
    browser.open(f"/summaries/{summary_id}")
    browser.send(f"/summaries/{summary_id}/renewal", {})
    assert browser.status == 200
    assert "Queued: the summary will stand here." in browser.words()
    assert "The next version" in browser.words()


def test_a_summary_of_ticked_replies_is_asked_for_in_a_form(
    browser: Browser, sqlite_database: Database, world: World, now: datetime
) -> None:
    with sqlite_database.transaction() as connection:
        ids = [
            add_reply(connection, owner_id=LOCAL_USER, parent_id=world.post_id, content=f"No. {n}", now=now).id
            for n in range(3)
        ]
    address = f"/posts/{world.post_id}/summarise"
    browser.open(address)
    assert [box["value"] for box in browser.page.select("[name=post_ids]")] == [str(post_id) for post_id in ids]
    browser.send(address, {"scope": "replies", "post_ids": [str(ids[0])]})
    assert browser.status == 422
    assert "There is nothing to sum up" in browser.words()
    assert [box["value"] for box in browser.page.select("[name=post_ids][checked]")] == [str(ids[0])]
    browser.send(address, {"scope": "replies", "post_ids": [str(ids[0]), str(ids[2])]})
    assert browser.status == 200
    assert "It is not written yet" in browser.words()
    cancellation = browser.page.select_one("[data-act=cancellation]")["formaction"]
    browser.open(f"/topics/{world.topic_id}/summaries")
    assert "a summary:" in browser.words()
    browser.open(f"/summaries/{browser.page.select_one('.summary a')['href'].rpartition('/')[2]}")
    browser.send(cancellation, {})
    assert "It was called off before anything was written." in browser.words()
    browser.open(f"/topics/{world.topic_id}/summaries")
    assert "There is none yet." in browser.words()


def test_by_hand_two_windows_do_not_overwrite_each_other(
    browser: Browser, sqlite_database: Database, world: World, now: datetime
) -> None:
    ids = thread(sqlite_database, world, now)
    summary_id = summary(sqlite_database, world, now, ids)
    address = f"/summaries/{summary_id}/edit"
    browser.open(address)
    browser.send(address, {"content": "First."})
    assert browser.status == 200
    browser.open(address)
    browser.send(address, {"content": "Second.", "number": "1"})
    assert browser.status == 409
    assert browser.page.select_one("textarea[name=content]").get_text().strip() == "Second."
    assert browser.page.select_one("[name=number]")["value"] == "2"
    browser.send(address, {})
    assert [title.get_text() for title in browser.page.select("h2 a")] == ["Version 3", "Version 2", "Version 1"]
    browser.send(f"/summaries/{summary_id}/versions/1/restore", {})
    assert "They chose ZFS." in browser.words()
    browser.send(f"/summaries/{summary_id}/delete", {})
    assert "The summary is removed" in browser.words()
    browser.open(f"/summaries/{summary_id}")
    assert browser.status == 404


def test_of_many_versions_all_are_listed_and_the_newest_compared(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    ids = thread(sqlite_database, world, now)
    summary_id = summary(sqlite_database, world, now, ids)
    with sqlite_database.transaction() as connection:
        covered = (CoveredPost(ids[1], 1, True, ids[0]),)
        for number in range(2, 14):
            new = NewVersion(f"Text {number}.", SummaryAuthor.MODEL, LOCAL_USER, ids[1], covered)
            summary_store.insert_version(connection, summary_id, new, now)
    page = browser.open(f"/summaries/{summary_id}")
    assert len(page.select("section h2 a[href*='/versions/']")) == 13
    assert len(page.select(".diff")) == 10
