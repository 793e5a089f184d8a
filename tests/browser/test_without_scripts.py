"""Everything with JavaScript switched off: links and forms alone."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Forum
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def subforum_id(forum: Forum) -> int:
    return forum.subforum()


def post_with_text(page: Page, text: str) -> str:
    """The selector of the post that says this."""
    return f"#{page.locator('article.post', has=page.locator('.prose', has_text=text)).get_attribute('id')}"


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_a_topic_is_opened_answered_and_read(forum: Forum, plain_page: Page) -> None:
    page = plain_page
    page.goto("/subforums/new")
    page.get_by_label("Name").fill("Plain")
    press(page, "Make subforum")
    page.get_by_role("link", name="New topic").first.click()
    page.get_by_label("Title").fill("No scripts here")
    page.get_by_label("First post").fill("Is **HTML** enough?")
    press(page, "Open topic")
    expect(page.get_by_role("heading", level=1)).to_have_text("No scripts here")
    expect(page.locator("article.post strong", has_text="HTML")).to_be_visible()
    forum.wait_for_status(forum.api("GET", "llm-requests?limit=1")["items"][0]["id"], "succeeded")
    page.reload()
    expect(page.get_by_text("Hello, world.")).to_be_visible()
    page.goto("/")
    page.get_by_role("link", name="No scripts here").click()
    expect(page.get_by_text("Hello, world.")).to_be_visible()


def test_a_post_is_answered_edited_looked_up_and_put_back(forum: Forum, plain_page: Page, subforum_id: int) -> None:
    page = plain_page
    topic_id, _ = forum.topic(subforum_id, "Versions of a thought")
    page.goto(f"/topics/{topic_id}")
    page.locator("article.post").first.get_by_role("link", name="Reply", exact=True).click()
    page.get_by_label("Reply to You").fill("The first wording")
    press(page, "Post reply")
    reply = page.locator(post_with_text(page, "The first wording"))
    reply.get_by_role("link", name="Edit").click()
    page.get_by_label("Text").fill("The second wording")
    press(page, "Save")
    expect(reply.locator(".prose")).to_have_text("The second wording")
    reply.get_by_role("link", name="edited").click()
    expect(page.locator("del").first).to_contain_text("first")
    press(page, "Restore what was before this")
    expect(reply.locator(".prose")).to_have_text("The first wording")


def test_a_post_goes_into_the_trash_and_comes_back(forum: Forum, plain_page: Page, subforum_id: int) -> None:
    page = plain_page
    topic_id, first_id = forum.topic(subforum_id, "Not for long")
    forum.reply(first_id, "Said too soon")
    page.goto(f"/topics/{topic_id}")
    reply = page.locator(post_with_text(page, "Said too soon"))
    reply.get_by_role("link", name="More").click()
    page.get_by_role("link", name="Delete").click()
    press(page, "Delete post")
    page.goto("/trash")
    page.get_by_role("listitem").filter(has_text="Said too soon").get_by_role("button", name="Restore").click()
    page.goto(f"/topics/{topic_id}")
    expect(reply.locator(".prose")).to_have_text("Said too soon")


def test_a_question_waits_is_called_off_asked_again_and_run_now(
    forum: Forum, plain_page: Page, subforum_id: int
) -> None:
    page = plain_page
    hours = forum.api("GET", "schedule/status")["now"][11:13]
    start = (int(hours) * 60 + 720) % 1440
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    window = {"days": days, "start_minute": start, "end_minute": (start + 60) % 1440, "timezone": "UTC"}
    window_id = forum.api("POST", "schedule/windows", window)["id"]
    topic_id, _ = forum.topic(subforum_id, "For the night")
    page.goto(f"/topics/{topic_id}")
    page.locator("article.post").first.get_by_role("link", name="Ask…").click()
    press(page, "Ask")
    pending = page.locator("article.post--pending")
    expect(pending.locator(".state")).to_have_text(re.compile("waiting|queued|in line|night|window", re.IGNORECASE))
    pending.get_by_role("button", name="Cancel").click()
    expect(pending.locator(".state")).to_have_text("cancelled")
    page.locator("article.post").first.get_by_role("link", name="Ask…").click()
    press(page, "Ask")
    pending.get_by_role("button", name="Run now").click()
    forum.wait_for_status(forum.api("GET", "llm-requests?limit=1")["items"][0]["id"], "succeeded")
    page.goto(f"/topics/{topic_id}")
    expect(page.get_by_text("Hello, world.")).to_be_visible()
    forum.api("DELETE", f"schedule/windows/{window_id}")


def test_a_persona_is_made_changed_compared_and_reverted(plain_page: Page) -> None:
    page = plain_page
    page.goto("/personas/new")
    page.get_by_label("Name", exact=True).fill("Critic")
    page.get_by_label("Instructions").fill("Find one fault.")
    press(page, "Make persona")
    expect(page.get_by_role("heading", level=1)).to_have_text("Critic")
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Instructions").fill("Find two faults.")
    press(page, "Save version 2")
    page.get_by_role("link", name="Compare with now").click()
    expect(page.locator("ins").first).to_contain_text("two")
    page.go_back()
    press(page, "Revert to this")
    expect(page.locator(".instructions")).to_have_text("Find one fault.")
    expect(page.get_by_text("version 3", exact=True)).to_be_visible()


def test_a_window_is_added_to_the_schedule_and_taken_away(plain_page: Page) -> None:
    page = plain_page
    page.goto("/schedule")
    form = page.locator("form[action='/schedule/windows']")
    form.get_by_label("From").fill("22:30")
    form.get_by_label("To", exact=True).fill("06:00")
    press(page, "Add window")
    expect(page.get_by_role("link", name=re.compile("22:30 to 06:00"))).to_be_visible()
    press(page, "Delete")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("no window is set"))


def test_a_backend_is_added_and_tested(plain_page: Page) -> None:
    page = plain_page
    with ScriptedServer("ollama", models=("bigger",)) as server:
        page.goto("/backends/new")
        page.get_by_label("Kind").select_option("ollama")
        page.get_by_label("Name").fill("Attic")
        page.get_by_label("Address").fill(server.url)
        press(page, "Add and test")
        expect(page.get_by_role("rowheader", name="bigger")).to_be_visible()
    press(page, "Test")
    expect(page.get_by_text("does not answer", exact=True)).to_be_visible()
    page.get_by_role("link", name="Delete").click()
    press(page, "Delete backend")
    expect(page.get_by_role("link", name="Attic")).to_have_count(0)


def test_settings_are_saved(plain_page: Page) -> None:
    page = plain_page
    page.goto("/settings")
    page.get_by_label("Posts on a page").fill("20")
    press(page, "Save")
    expect(page.locator(".notices")).to_contain_text("aved")
    expect(page.get_by_label("Posts on a page")).to_have_value("20")


@pytest.mark.parametrize(
    ("path", "label", "text", "button", "others"),
    [
        ("/subforums/{subforum}/topics/new", "First post", "A long and careful text", "Open topic", {"Title": " "}),
        ("/personas/new", "Instructions", "Be careful.", "Make persona", {"Name": "Careful", "Temperature": "hot"}),
        ("/settings", "Posts on a page", "many", "Save", {}),
        ("/backends/new", "Name", "Cellar", "Add and test", {"Address": "gopher://127.0.0.1"}),
    ],
)
def test_what_was_typed_is_kept_when_something_is_wrong_with_it(
    plain_page: Page, subforum_id: int, path: str, label: str, text: str, button: str, others: dict[str, str]
) -> None:
    page = plain_page
    page.goto(path.format(subforum=subforum_id))
    for name, value in others.items():
        page.get_by_label(re.compile(f"^{name}")).fill(value)
    page.get_by_label(label, exact=True).fill(text)
    press(page, button)
    expect(page.get_by_label(label, exact=True)).to_have_value(text)
    expect(page.locator(".field__problem").first).to_be_visible()
    wrong = page.locator("[aria-invalid=true]").first
    described = (wrong.get_attribute("aria-describedby") or "").split()
    assert any(page.locator(f"#{name}.field__problem").count() for name in described)
