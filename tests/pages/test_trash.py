"""The trash."""

from datetime import datetime

from forllm_server.db import Database
from tests.pages.conftest import Browser
from tests.support.world import make_world


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


def test_kinds_that_do_not_exist_cannot_be_restored(browser: Browser) -> None:
    token = browser.open("/subforums/new").find("input", attrs={"name": "csrf_token"})["value"]
    for path in ("/trash/persona/1/restore", "/trash/topic/9/restore", "/trash/post/9/restore"):
        assert browser.client.post(path, data={"csrf_token": token}).status_code == 404
