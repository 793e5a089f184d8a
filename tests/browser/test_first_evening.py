"""A forum as it is after the very first start: nothing in it, and no model but the one that ships."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import DESK, PHONE, accessibility_faults, is_scrolled_sideways, watched
from tests.support.processes import ForllmProcess

pytestmark = pytest.mark.slow

#: Enough to see it grow; the tiny model writes some twenty tokens a second on a small machine.
LONGEST_REPLY = 48


@pytest.fixture(scope="module")
def serve(folder: Path) -> Iterator[ForllmProcess]:
    with ForllmProcess("serve", folder / "data", "--port", "0", log=folder / "serve.log") as serve:
        serve.wait_until_open()
        serve.api("PATCH", "/api/v1/settings", {"reply_max_tokens": LONGEST_REPLY})
        yield serve


@pytest.fixture
def fresh_page(browser: Browser, serve: ForllmProcess) -> Iterator[Page]:
    with watched(browser, serve.url) as (page, watch):
        yield page
    assert watch.complaints == []


@pytest.mark.parametrize("path", ["/", "/subforums", "/queue", "/queue?show=failed", "/schedule", "/trash"])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_an_empty_page_is_accessible_fits_and_says_what_to_do(fresh_page: Page, path: str, scheme: str) -> None:
    page = fresh_page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(path)
    assert accessibility_faults(page) == []
    for size in (DESK, PHONE):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        assert not is_scrolled_sideways(page)


def test_the_first_question_is_answered_by_the_model_that_ships(fresh_page: Page) -> None:
    page = fresh_page
    page.goto("/")
    page.get_by_role("main").get_by_role("link", name="New subforum").click()
    page.get_by_label("Name").fill("First evening")
    page.get_by_role("button", name="Make subforum").click()
    page.get_by_role("link", name="New topic").first.click()
    expect(page.get_by_text("The embedded model is tiny")).to_be_visible()
    page.get_by_label("Title").fill("Hello?")
    page.get_by_label("First post").fill("Tell me a very short story about a lamp.")
    page.get_by_role("button", name="Open topic").click()
    page.evaluate("window.isTheSamePage = true")
    reply = page.locator("article.post:not(.post--pending)", has=page.get_by_role("heading", name="Assistant"))
    expect(reply.locator(".prose")).not_to_be_empty(timeout=60_000)
    expect(page.locator("article.post--pending")).to_have_count(0)
    assert page.evaluate("window.isTheSamePage") is True
