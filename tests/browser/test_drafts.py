"""What is typed survives: a closed tab, a server that is away, a session that is over, and a second tab."""

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.support.browser import PHONE, Forum, accessibility_faults, is_scrolled_sideways, watched

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def subforum_id(forum: Forum) -> int:
    return forum.subforum("Drafts")


@pytest.fixture
def form(forum: Forum, subforum_id: int) -> str:
    """The address of the form of a reply to a new post."""
    return f"/posts/{forum.topic(subforum_id, 'What now?')[1]}/reply"


def field(page: Page) -> Locator:
    return page.locator("textarea[name=content]")


def words(page: Page) -> Locator:
    return page.locator("[data-draft-words]")


def test_a_text_is_saved_by_itself_and_stands_there_again(page: Page, form: str, forum: Forum) -> None:
    page.goto(form)
    field(page).press_sequentially("Half a thought")
    expect(words(page)).to_contain_text("Draft saved")
    assert [draft["content"] for draft in forum.api("GET", "drafts")["items"]][:1] == ["Half a thought"]
    with watched(_browser(page), forum.url) as (other, _):
        other.goto(form)
        expect(field(other)).to_have_value("Half a thought")
        expect(other.locator(".draft__line").first).to_contain_text("restored")
    page.get_by_role("button", name="Post reply").click()
    expect(page.get_by_text("Half a thought")).to_be_visible()
    page.goto(form)
    expect(field(page)).to_have_value("")
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('forllm:draft:'))") == []


def test_a_closed_tab_loses_nothing_even_when_the_server_is_away(page: Page, form: str) -> None:
    def away(route: Route) -> None:
        route.abort()

    page.route("**/drafts", away)
    page.goto(form)
    field(page).press_sequentially("Not yet on the server")
    context = page.context
    page.evaluate("window.dispatchEvent(new PageTransitionEvent('pagehide'))")
    again = context.new_page()
    page.close(run_before_unload=False)
    again.goto(form)
    expect(field(again)).to_have_value("Not yet on the server")


def test_a_session_that_is_over_is_renewed_and_the_text_sent(browser: Browser, form: str, forum: Forum) -> None:
    with watched(browser, forum.url) as (page, watch):
        page.goto(form)
        page.context.clear_cookies()
        with page.expect_response(lambda answer: answer.url.endswith("/drafts") and answer.status == 200):
            field(page).press_sequentially("After the session")
        expect(words(page)).to_contain_text("Draft saved")
        page.get_by_role("button", name="Post reply").click()
        expect(page.locator("article", has_text="After the session")).to_be_visible()
    # The first tries are refused; the console tells of those and of nothing else.
    assert [complaint for complaint in watch.complaints if "400 (BAD REQUEST)" not in complaint] == []


def test_a_second_tab_is_told_and_neither_loses_a_word(page: Page, form: str, forum: Forum) -> None:
    page.goto(form)
    field(page).press_sequentially("From the first tab")
    expect(words(page)).to_contain_text("Draft saved")
    second = page.context.new_page()
    second.goto(form)
    expect(second.locator("[data-elsewhere]")).to_be_visible()
    expect(page.locator("[data-elsewhere]")).to_be_visible()
    field(second).fill("From the second tab")
    expect(words(second)).to_contain_text("Draft saved")
    with page.expect_response(lambda answer: answer.url.endswith("/drafts")) as answer:
        field(page).press_sequentially(", and on")
    assert "data-is-beside" in answer.value.text()
    kept = {draft["content"] for draft in forum.api("GET", "drafts")["items"]}
    assert {"From the first tab, and on", "From the second tab"} <= kept


def test_a_broken_or_old_copy_in_the_browser_is_shown_for_its_text(page: Page, form: str) -> None:
    page.goto(form)
    place = page.locator("forllm-draft").get_attribute("data-place")
    page.evaluate("(key) => localStorage.setItem(key, '{broken')", f"forllm:draft:{place}:aaaaaaaaaaaaaaaa")
    page.reload()
    expect(field(page)).to_have_value("{broken")


def test_over_a_posts_text_the_copy_is_offered_and_can_be_taken(page: Page, form: str) -> None:
    edit = form.replace("/reply", "/edit")
    page.goto(edit)
    place = page.locator("forllm-draft").get_attribute("data-place")
    old = '{"format": 99, "savedAt": "2026-11-20T21:00:00Z", "content": "An older try", "fields": [[]]}'
    page.evaluate("([key, text]) => localStorage.setItem(key, text)", [f"forllm:draft:{place}:aaaaaaaaaaaaaaaa", old])
    page.reload()
    expect(field(page)).to_have_value("What do you think?")
    page.locator("[data-local]").get_by_role("button", name="Restore").click()
    expect(field(page)).to_have_value("An older try")


def test_discarding_takes_the_browsers_copy_along_and_can_be_undone(page: Page, form: str) -> None:
    page.goto(form)
    field(page).press_sequentially("Doubtful")
    expect(words(page)).to_contain_text("Draft saved")
    page.goto(form)
    page.get_by_role("button", name="Discard it").click()
    expect(field(page)).to_have_value("")
    page.get_by_role("button", name="Undo").click()
    expect(field(page)).to_have_value("Doubtful")


def test_without_scripts_the_button_saves(plain_page: Page, form: str) -> None:
    plain_page.goto(form)
    field(plain_page).fill("By hand")
    plain_page.get_by_role("button", name="Save draft").click()
    expect(plain_page.get_by_text("The draft is saved")).to_be_visible()
    expect(field(plain_page)).to_have_value("By hand")


@pytest.mark.parametrize("scheme", ["dark", pytest.param("light", marks=pytest.mark.thorough)])
def test_forms_with_drafts_pass_the_checker_at_both_widths(
    browser: Browser, forum: Forum, form: str, scheme: str
) -> None:
    for viewport in ({"width": 1280, "height": 900}, PHONE):
        with watched(browser, forum.url, viewport=viewport, color_scheme=scheme) as (page, watch):
            page.goto(form)
            field(page).fill(f"Something kept at {viewport['width']}")
            expect(words(page)).to_contain_text("Draft saved")
            for path in (form, "/drafts", "/writing/guide"):
                page.goto(path)
                assert accessibility_faults(page) == [], path
                assert not is_scrolled_sideways(page), path
        assert watch.complaints == []


def _browser(page: Page) -> Browser:
    found = page.context.browser
    assert found is not None
    return found
