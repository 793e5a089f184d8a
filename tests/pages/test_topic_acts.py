"""Topics pinned, locked, moved, merged and split, and tagged, in the page."""

from collections.abc import Callable
from datetime import datetime

import pytest

from forllm_server.activity import note_store, seen_store
from forllm_server.db import Database
from forllm_server.forum import topic_store
from forllm_server.forum.editing import add_reply
from forllm_server.forum.subforums import add_subforum
from forllm_server.forum.topics import open_topic
from tests.pages.conftest import Browser


class Garden:
    """A subforum with two topics, each with a reply; and an empty one."""

    def __init__(self, database: Database, now: datetime) -> None:
        self.database = database
        with database.transaction() as connection:
            for name in ("Garden", "Kitchen"):
                add_subforum(connection, owner_id=1, name=name, now=now)
            for title in ("Roses", "Tulips"):
                _, root = open_topic(connection, owner_id=1, subforum_id=1, title=title, content=f"{title}?", now=now)
                add_reply(connection, owner_id=1, parent_id=root.id, content=f"{title}!", now=now)


@pytest.fixture
def garden(browser: Browser, sqlite_database: Database, now: datetime) -> Garden:
    return Garden(sqlite_database, now)


def titles(browser: Browser) -> list[str]:
    return [link.get_text() for link in browser.page.main.find_all("a", class_="row__title")]


def test_a_pinned_topic_stands_first_and_says_so(browser: Browser, garden: Garden) -> None:
    browser.open("/subforums/1")
    assert titles(browser) == ["Tulips", "Roses"]
    browser.open("/topics/1/edit")
    browser.send("/topics/1/pin", {}, button={"is_pinned": "1"})
    browser.open("/subforums/1")
    assert titles(browser) == ["Roses", "Tulips"]
    assert "pinned" in browser.words()
    browser.open("/subforums/1?show=new")
    assert titles(browser) == ["Tulips", "Roses"]


def test_a_locked_topic_says_so_and_keeps_what_was_typed(browser: Browser, garden: Garden) -> None:
    browser.open("/topics/1/edit")
    browser.send("/topics/1/lock", {}, button={"is_locked": "1"})
    assert "takes no new posts and no new questions" in browser.words()
    assert browser.page.find("a", string="Reply to the first post") is None
    browser.open("/posts/1/reply")
    browser.send("/posts/1/reply", {"content": "A long thought"})
    assert browser.status == 409
    assert "locked" in browser.words()
    assert "A long thought" in browser.page.find("textarea").get_text()
    browser.open("/posts/1/ask")
    browser.send("/posts/1/ask", {})
    assert browser.status == 409


def test_a_moved_topic_stays_read_and_its_links_lead_to_it(browser: Browser, garden: Garden) -> None:
    browser.open("/topics/1")
    browser.send("/topics/1/seen", {})
    browser.open("/topics/1/edit")
    browser.send("/topics/1/move", {"subforum_id": "2"})
    assert "in “Kitchen” now" in browser.text
    browser.open("/subforums/2")
    assert titles(browser) == ["Roses"]
    assert browser.page.main.find("li", class_="row--unread") is None
    browser.open("/posts/2")
    assert browser.path == "/topics/1"
    browser.open("/topics/1/edit")
    browser.send("/topics/1/move", {"subforum_id": "77"})
    assert (browser.status, bool(browser.problem("subforum_id"))) == (422, True)


@pytest.mark.parametrize("target", ["/topics/2", "http://127.0.0.1:4773/topics/2?at=3#post-3", " /posts/3 ", "#3"])
def test_a_merged_topic_hangs_there_and_its_address_leads_on(browser: Browser, garden: Garden, target: str) -> None:
    with garden.database.transaction() as connection:
        for topic_id in (1, 2):
            note_store.replace_note(
                connection, 1, topic_id, f"Note {topic_id}", datetime.fromisoformat("2026-11-20T00:00Z")
            )
    browser.open("/topics/1")
    browser.send("/topics/1/seen", {})
    browser.open("/topics/1/merge")
    browser.send("/topics/1/merge", {"target": target})
    assert (browser.status, browser.path) == (200, "/topics/2")
    assert "2 posts are here now" in browser.text
    assert "merged in: Roses" in browser.words()
    direct = browser.client.get("/topics/1")
    assert (direct.status_code, direct.headers["Location"]) == (301, "/posts/1")
    assert browser.client.get("/topics/1/updates").status_code == 404
    with garden.database.read() as connection:
        note = note_store.find_note(connection, 1, 2)
        reading = seen_store.get_topic_reading(connection, 1, 2)
        seen = seen_store.list_seen_ids(connection, 1, 2, [1, 2, 3, 4])
    assert note is not None
    assert note.content == "Note 2\n\nNote 1"
    assert [post_id for post_id in (1, 2, 3, 4) if not reading.is_unread(post_id, seen)] == [1, 2]


@pytest.mark.parametrize(("target", "status"), [("nowhere", 422), ("/topics/1", 422), ("/posts/2", 422), ("", 422)])
def test_a_place_that_cannot_be_merged_into_is_shown_again(
    browser: Browser, garden: Garden, target: str, status: int
) -> None:
    browser.open("/topics/1/merge")
    browser.send("/topics/1/merge", {"target": target})
    assert browser.status == status
    assert browser.page.find("input", attrs={"name": "target"})["value"] == target


