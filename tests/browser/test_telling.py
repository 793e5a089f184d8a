"""Being told in the browser: the count in the title and on the icon, and the switch that asks only when clicked."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import Forum, watched

pytestmark = pytest.mark.slow

HIDE = """is => {
  Object.defineProperty(document, "hidden", { value: is, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
COUNT_CALLS = """
window.asked = 0;
Notification.requestPermission = async () => { window.asked += 1; return Notification.permission; };
"""


@pytest.fixture
def desk(browser: Browser, forum: Forum) -> Iterator[Page]:
    with watched(browser, forum.url) as (page, watch):
        page.clock.install()
        page.add_init_script(COUNT_CALLS)
        yield page
    assert watch.complaints == []


def test_replies_that_come_while_nobody_looks_are_counted_and_the_count_goes_when_somebody_does(
    desk: Page, forum: Forum
) -> None:
    _, post_id = forum.topic(forum.subforum(), "Is a mirror a backup?")
    forum.answered(post_id)
    desk.goto("/morning")
    title = desk.title()
    with desk.expect_response("**/notifications/news*"):
        desk.evaluate(HIDE, True)
    forum.answered(forum.reply(post_id, "And two mirrors?"))
    desk.wait_for_function("document.hidden")
    with desk.expect_response("**/notifications/news*"):
        desk.clock.run_for(61_000)
    expect(desk).to_have_title(f"(1) {title}")
    assert "/notifications/icon/1.svg" in str(desk.locator("link[rel=icon]").get_attribute("href"))
    desk.evaluate(HIDE, False)
    expect(desk).to_have_title(title)
    assert "favicon" in str(desk.locator("link[rel=icon]").get_attribute("href"))


def test_the_browser_is_asked_only_when_the_button_is_pressed(desk: Page) -> None:
    desk.goto("/notifications")
    button = desk.locator("forllm-telling button")
    assert desk.evaluate("window.asked") == 0
    if desk.evaluate("Notification.permission") == "denied":
        expect(button).to_be_hidden()
        return
    button.click()
    assert desk.evaluate("window.asked") == 1


def test_with_permission_the_switch_turns_on_and_off(browser: Browser, forum: Forum) -> None:
    with watched(browser, forum.url, permissions=["notifications"]) as (page, watch):
        page.goto("/notifications")
        button = page.locator("forllm-telling button")
        if page.evaluate("Notification.permission") == "granted":
            button.click()
            expect(button).to_have_text("Stop notifying me")
            page.reload()
            expect(button).to_have_text("Stop notifying me")
            button.click()
            expect(button).to_have_text("Notify me on the desktop")
        else:
            expect(button).to_be_hidden()
    assert watch.complaints == []
