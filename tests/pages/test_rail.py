"""The rail is kept, and never older than what it shows."""

from forllm_server.pages.rail import _kept_rail
from tests.pages.conftest import Browser


def test_the_rail_is_written_once_as_long_as_nothing_changes(browser: Browser) -> None:
    browser.open("/subforums/new")
    browser.send("/subforums/new", {"name": "Homelab"})
    first = str(browser.open("/keys").select_one("header.rail"))
    before = _kept_rail.cache_info()
    assert str(browser.open("/keys").select_one("header.rail")) == first
    after = _kept_rail.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)
    # Where one is, is part of it.
    assert 'aria-current="page"' in str(browser.open("/personas").select_one("header.rail"))


def test_a_new_name_a_count_and_a_dot_are_shown_at_once(browser: Browser) -> None:
    browser.open("/subforums/new")
    browser.send("/subforums/new", {"name": "Homelab"})
    browser.open("/subforums/1/edit")
    browser.send("/subforums/1/edit", {"name": "Attic"})
    assert "Attic" in browser.open("/keys").select_one(".rail__subforums").get_text()
    assert browser.page.select_one(".rail .unread-dot") is None
    browser.client.post("/api/v1/subforums/1/topics", json={"title": "Pi", "content": "Which?", "ask": [{}]})
    rail = browser.open("/keys").select_one("header.rail")
    assert rail is not None
    assert "1 queued" in " ".join(rail.get_text(" ").split())
    assert rail.select_one(".unread-dot") is not None
