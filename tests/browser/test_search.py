"""Searching in a real browser: as one types, by key, and in another order."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Forum

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def shelf(forum: Forum) -> None:
    subforum_id = forum.subforum("Homelab")
    forum.topic(subforum_id, "Is a mirror a backup?", "I have two disks.")
    forum.topic(subforum_id, "Tomatoes", "They grow.")


def test_results_come_as_one_types_when_that_is_switched_on_and_stay_switched_on(page: Page) -> None:
    page.goto("/search")
    box = page.locator("main").get_by_role("searchbox")
    box.press_sequentially("mirr")
    expect(page.locator(".found")).to_have_count(0)
    page.get_by_label("Results as I type").check()
    expect(page.locator(".found .row__title")).to_have_text(["Is a mirror a backup?"])
    expect(page.locator("[data-announcements]")).to_have_text("1 post found best first")
    page.goto("/search")
    box.press_sequentially("tomat")
    expect(page.locator(".found .row__title")).to_have_text(["Tomatoes"])
    expect(box).to_be_focused()


def test_the_key_leads_into_the_box_and_the_order_can_be_changed(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("mirror")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=mirror")
    page.get_by_role("radio", name="Newest first").check()
    page.wait_for_url("**/search?q=mirror&sort=newest")
    expect(page.locator("main").get_by_role("searchbox")).to_have_value("mirror")
    expect(page.locator("mark")).to_have_text(["mirror"])


def test_searching_needs_no_script(plain_page: Page) -> None:
    plain_page.goto("/")
    plain_page.get_by_role("searchbox", name="Search").fill("bakcup")
    plain_page.get_by_role("searchbox", name="Search").press("Enter")
    plain_page.get_by_role("link", name="backup", exact=True).click()
    expect(plain_page.locator(".found .row__title")).to_have_text(["Is a mirror a backup?"])
    expect(plain_page.get_by_label("Results as I type")).to_be_hidden()
