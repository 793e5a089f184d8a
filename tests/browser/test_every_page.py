"""Every page at a desk by night and on a phone by day: a checker's findings, its width, what touches it, its policy."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.furniture import Furnished, furnish
from tests.support.browser import (
    DESK,
    PHONE,
    Forum,
    Watch,
    accessibility_faults,
    is_scrolled_sideways,
    watched,
)

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

SIGHTS: dict[str, dict[str, Any]] = {
    "desk by night": {"viewport": DESK, "color_scheme": "dark"},
    "phone by day": {"viewport": PHONE, "color_scheme": "light", "has_touch": True, "is_mobile": True},
}
PATHS = (
    "/morning", "/notifications", "/notifications/channels/new?kind=email",
    "/hooks", "/hooks/new", "/hooks/new?kind=webhook", "/hooks/1", "/hooks/1/delete", "/hooks/calls/1",
    "/", "/subforums", "/subforums/new", "/subforums/{subforum_id}", "/subforums/{subforum_id}/edit",
    "/subforums/{subforum_id}/personas", "/subforums/{subforum_id}/topics/new",
    "/topics/{typical_id}", "/topics/{typical_id}/edit", "/topics/{long_id}", "/topics/{deep_id}",
    "/topics/{deep_id}?branch={deepest_id}", "/topics/{harsh_id}",
    "/posts/{reply_id}/reply", "/posts/{reply_id}/ask", "/posts/{edited_id}/edit", "/posts/{edited_id}/history",
    "/topics/{deep_id}/summaries", "/posts/{post_id}/summarise", "/summaries/{summary_id}",
    "/summaries/{summary_id}/versions/1", "/summaries/{summary_id}/edit",
    "/posts/{reply_id}/answers", "/posts/{reply_id}/ask-again",
    "/posts/{edited_id}/delete", "/posts/{reply_id}/details", "/posts/{reply_id}/bookmark", "/bookmarks", "/unread",
    "/activity",
    "/topics/{typical_id}?view=flat", "/topics/{typical_id}/note",
    "/topics", "/topics?show=awaiting", "/tags", "/topics/{typical_id}/merge", "/posts/{reply_id}/split",
    "/queue", "/queue?show=failed", "/queue?show=done", "/queue/{waiting_id}", "/queue/{succeeded_id}",
    "/queue/{failed_id}", "/queue/history", "/queue/history?text=night", "/queue?backend_id=2&first=2", "/workers",
    "/personas", "/personas/new", "/personas/import", "/personas/drafts/new", "/personas/drafts",
    "/personas/{persona_id}", "/personas/{persona_id}/edit",
    "/personas/{persona_id}/versions/1", "/personas/{persona_id}/comparison", "/personas/{persona_id}/delete",
    "/schedule", "/schedule/windows/{window_id}",
    "/backends", "/backends/offers", "/backends/new", "/backends/1", "/backends/2", "/backends/2/edit",
    "/backends/2/delete", "/settings", "/theme", "/keys", "/trash", "/trash/erase", "/nowhere",
    "/drafts", "/writing/guide", "/votes", "/leaderboard", "/leaderboard/judge",
    "/batches", "/batches/new", "/batches/{batch_id}", "/batches/{batch_id}?show=failed", "/batches/{batch_id}/delete",
    "/discussions", "/discussions/{council_id}", "/discussions/{debate_id}", "/posts/{reply_id}/debate",
    "/posts/{post_id}/council", "/topics/{council_topic_id}", "/topics/{council_topic_id}/automatic-replies",
    "/experiments", "/experiments/new", "/experiments/new?subforum_id={subforum_id}", "/experiments/{experiment_id}",
    "/experiments/{experiment_id}/pairs/1", "/experiments/{experiment_id}/delete",
    "/search", "/search?q=machine+OR+mirror", "/search?q=bakcup+miror", "/search?q=colour:red+persona:nobody",
    "/search?q=is:unanswered&sort=newest",
)  # fmt: skip
#: A form, and what is wrong in it.
WRONG = (
    ("/subforums/{subforum_id}/topics/new", {"title": ""}),
    ("/posts/{reply_id}/reply", {"content": ""}),
    ("/personas/new", {"name": "", "temperature": "hot"}),
    ("/personas/drafts/new", {"description": "", "count": "99"}),
    ("/backends/new", {"name": "Attic", "base_url": "gopher://127.0.0.1"}),
    ("/schedule/windows/{window_id}", {"start_minute": "half past ten"}),
    ("/batches/new", {"template": "Why?", "title": "Towns", "text": "Graz"}),
    ("/posts/{reply_id}/debate", {"turns": "0"}),
    ("/summaries/{summary_id}/edit", {"content": " "}),
    ("/experiments/new", {"tag": "no such tag", "name": "Again"}),
    ("/settings", {"posts_per_page": "many"}),
    ("/hooks/new", {"name": "Mine", "command": 'say "half'}),
)

#: Controls that stand by themselves and are too low for a finger, in CSS pixels.
TOO_LOW = """least => Array.from(document.querySelectorAll("button, .button, .act, select, input:not([type=hidden])"))
  .filter(control => control.checkVisibility() && !control.closest("[hidden], .for-readers"))
  .map(control => [control.closest("label") ?? control, control])
  .filter(([target]) => target.getBoundingClientRect().height < least)
  .map(([target, control]) => `${Math.round(target.getBoundingClientRect().height)} px: ${control.outerHTML}`)"""
LEAST_FOR_A_FINGER = 40


@pytest.fixture(scope="module")
def furnished(forum: Forum) -> Furnished:
    return furnish(forum)


@pytest.fixture(scope="module", params=list(SIGHTS))
def sight(request: pytest.FixtureRequest, browser: Browser, forum: Forum) -> Iterator[tuple[Page, Watch]]:
    with watched(browser, forum.url, **SIGHTS[request.param]) as seen:
        yield seen


def faults_of(page: Page, watch: Watch) -> list[str]:
    """All that is wrong with the page as it stands."""
    faults = [*watch.complaints, *accessibility_faults(page)]
    watch.complaints.clear()
    if is_scrolled_sideways(page):
        faults.append("it can be scrolled sideways")
    if page.evaluate("matchMedia('(pointer: coarse)').matches"):
        faults += page.evaluate(TOO_LOW, LEAST_FOR_A_FINGER)
    return faults


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_accessible_fits_and_keeps_the_policy(
    sight: tuple[Page, Watch], furnished: Furnished, path: str
) -> None:
    page, watch = sight
    page.goto(path.format(**vars(furnished)))
    assert faults_of(page, watch) == []


@pytest.mark.parametrize(("path", "wrong"), WRONG)
def test_a_form_with_an_error_is_accessible_and_fits(
    sight: tuple[Page, Watch], furnished: Furnished, path: str, wrong: dict[str, str]
) -> None:
    page, watch = sight
    page.goto(path.format(**vars(furnished)))
    for name, value in wrong.items():
        page.locator(f"main [name={name}]").fill(value)
    form = page.locator("main form", has=page.locator(f"[name={next(iter(wrong))}]")).first
    form.evaluate("form => { form.noValidate = true }")
    form.locator(".button--lamp").first.click()
    expect(page.locator("[aria-invalid=true]").first).to_be_visible()
    assert faults_of(page, watch) == []


def test_what_is_opened_in_a_thread_is_accessible_and_fits(sight: tuple[Page, Watch], furnished: Furnished) -> None:
    page, watch = sight
    page.goto(f"/topics/{furnished.typical_id}")
    row = page.locator(f"#post-{furnished.reply_id}")
    row.get_by_role("link", name="Reply", exact=True).click()
    page.get_by_text("Ask for a reply to this").click()
    page.get_by_label("Reply to Assistant").fill("**Why?**")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("[data-previewed] strong")).to_be_visible()
    expect(page.locator("[data-estimate]")).to_contain_text("tokens")
    assert faults_of(page, watch) == []


def test_the_page_of_the_api_keeps_the_policy(sight: tuple[Page, Watch]) -> None:
    page, watch = sight
    page.goto("/api/docs")
    expect(page.locator(".opblock-tag").first).to_be_visible()
    page.locator(".opblock-summary-control").first.click()
    expect(page.locator(".opblock-body").first).to_be_visible()
    assert watch.complaints == []
