"""Several answers to one question in its thread: the first open, the others a line each, until one is opened."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.browser import PHONE, Forum, accessibility_faults, poll_now
from tests.support.processes import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def subforum_id(forum: Forum) -> int:
    return forum.subforum()


def ask_several(forum: Forum, subforum_id: int, title: str, times: int) -> tuple[int, int, list[int]]:
    """A question that was answered so often: its topic, its post, and the answers in the order of the thread."""
    topic_id, post_id = forum.topic(subforum_id, title)
    answers = [answer_again(forum, post_id) for _ in range(times)]
    return topic_id, post_id, answers


def answer_again(forum: Forum, post_id: int) -> int:
    return int(forum.wait_for_status(forum.ask(post_id, another=True), "succeeded")["reply_post_id"])


def row(page: Page, post_id: int) -> Locator:
    return page.locator(f"#post-{post_id}")


def is_open(page: Page, post_id: int) -> bool:
    """Whether more than a line of its text, and what can be done with it, is there to be seen."""
    return row(page, post_id).locator(".post__acts").evaluate("acts => getComputedStyle(acts).display !== 'none'")


def go_to(page: Page, post_id: int) -> None:
    """By the keyboard."""
    for _ in range(9):
        page.keyboard.press("j")
        if row(page, post_id).evaluate("row => row === document.activeElement"):
            return


def unread_ids(forum: Forum) -> list[int]:
    return [topic["id"] for topic in forum.api("GET", "unread/topics")["items"]]


def test_a_folded_answer_opens_by_click_key_and_link_and_counts_as_unread_until_then(
    forum: Forum, page: Page, subforum_id: int
) -> None:
    topic_id, _, answers = ask_several(forum, subforum_id, "Why at night?", 4)
    with page.expect_response("**/seen"):
        page.goto(f"/topics/{topic_id}")
    assert [is_open(page, post_id) for post_id in answers] == [True, False, False, False]
    expect(page.get_by_role("link", name="4 answers: compare")).to_be_visible()
    expect(page.get_by_text("all say the same")).to_be_visible()
    assert accessibility_faults(page) == []
    with page.expect_response("**/seen"):
        row(page, answers[1]).get_by_text("Show this answer").click()
    assert is_open(page, answers[1])
    with page.expect_response("**/seen"):
        go_to(page, answers[2])
        page.keyboard.press("f")
    assert is_open(page, answers[2])
    assert topic_id in unread_ids(forum)
    with page.expect_response("**/seen"):
        page.goto(f"/posts/{answers[3]}")
    assert is_open(page, answers[3])
    wait_for(lambda: topic_id not in unread_ids(forum), "all of them to be seen", lambda: str(unread_ids(forum)))
    page.set_viewport_size(PHONE)
    page.goto(f"/topics/{topic_id}")
    assert not is_open(page, answers[3])
    assert accessibility_faults(page) == []


def test_an_answer_that_is_being_read_stays_open_when_others_arrive(forum: Forum, page: Page, subforum_id: int) -> None:
    topic_id, post_id, answers = ask_several(forum, subforum_id, "And by day?", 2)
    with page.expect_response("**/seen"):
        page.goto(f"/topics/{topic_id}")
    assert is_open(page, answers[1])
    go_to(page, answers[1])
    third = answer_again(forum, post_id)
    poll_now(page)
    expect(row(page, third)).to_be_visible()
    assert [is_open(page, each) for each in (answers[1], third)] == [True, False]
    expect(row(page, answers[1])).to_be_focused()
    assert topic_id in unread_ids(forum)
    page.goto(f"/posts/{post_id}/answers")
    assert accessibility_faults(page) == []
    wait_for(lambda: topic_id not in unread_ids(forum), "all of them to be seen", lambda: str(unread_ids(forum)))


def test_without_scripts_a_folded_answer_opens_and_folds(forum: Forum, plain_page: Page, subforum_id: int) -> None:
    topic_id, _, answers = ask_several(forum, subforum_id, "Without scripts?", 3)
    plain_page.goto(f"/topics/{topic_id}")
    assert not is_open(plain_page, answers[2])
    row(plain_page, answers[2]).get_by_text("Show this answer").click()
    assert is_open(plain_page, answers[2])
    row(plain_page, answers[2]).get_by_text("Show a line of it").click()
    assert not is_open(plain_page, answers[2])
    plain_page.goto(f"/posts/{answers[1]}")
    assert is_open(plain_page, answers[1])
