"""Files in the composer of a real browser: chosen, dropped, pasted, linked to, and there when the tab comes back."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_drafts import field, words
from tests.forum.test_file_kinds import png
from tests.support.browser import Forum, accessibility_faults, is_scrolled_sideways

pytestmark = pytest.mark.slow

#: Lets go of a file over an element, or pastes one into it, as a person would.
GIVE = """(element, [kind, name, type, text]) => {
  const given = new DataTransfer();
  given.items.add(new File([Array.isArray(text) ? new Uint8Array(text) : text], name, { type }));
  const options = { bubbles: true, cancelable: true };
  element.dispatchEvent(kind === "paste" ? new ClipboardEvent(kind, { ...options, clipboardData: given })
    : new DragEvent(kind, { ...options, dataTransfer: given }));
}"""
#: Makes every answer of the server come late.
SLOWLY = """() => {
  const asked = window.fetch;
  window.fetch = (...given) => new Promise((go) => setTimeout(go, 400)).then(() => asked(...given));
}"""


def test_files_are_sent_at_once_kept_with_the_draft_linked_to_and_posted(page: Page, forum: Forum) -> None:
    subforum_id = forum.subforum("Files")
    address = f"/posts/{forum.topic(subforum_id, 'Where is the plan?')[1]}/reply"
    page.goto(address)
    list_of_files = page.locator("[data-list] .file__name")
    page.locator("input[type=file]").set_input_files(
        [
            {"name": "notes.txt", "mimeType": "text/html", "buffer": b"notes"},
            {"name": "empty.txt", "mimeType": "text/plain", "buffer": b""},
        ]
    )
    expect(list_of_files).to_have_text(["notes.txt"])
    expect(page.locator("forllm-files [role=alert]")).to_contain_text("“empty.txt” is empty")
    page.locator("form.form").evaluate(GIVE, ["drop", "plan.svg", "image/svg+xml", "<svg/>"])
    expect(list_of_files).to_have_text(["notes.txt", "plan.svg"])
    expect(words(page)).to_contain_text("Draft saved")
    page.goto(address)
    expect(list_of_files).to_have_text(["notes.txt", "plan.svg"])
    field(page).press_sequentially("See #pla")
    expect(page.locator(".completion__option")).to_have_count(1)
    field(page).press("Enter")
    expect(field(page)).to_have_value("See [plan.svg](/attachments/2/plan.svg) ")
    page.get_by_label("notes.txt").uncheck()
    assert accessibility_faults(page) == []
    assert not is_scrolled_sideways(page)
    page.get_by_role("button", name="Post reply").click()
    expect(page.locator(".post .file")).to_have_count(1)
    with page.expect_download() as download:
        page.locator(".post .file").click()
    assert download.value.suggested_filename == "plan.svg"


def test_a_pasted_picture_stands_in_the_text_and_the_form_waits_for_it(page: Page, forum: Forum) -> None:
    page.goto(f"/posts/{forum.topic(forum.subforum('Pictures'), 'How does it look?')[1]}/reply")
    field(page).press_sequentially("Like this: ")
    page.evaluate(SLOWLY)
    field(page).evaluate(GIVE, ["paste", "image.png", "image/png", list(png())])
    page.get_by_role("button", name="Post reply").click()
    page.wait_for_url("**/topics/*")
    expect(page.locator(".post .file__name")).to_have_text("image.png")