def test_a_branch_becomes_a_topic_and_both_name_each_other(browser: Browser, garden: Garden) -> None:
    browser.open("/posts/2/split")
    browser.send("/posts/2/split", {"title": "x" * 5000})
    assert browser.status == 422
    browser.send("/posts/2/split", {"title": "Thorns"})
    assert (browser.path, browser.page.h1.get_text()) == ("/topics/3", "Thorns")
    assert "split off from Roses" in browser.words()
    browser.open("/topics/1")
    assert "split off: Thorns" in browser.words()
    assert browser.page.find("article", id="post-2") is None
    browser.open("/posts/2")
    assert browser.path == "/topics/3"


def test_tags_are_typed_shown_and_lead_to_their_topics(browser: Browser, garden: Garden) -> None:
    browser.open("/topics/1/edit")
    browser.send("/topics/1/tags", {"tags": "pruning, C++, Ünï"})
    assert [tag.get_text() for tag in browser.page.main.find_all("a", class_="tag")] == ["C++", "pruning", "Ünï"]
    for link in browser.page.main.find_all("a", class_="tag"):
        browser.open(link["href"])
        assert titles(browser) == ["Roses"]
    browser.open("/topics/2/edit")
    options = [option["value"] for option in browser.page.main.find("datalist").find_all("option")]
    assert options == ["C++", "pruning", "Ünï"]
    browser.open("/tags")
    assert "pruning 1 topic" in browser.words()
    browser.open("/subforums/1?tag=PRUNING")
    assert titles(browser) == ["Roses"]
    browser.open("/tags/nothing")
    assert browser.status == 404


def test_five_hundred_tags_are_refused_and_stay_in_the_field(browser: Browser, garden: Garden) -> None:
    typed = ", ".join(f"tag{number}" for number in range(500))
    browser.open("/topics/1/edit")
    browser.send("/topics/1/tags", {"tags": typed})
    assert browser.status == 422
    assert "500 tags" in browser.problem("tags")
    assert browser.page.find("input", attrs={"name": "tags"})["value"] == typed


@pytest.mark.parametrize("show", ["active", "new", "finished", "awaiting", "unanswered", "unvoted", "nonsense"])
def test_a_list_costs_the_same_however_long(
    browser: Browser, garden: Garden, now: datetime, count_queries: Callable[[Callable[[], object]], int], show: str
) -> None:
    with garden.database.transaction() as connection:
        open_topic(connection, owner_id=1, subforum_id=1, title="One", content="x", now=now)
    few = count_queries(lambda: browser.open(f"/subforums/1?show={show}"))
    with garden.database.transaction() as connection:
        for number in range(30):
            open_topic(connection, owner_id=1, subforum_id=1, title=f"T{number}", content="x", now=now)
    assert count_queries(lambda: browser.open(f"/subforums/1?show={show}")) == few
    assert browser.status == 200
    browser.open(f"/topics?show={show}")
    assert browser.status == 200


def test_the_lists_lead_from_page_to_page(browser: Browser, garden: Garden, now: datetime) -> None:
    with garden.database.transaction() as connection:
        for number in range(60):
            open_topic(connection, owner_id=1, subforum_id=1, title=f"T{number}", content="x", now=now)
        assert topic_store.count_pinned(connection, 1) == 0
    browser.open("/subforums/1?show=unanswered")
    first = titles(browser)
    browser.open(browser.page.find("a", rel="next")["href"])
    assert len({*first, *titles(browser)}) == 60
    assert (
        browser.page.find("nav", class_="orders").find("a", attrs={"aria-current": "true"}).get_text() == "Unanswered"
    )


def undo_of(browser: Browser) -> str:
    return str(browser.page.find("button", class_="notice__undo").parent["action"])


def test_a_move_a_merge_and_a_split_are_undone_from_their_notice(browser: Browser, garden: Garden) -> None:
    browser.open("/topics/1/edit")
    browser.send("/topics/1/pin", {}, button={"is_pinned": "1"})
    browser.open("/topics/1/edit")
    browser.send("/topics/1/move", {"subforum_id": "2"})
    browser.send(undo_of(browser), {})
    assert "It is back in “Garden”." in browser.page.get_text()
    browser.open("/subforums/1")
    assert titles(browser) == ["Roses", "Tulips"]
    assert "pinned" in browser.words()
    browser.open("/topics/1/merge")
    browser.send("/topics/1/merge", {"target": "/topics/2"})
    browser.send(undo_of(browser), {})
    assert (browser.path, browser.page.h1.get_text()) == ("/topics/1", "Roses")
    browser.open("/subforums/1")
    assert titles(browser) == ["Roses", "Tulips"]
    browser.open("/posts/2/split")
    browser.send("/posts/2/split", {"title": "Off"})
    browser.send(undo_of(browser), {})
    assert browser.path == "/topics/1"
    assert "Off" not in browser.words()
    assert browser.page.find(id="post-2") is not None
    browser.open("/subforums/1")
    assert titles(browser) == ["Roses", "Tulips"]


def test_taking_back_what_never_was_is_told(browser: Browser, garden: Garden) -> None:
    token = browser.open("/topics/1/edit").find("input", {"name": "csrf_token"})["value"]
    for action in ("unmerge", "unmerge?tags=x,9&pinned=1", "rejoin?sibling=3", "return?to=99"):
        answer = browser.client.post(f"/topics/1/{action}", data={"csrf_token": token})
        assert answer.status_code in (404, 422), action
