"""The queue page as a person uses it of an evening: put in order, choose many, watch a reply being written."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.furniture import close_window
from tests.support.browser import PHONE, Forum, accessibility_faults, is_scrolled_sideways, watched
from tests.support.scripted_server import Script

pytestmark = pytest.mark.slow

QUESTIONS = 8


@pytest.fixture(scope="module")
def ids(forum: Forum) -> list[int]:
    """Questions that wait for a window far away, of one topic each."""
    close_window(forum)
    # What a worker knows of the hours is at most a second old.
    time.sleep(1.2)
    subforum_id = forum.subforum()
    return [forum.ask(forum.topic(subforum_id, f"Question {number}")[1]) for number in range(QUESTIONS)]


@pytest.fixture
def line(page: Page, forum: Forum, ids: list[int]) -> Page:
    """The open queue, everything in line where it was asked."""
    forum.api("POST", "queue/changes", {"ids": ids, "action": "release"})
    forum.api("POST", "queue/changes", {"ids": ids, "action": "unpin"})
    page.goto("/queue")
    assert order(page) == ids
    return page


def order(page: Page) -> list[int]:
    rows = page.locator("tr.line--queued").evaluate_all("rows => rows.map(row => row.id)")
    return [int(row.removeprefix("queued-")) for row in rows]


def row(llm_request_id: int) -> str:
    return f"#queued-{llm_request_id}"


def test_alt_and_an_arrow_move_a_line_and_the_focus_goes_with_it(line: Page, ids: list[int]) -> None:
    line.locator(f"{row(ids[2])} [name=ids]").focus()
    line.keyboard.press("Alt+ArrowUp")
    expect(line.locator("tr.line").nth(1)).to_have_id(f"queued-{ids[2]}")
    expect(line.locator(f"{row(ids[2])} :focus")).to_have_count(1)
    line.keyboard.press("Alt+ArrowDown")
    expect(line.locator("tr.line").nth(2)).to_have_id(f"queued-{ids[2]}")
    line.locator(f"{row(ids[0])} [name=ids]").focus()
    line.keyboard.press("Alt+ArrowUp")
    expect(line.locator("[data-announcements]")).to_have_text("It stands at the end of its line.")


def test_a_place_is_dragged_and_taken_back(line: Page, ids: list[int]) -> None:
    grip, target = line.locator(f"{row(ids[5])} .grip"), line.locator(row(ids[1]))
    grip.scroll_into_view_if_needed()
    begin, end = grip.bounding_box(), target.bounding_box()
    assert begin is not None
    assert end is not None
    line.mouse.move(begin["x"] + 4, begin["y"] + 8)
    line.mouse.down()
    line.mouse.move(end["x"] + 200, end["y"] + 12, steps=4)
    line.mouse.move(end["x"] + 200, end["y"] + 4, steps=2)
    line.mouse.up()
    expect(line.locator("tr.line").nth(1)).to_have_id(f"queued-{ids[5]}")
    assert order(line) == [ids[0], ids[5], *ids[1:5], *ids[6:]]
    line.locator(row(ids[5])).hover()
    line.locator(f"{row(ids[5])} button", has_text="As planned").click()
    expect(line.locator("tr.line").nth(5)).to_have_id(f"queued-{ids[5]}")


def test_many_are_chosen_with_shift_or_by_their_group_and_changed_at_once(line: Page, ids: list[int]) -> None:
    line.locator(f"{row(ids[1])} [name=ids]").check()
    line.locator(f"{row(ids[3])} [name=ids]").click(modifiers=["Shift"])
    bulk = line.locator(".bulk")
    expect(line.locator("tr.line :checked")).to_have_count(3)
    expect(bulk.get_by_role("button", name="Run tonight")).to_be_hidden()
    bulk.get_by_role("button", name="Hold").click()
    expect(line.locator("[data-said]")).to_have_text("3 requests set aside.")
    expect(line.locator("tr.line--held")).to_have_count(3)
    expect(bulk).to_be_hidden()
    line.locator("#group-held [data-picks-group] input").check()
    bulk.get_by_role("button", name="Run tonight").click()
    expect(line.locator("[data-said]")).to_have_text("3 requests to run tonight.")
    expect(line.locator("tr.line--held")).to_have_count(0)


def test_a_pause_is_shown_at_once_and_ended(line: Page) -> None:
    line.locator(".pausing summary").click()
    line.get_by_role("button", name="For an hour").click()
    notice = line.locator(".pauses .notice")
    expect(notice).to_contain_text("The whole queue: paused until")
    expect(line.locator("h1")).to_contain_text("Paused until")
    notice.get_by_role("button", name="Resume").click()
    expect(line.locator(".pauses .notice")).to_have_count(0)


def test_a_reply_is_watched_as_it_is_written(line: Page, forum: Forum, ids: list[int]) -> None:
    forum.models.default = Script(tokens=tuple(f"word{number} " for number in range(60)), delay=0.15)
    line.locator(row(ids[-1])).hover()
    line.locator(f"{row(ids[-1])} button", has_text="Run now").click()
    text = line.locator(f"#running-{ids[-1]} .writing__text")
    expect(text).to_contain_text("word5")
    expect(line.locator(f"#running-{ids[-1]} .state")).to_contain_text("a second")
    assert accessibility_faults(line) == []
    expect(text).to_contain_text("word20")
    forum.api("POST", f"llm-requests/{ids[-1]}/cancellation")
    expect(line.locator(f"#running-{ids[-1]}")).to_have_count(0)
    line.goto(f"/queue/{ids[-1]}")
    line.get_by_role("button", name="Post this text").click()
    expect(line.locator("article.post .prose", has_text="word5")).to_be_visible()
    forum.models.default = Script()


def test_on_a_phone_the_acts_of_a_line_come_when_it_is_chosen(browser: Browser, forum: Forum, ids: list[int]) -> None:
    with watched(browser, forum.url, viewport=PHONE, has_touch=True, is_mobile=True) as (page, watch):
        page.goto("/queue")
        acts = page.locator(f"{row(ids[0])} .acts")
        expect(acts).to_be_hidden()
        page.locator(f"{row(ids[0])} label.pick").tap()
        expect(acts).to_be_visible()
        assert not is_scrolled_sideways(page)
        assert accessibility_faults(page) == []
    assert watch.complaints == []


def test_an_empty_queue_leads_on(browser: Browser, tmp_path: Path) -> None:
    with Forum(tmp_path) as forum, watched(browser, forum.url) as (page, watch):
        page.goto("/queue")
        expect(page.get_by_role("heading", name="A quiet night")).to_be_visible()
        assert accessibility_faults(page) == []
    assert watch.complaints == []
