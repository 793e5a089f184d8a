"""The keyboard alone: from the address line to a posted reply, always seeing where one is."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.browser import Forum, poll_now

pytestmark = pytest.mark.slow

MOST_STEPS = 60
HAS_OUTLINE = """() => {
  const seen = [document.activeElement, document.activeElement.closest(".composer__frame")].filter(Boolean);
  return seen.some(element => {
    const style = getComputedStyle(element);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== "none";
  });
}"""


@pytest.fixture(scope="module")
def topic(forum: Forum) -> tuple[int, int]:
    return forum.topic(forum.subforum(), "By keyboard")


def tab_to(page: Page, target: Locator) -> list[str]:
    """Press Tab until this is focused; what was passed on the way. Each stop must be seen to have the focus."""
    passed: list[str] = []
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if focused.count() == 0:
            continue
        passed.append(focused.evaluate("element => (element.ariaLabel ?? element.textContent).trim()"))
        assert page.evaluate(HAS_OUTLINE), f"no one can see that {passed[-1]!r} has the focus"
        if target.and_(focused).count():
            return passed
    raise AssertionError(f"{target} was not reached: {passed}")


def test_the_first_stop_skips_to_the_content(page: Page, topic: tuple[int, int]) -> None:
    page.goto(f"/topics/{topic[0]}")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("main").locator(":focus")).to_have_count(1)


def test_a_reply_is_written_and_posted(page: Page, topic: tuple[int, int]) -> None:
    page.goto(f"/topics/{topic[0]}")
    passed = tab_to(page, page.get_by_role("link", name="Reply", exact=True))
    assert passed.index("Skip to the content") < passed.index("Queue") < len(passed) - 1
    page.keyboard.press("Enter")
    expect(page.get_by_label("Reply to You")).to_be_focused()
    page.keyboard.type("Typed without a mouse")
    page.keyboard.press("Control+Enter")
    expect(page.locator("article.post .prose", has_text="Typed without a mouse")).to_be_visible()


def test_a_reply_is_posted_before_the_editor_has_come(page: Page, topic: tuple[int, int]) -> None:
    page.route("**/elements/editor.js*", lambda _: None)
    page.goto(f"/topics/{topic[0]}")
    page.locator(f"#post-{topic[1]}").get_by_role("link", name="Reply", exact=True).press("Enter")
    field = page.get_by_label("Reply to You")
    field.press_sequentially("Faster than the script")
    field.press("Control+Enter")
    expect(page.locator("article.post .prose", has_text="Faster than the script")).to_be_visible()


def test_a_question_is_asked(page: Page, topic: tuple[int, int]) -> None:
    page.goto(f"/topics/{topic[0]}")
    tab_to(page, page.get_by_role("link", name="Ask…"))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Who answers")).to_be_focused()
    tab_to(page, page.get_by_role("button", name="Ask", exact=True))
    page.keyboard.press("Enter")
    expect(page.locator("article.post .prose", has_text="Hello, world.")).to_be_visible()


def test_escape_closes_what_was_opened_and_leads_back(page: Page, topic: tuple[int, int]) -> None:
    page.goto(f"/topics/{topic[0]}")
    first = page.locator(f"#post-{topic[1]}")
    reply = first.get_by_role("link", name="Reply", exact=True)
    reply.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Reply to You")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Reply to You")).to_have_count(0)
    expect(reply).to_be_focused()


def test_escape_does_not_throw_away_what_was_written(page: Page, topic: tuple[int, int]) -> None:
    page.goto(f"/topics/{topic[0]}")
    page.locator(f"#post-{topic[1]}").get_by_role("link", name="Reply", exact=True).press("Enter")
    field = page.get_by_label("Reply to You")
    field.fill("Half a thought")
    page.keyboard.press("Escape")
    expect(field).to_have_value("Half a thought")


def test_acts_that_show_on_hover_show_for_the_focus_too(page: Page, forum: Forum, topic: tuple[int, int]) -> None:
    reply_id = forum.reply(topic[1], "A quiet one")
    page.goto(f"/topics/{topic[0]}")
    acts = page.locator(f"#post-{reply_id} .post__acts")
    page.mouse.move(0, 0)
    assert acts.evaluate("acts => getComputedStyle(acts).opacity") == "0"
    acts.get_by_role("link", name="Edit").focus()
    expect(acts).to_have_css("opacity", "1")


def test_the_place_stays_when_news_arrive(page: Page, forum: Forum, topic: tuple[int, int]) -> None:
    page.goto(f"/topics/{topic[0]}")
    link = page.locator(f"#post-{topic[1]}").get_by_role("link", name="Reply", exact=True)
    link.focus()
    forum.reply(topic[1], "News")
    poll_now(page)
    expect(page.get_by_text("News", exact=True)).to_be_visible()
    expect(link).to_be_focused()
