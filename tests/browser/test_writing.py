"""The editor, the theme, and where links lead."""

import re

import pytest
from playwright.sync_api import Browser, Dialog, Page, Route, expect

from tests.support.browser import Forum, watched
from tests.support.scripted_server import Script

pytestmark = pytest.mark.slow

TRAPS = (
    "[shown](javascript:alert(1)) <script>alert(2)</script> <img src=x onerror=alert(3)> ",
    "![cat](https://tracker.example/cat.png) [outside](https://example.org/a?b=c) [inside](/queue)",
)


@pytest.fixture(scope="module")
def subforum_id(forum: Forum) -> int:
    return forum.subforum()


def test_the_preview_is_drawn_by_the_servers_own_renderer(page: Page, subforum_id: int) -> None:
    page.goto(f"/subforums/{subforum_id}/topics/new")
    text = page.get_by_label("First post")
    text.fill("word")
    text.press("Control+a")
    page.get_by_role("button", name="Bold").click()
    expect(text).to_have_value("**word**")
    preview = page.get_by_role("button", name="Preview", exact=True)
    preview.click()
    expect(preview).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-previewed] strong")).to_have_text("word")
    text.fill("`code` <b>not bold</b>")
    expect(page.locator("[data-previewed] code")).to_have_text("code")
    expect(page.locator("[data-previewed] b")).to_have_count(0)
    preview.click()
    expect(page.locator("[data-previewed]")).to_be_hidden()


def test_the_tokens_a_text_takes_stand_beside_it_and_follow_it(page: Page, forum: Forum, subforum_id: int) -> None:
    _, post_id = forum.topic(subforum_id, "How long is this?")
    page.goto(f"/posts/{post_id}/reply")
    text = page.get_by_label("Reply to You")
    estimate = page.locator("[data-estimate]")
    expect(estimate).to_be_empty()
    text.fill("A few words")
    expect(estimate).to_contain_text(re.compile(r"\d+ of 4,096 tokens for Assistant on night-writer"))
    before = estimate.text_content()
    text.fill("A few words " * 100)
    expect(estimate).not_to_have_text(before or "")
    text.fill("word " * 6000)
    expect(estimate).to_contain_text("4,096")
    expect(estimate.locator(".state--bad")).to_be_visible()


def test_leaving_with_a_text_that_is_kept_nowhere_is_asked_about_first(
    browser: Browser, forum: Forum, subforum_id: int
) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    with watched(browser, forum.url) as (page, _):
        page.goto(f"/subforums/{subforum_id}/topics/new")
        page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full') } }")
        page.route("**/drafts", lambda route: route.abort())
        page.get_by_label("First post").press_sequentially("Unsent")
        expect(page.locator("[data-draft-words]")).to_have_text("Not saved")
        page.once("dialog", stay)
        page.close(run_before_unload=True)
        expect(page.get_by_label("First post")).to_have_value("Unsent")
    assert asked == ["beforeunload"]


def test_a_text_of_a_model_can_neither_run_nor_load_anything(page: Page, forum: Forum, subforum_id: int) -> None:
    forum.models.script(Script(tokens=TRAPS))
    topic_id, post_id = forum.topic(subforum_id, "Traps")
    reply_id = forum.answered(post_id)
    page.goto(f"/topics/{topic_id}")
    text = page.locator(f"#post-{reply_id} .prose")
    expect(text).to_contain_text("shown")
    expect(text.locator("img, script, [onerror], [href^='javascript:' i]")).to_have_count(0)
    expect(text.get_by_role("link", name="cat")).to_be_visible()
    for link in text.get_by_role("link").all():
        if "link--external" in (link.get_attribute("class") or ""):
            assert {"noopener", "noreferrer", "nofollow"} <= set((link.get_attribute("rel") or "").split())
    expect(text.get_by_role("link", name="inside")).to_have_attribute("href", "/queue")


def test_a_models_link_is_shown_in_full_before_it_is_followed(page: Page, forum: Forum, subforum_id: int) -> None:
    forum.models.script(Script(tokens=TRAPS))
    topic_id, post_id = forum.topic(subforum_id, "A link")
    reply_id = forum.answered(post_id)
    page.goto(f"/topics/{topic_id}")
    page.locator(f"#post-{reply_id}").get_by_role("link", name="outside").click()
    expect(page.get_by_role("main")).to_contain_text("https://example.org/a?b=c")
    assert page.url.startswith(forum.url)


@pytest.mark.parametrize(("theme", "scheme"), [("dark", "light"), ("light", "dark")])
def test_the_theme_of_the_settings_outranks_the_systems(
    browser: Browser, forum: Forum, theme: str, scheme: str
) -> None:
    with watched(browser, forum.url, color_scheme=scheme) as (page, watch):
        page.goto("/settings")
        ground = "getComputedStyle(document.body).backgroundColor"
        page.locator("input[name=theme][value=auto]").check(force=True)
        page.get_by_role("button", name="Save").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "auto")
        before = page.evaluate(ground)
        page.locator(f"input[name=theme][value={theme}]").check(force=True)
        page.get_by_role("button", name="Save").click()
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        assert page.evaluate(ground) != before
        page.locator("input[name=theme][value=auto]").check(force=True)
        page.get_by_role("button", name="Save").click()
        assert page.evaluate(ground) == before
    assert watch.complaints == []


def test_no_page_can_reach_out_even_if_its_text_tries(browser: Browser, forum: Forum, subforum_id: int) -> None:
    topic_id, _ = forum.topic(subforum_id, "Reaching out", " ".join(TRAPS))
    asked: list[str] = []

    def let_through(route: Route) -> None:
        asked.append(route.request.url)
        route.continue_()

    with watched(browser, forum.url) as (page, _):
        page.context.route("**/*", let_through)
        for path in (f"/topics/{topic_id}", f"/subforums/{subforum_id}/topics/new", "/api/docs"):
            page.goto(path, wait_until="networkidle")
    assert asked
    assert [url for url in asked if not url.startswith((forum.url + "/", "data:"))] == []
