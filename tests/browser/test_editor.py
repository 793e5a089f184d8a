"""The editor: keys, views, full screen, counts, calling a persona, quoting what is selected."""

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import PHONE, Forum, accessibility_faults, is_scrolled_sideways, watched

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def subforum_id(forum: Forum) -> int:
    for name in ("Careful Skeptic", "Teacher"):
        forum.api("POST", "personas", {"name": name, "instructions": "Answer."})
    return forum.subforum("Editor")


@pytest.fixture
def post_id(forum: Forum, subforum_id: int) -> int:
    return forum.topic(subforum_id, "Which one?", "The first of **two** sentences. The second.")[1]


@pytest.fixture
def text(page: Page, post_id: int) -> Locator:
    page.goto(f"/posts/{post_id}/reply")
    return page.locator("textarea[name=content]")


@pytest.mark.parametrize(
    ("keys", "result"),
    [
        ("Control+b", "**word**"),
        pytest.param("Control+i", "_word_", marks=pytest.mark.thorough),
        pytest.param("Control+e", "`word`", marks=pytest.mark.thorough),
        ("Control+k", "[word](url)"),
        ("Control+Shift+8", "- word"),
        pytest.param("Control+Shift+7", "1. word", marks=pytest.mark.thorough),
        pytest.param("Control+Shift+l", "- [ ] word", marks=pytest.mark.thorough),
        ("Control+Shift+Period", "> word"),
        pytest.param("Control+Alt+h", "### word", marks=pytest.mark.thorough),
    ],
)
def test_each_tool_has_a_key(text: Locator, keys: str, result: str) -> None:
    text.fill("word")
    text.press("Control+a")
    text.press(keys)
    expect(text).to_have_value(result)


def test_a_table_is_put_in_below_what_stands_there(page: Page, text: Locator) -> None:
    text.fill("Before")
    page.get_by_role("button", name="Table").click()
    expect(text).to_have_value("Before\n\n| Column | Column |\n| --- | --- |\n|  |  |\n")
    text.press("Control+z")
    expect(text).to_have_value("Before")


def test_tab_moves_on_through_the_editor_and_out_of_it(page: Page, text: Locator) -> None:
    text.focus()
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('textarea')") is False


def test_words_are_counted_and_the_preview_stands_beside(page: Page, text: Locator) -> None:
    text.fill("It's **well-made**, isn't it?\nYes.")
    expect(page.locator("[data-count]")).to_have_text("5 words · 2 lines")
    page.get_by_role("button", name="Side by side").click()
    preview = page.locator("[data-previewed]")
    expect(preview.locator("strong")).to_have_text("well-made")
    typed, shown = text.bounding_box(), preview.bounding_box()
    assert typed
    assert shown
    assert shown["x"] > typed["x"] + 200
    page.get_by_role("button", name="Preview", exact=True).click()
    expect(preview).to_be_hidden()


def test_the_full_screen_is_left_by_escape_and_holds_the_focus(page: Page, text: Locator) -> None:
    text.fill("Long thoughts")
    page.get_by_role("button", name="Full screen").click()
    box = page.locator("forllm-editor").bounding_box()
    assert box
    assert (box["width"], box["height"]) == (1280, 900)
    assert accessibility_faults(page) == []
    expect(text).to_be_focused()
    assert page.evaluate("document.querySelector('.rail')?.inert") is True
    page.keyboard.press("Escape")
    assert page.evaluate("document.querySelector('.rail')?.inert") is False
    expect(text).to_have_value("Long thoughts")


def test_a_persona_is_called_by_keyboard_and_asked(page: Page, text: Locator) -> None:
    text.press_sequentially("What do you say, @")
    options = page.locator(".completion").get_by_role("option")
    expect(options).to_have_count(3)
    text.press_sequentially("te")
    expect(options).to_have_count(1)
    text.press("Backspace")
    text.press("Backspace")
    expect(options).to_have_count(3)
    assert accessibility_faults(page) == []
    text.press("ArrowDown")
    chosen = page.locator("[role=option][aria-selected=true]")
    assert text.get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    text.press("Escape")
    expect(options.first).to_be_hidden()
    text.press_sequentially("ca")
    expect(options).to_have_count(1)
    expect(options.first).to_contain_text("Careful Skeptic")
    text.press("Enter")
    expect(text).to_have_value("What do you say, @careful-skeptic ")
    expect(page.locator("[data-estimate]")).to_contain_text("tokens for Careful Skeptic")
    page.get_by_role("button", name="Post reply").click()
    expect(page.get_by_text("Queued: the reply")).to_be_visible()


def test_tab_leaves_the_offers_alone(page: Page, text: Locator) -> None:
    text.press_sequentially("@te")
    options = page.locator(".completion").get_by_role("option")
    expect(options).to_have_count(1)
    text.press("Tab")
    expect(options).to_have_count(0)
    expect(text).to_have_value("@te")


def test_a_selection_is_quoted_with_who_said_it_and_where(page: Page, forum: Forum, post_id: int) -> None:
    topic_id = forum.api("GET", f"posts/{post_id}")["topic_id"]
    page.goto(f"/topics/{topic_id}")
    select(page, post_id)
    page.locator(".quoting").click()
    text = page.locator(".post__slot textarea[name=content]")
    quote = f"> **You** [#{post_id}](/posts/{post_id}):\n>\n> The first of two sentences. The second.\n\n"
    expect(text).to_have_value(quote)
    select(page, post_id)
    page.locator(".quoting").click()
    expect(text).to_have_value(quote + quote)


def test_without_scripts_a_link_quotes_the_whole_post(plain_page: Page, post_id: int) -> None:
    plain_page.goto(f"/posts/{post_id}/reply")
    plain_page.get_by_role("link", name="Quote the post").click()
    expected = f"> **You** [#{post_id}](/posts/{post_id}):\n>\n> The first of **two** sentences. The second.\n\n"
    expect(plain_page.locator("textarea[name=content]")).to_have_value(expected)


def test_two_tabs_that_edit_one_post_see_both_texts(browser: Browser, forum: Forum, post_id: int) -> None:
    for viewport in ({"width": 1280, "height": 900}, PHONE):
        with watched(browser, forum.url, viewport=viewport) as (page, watch):
            page.goto(f"/posts/{post_id}/edit")
            forum.api("PATCH", f"posts/{post_id}", {"content": f"Saved meanwhile at {viewport['width']}"})
            page.locator("textarea[name=content]").fill("Typed here")
            page.get_by_role("button", name="Save", exact=True).click()
            expect(page.get_by_role("heading", name="What was saved meanwhile")).to_be_visible()
            expect(page.locator("textarea[name=content]")).to_have_value("Typed here")
            assert accessibility_faults(page) == []
            assert not is_scrolled_sideways(page)
            sides = page.locator(".diff__hunk").last.locator(".diff__side")
            first, second = (sides.nth(number).bounding_box() for number in (0, 1))
            assert first
            assert second
            assert (second["x"] > first["x"]) is (viewport["width"] > 1000)
            page.get_by_role("button", name="Save your text over it").click()
            expect(page.locator(".post__body", has_text="Typed here").first).to_be_visible()
        # The refusal is an answer with its own status, which the console tells.
        assert [complaint for complaint in watch.complaints if "409" not in complaint] == []


def select(page: Page, post_id: int) -> None:
    page.evaluate(
        """(id) => {
          const range = document.createRange();
          range.selectNodeContents(document.querySelector(`#post-${id} .post__body p`));
          const selection = getSelection();
          selection.removeAllRanges();
          selection.addRange(range);
        }""",
        post_id,
    )
