"""The trash."""

import re
from datetime import datetime

from forllm_server.db import Database, metadata
from forllm_server.forum.subforums import delete_subforum
from forllm_server.pages.trash import ROWS
from forllm_server.queue import prompt_store
from tests.pages.conftest import Browser
from tests.support.world import insert_post, make_world, queue_request


def test_an_empty_trash_says_so(browser: Browser) -> None:
    browser.open("/trash")
    assert "The trash is empty" in browser.words()


def test_what_is_erased_is_gone_for_good(browser: Browser, sqlite_database: Database, now: datetime) -> None:
    make_world(sqlite_database, now)
    browser.open("/topics/1/edit")
    browser.send("/topics/1/delete", {})
    assert "ZFS or Btrfs?" in browser.open("/trash").get_text()
    browser.open("/trash/erase")
    browser.send("/trash/erase", {})
    assert "Erased for good: 0 subforums, 1 topic, 1 post, 0 personas" in browser.words()
    assert "The trash is empty" in browser.words()


def test_what_is_erased_by_hand_leaves_no_text_with_its_llm_requests(
    browser: Browser, sqlite_database: Database, now: datetime
) -> None:
    world = make_world(sqlite_database, now)
    asked = queue_request(sqlite_database, world, now)
    with sqlite_database.transaction() as connection:
        messages = [{"role": "user", "content": "ZFS or Btrfs?"}]
        prompt_store.replace_prompt(connection, asked.id, layout="x", messages=messages, breakdown={}, now=now)
        delete_subforum(connection, world.subforum_id, now)
    browser.open("/trash/erase")
    browser.send("/trash/erase", {})
    with sqlite_database.read() as connection:
        assert prompt_store.find_prompt(connection, asked.id) is None


def test_what_was_deleted_together_is_all_listed(browser: Browser, sqlite_database: Database, now: datetime) -> None:
    world = make_world(sqlite_database, now)
    with sqlite_database.transaction() as connection:
        for number in range(ROWS + 2):
            insert_post(connection, world.topic_id, now, number=number + 1)
        posts = metadata.tables["posts"]
        connection.execute(posts.update().where(posts.c.id != world.post_id).values(deleted_at=now))
    seen = len(browser.open("/trash").select("[action$='/restore']"))
    browser.open(str(browser.page.find("a", href=re.compile("after="))["href"]))
    assert (seen, len(browser.page.select("[action$='/restore']"))) == (ROWS, 2)


def test_kinds_that_do_not_exist_cannot_be_restored(browser: Browser) -> None:
    token = browser.open("/subforums/new").find("input", attrs={"name": "csrf_token"})["value"]
    for path in ("/trash/persona/1/restore", "/trash/topic/9/restore", "/trash/post/9/restore"):
        assert browser.client.post(path, data={"csrf_token": token}).status_code == 404
