"""Asking, watching the answer grow, and reading on undisturbed."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Forum, poll_now
from tests.support.scripted_server import Script

pytestmark = pytest.mark.slow

WORDS = ("A mirror ", "repeats ", "every mistake ", "within the hour.")


@pytest.fixture
def gate(forum: Forum) -> Iterator[None]:
    """The model stops before each token until `let` lets it on."""
    forum.models.gate.clear()
    yield
    forum.models.gate.set()


@pytest.fixture(scope="module")
def subforum_id(forum: Forum) -> int:
    return forum.subforum()


def long_thread(forum: Forum, subforum_id: int) -> tuple[int, list[int]]:
    """A topic of many screens: its id, and those of its replies."""
    topic_id, first_id = forum.topic(subforum_id, "A long evening")
    replies = [forum.reply(first_id, f"Remark {number}\n\nand why\n\nand what then") for number in range(25)]
    return topic_id, replies


def top_of(page: Page, post_id: int) -> float:
    found = page.locator(f"#post-{post_id}").bounding_box()
    assert found is not None
    return found["y"]


@pytest.mark.usefixtures("gate")
def test_a_question_in_a_new_subforum_is_answered_before_ones_eyes(forum: Forum, page: Page) -> None:
    forum.models.script(Script(tokens=WORDS, delay=1.5))
    page.goto("/")
    page.get_by_role("link", name="New subforum").first.click()
    page.get_by_label("Name").fill("Home server")
    page.get_by_label("Description").fill("What runs in the cellar")
    page.get_by_role("button", name="Make subforum").click()
    page.get_by_role("link", name="New topic").first.click()
    page.get_by_label("Title").fill("Is a mirror a backup?")
    page.get_by_label("First post").fill("It has run for **a year**.")
    page.get_by_role("button", name="Open topic").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Is a mirror a backup?")
    page.evaluate("window.isTheSamePage = true")
    expect(page.locator("article.post--running")).to_be_visible()
    forum.models.gate.set()
    growing = page.locator(".pending__text--writing")
    expect(growing).to_contain_text(WORDS[0].strip())
    expect(page.locator("article.post .prose", has_text="".join(WORDS))).to_be_visible()
    expect(page.locator("article[data-pending]")).to_have_count(0)
    assert page.evaluate("window.isTheSamePage") is True
    assert page.evaluate("document.activeElement === document.body")


def test_a_growing_text_neither_moves_what_is_read_nor_takes_the_focus(
    forum: Forum, page: Page, subforum_id: int
) -> None:
    topic_id, replies = long_thread(forum, subforum_id)
    asked_id = replies[2]
    forum.models.script(Script(tokens=tuple(f"Line {number} of the answer.\n\n" for number in range(12)), delay=0.15))
    page.goto(f"/topics/{topic_id}")
    read = page.locator(f"#post-{replies[15]}")
    read.evaluate("row => row.scrollIntoView({behavior: 'instant'})")
    link = read.get_by_role("link", name="Edit")
    link.evaluate("link => link.focus({preventScroll: true})")
    before = top_of(page, replies[15])
    llm_request_id = forum.ask(asked_id)
    poll_now(page)
    expect(page.locator("article[data-pending]")).to_have_count(1)
    tops = [top_of(page, replies[15])]
    forum.wait_for_status(llm_request_id, "succeeded")
    expect(page.get_by_role("button", name="1 new reply")).to_be_visible()
    tops.append(top_of(page, replies[15]))
    assert all(abs(top - before) < 2 for top in tops), (before, tops)
    expect(link).to_be_focused()
    announcer = page.locator("[data-announcements]")
    expect(announcer).to_have_attribute("aria-live", "polite")
    expect(announcer).to_have_text("1 new reply")


def test_replies_above_are_offered_and_the_offer_leads_to_them(forum: Forum, page: Page, subforum_id: int) -> None:
    topic_id, replies = long_thread(forum, subforum_id)
    page.goto(f"/topics/{topic_id}")
    page.locator(f"#post-{replies[20]}").evaluate("row => row.scrollIntoView({behavior: 'instant'})")
    before = top_of(page, replies[20])
    first_new = forum.reply(replies[0], "A late thought")
    forum.reply(replies[1], "And another")
    poll_now(page)
    offer = page.get_by_role("button", name="2 new replies")
    expect(offer).to_be_visible()
    assert abs(top_of(page, replies[20]) - before) < 2
    forum.reply(replies[3], "A third")
    poll_now(page)
    offer = page.get_by_role("button", name="3 new replies")
    offer.click()
    expect(page.locator(f"#post-{first_new}")).to_be_in_viewport()
    expect(offer).to_have_count(0)


@pytest.mark.usefixtures("gate")
def test_while_a_reply_is_being_written_the_one_half_typed_stays(forum: Forum, page: Page, subforum_id: int) -> None:
    topic_id, first_id = forum.topic(subforum_id, "Two write at once")
    forum.models.script(Script(tokens=WORDS, delay=0.2))
    page.goto(f"/topics/{topic_id}")
    page.locator(f"#post-{first_id}").get_by_role("link", name="Reply", exact=True).click()
    field = page.get_by_label("Reply to You")
    expect(field).to_be_focused()
    field.fill("Half a thought")
    forum.ask(first_id)
    poll_now(page)
    forum.models.gate.set()
    expect(page.locator("article.post .prose", has_text="".join(WORDS))).to_be_visible()
    expect(field).to_have_value("Half a thought")
    expect(field).to_be_focused()


@pytest.mark.usefixtures("gate")
def test_a_reply_being_written_is_called_off_in_its_place(forum: Forum, page: Page, subforum_id: int) -> None:
    topic_id, first_id = forum.topic(subforum_id, "Never mind")
    forum.models.hung_up.clear()
    forum.models.asked.clear()
    forum.ask(first_id)
    page.goto(f"/topics/{topic_id}")
    expect(page.locator(".post--running")).to_be_visible()
    page.evaluate("window.isTheSamePage = true")
    page.locator("article[data-pending]").get_by_role("button", name="Cancel").click()
    expect(page.locator("article[data-pending] .state", has_text="cancelled")).to_be_visible()
    assert page.evaluate("window.isTheSamePage") is True
    assert forum.models.hung_up.wait(10), "the model server was not told"


def test_a_question_that_failed_says_why_and_is_tried_again_in_its_place(
    forum: Forum, page: Page, subforum_id: int
) -> None:
    topic_id, first_id = forum.topic(subforum_id, "A question for a bigger model", "word " * 6000)
    llm_request_id = forum.ask(first_id)
    forum.wait_for_status(llm_request_id, "failed")
    page.goto(f"/topics/{topic_id}")
    pending = page.locator("article[data-pending]")
    expect(pending).to_contain_text("4,096")
    expect(pending.get_by_role("link", name="Ask another model")).to_be_visible()
    forum.api("PATCH", f"posts/{first_id}", {"content": "Shorter.", "expected_version": 1})
    page.reload()
    pending.get_by_role("button", name="Try again").click()
    expect(page.locator("article.post .prose", has_text="Hello, world.")).to_be_visible()
