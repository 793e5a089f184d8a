"""A debate in the browser: begun by the form, its estimate kept up to date, watched where it is held, stopped."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Forum, accessibility_faults, is_scrolled_sideways, poll_now
from tests.support.scripted_server import Script

pytestmark = pytest.mark.slow


def test_a_debate_is_begun_watched_and_stopped_from_its_topic(forum: Forum, page: Page) -> None:
    forum.models.answer = lambda body: Script(tokens=("That", " is", " so", "."), delay=0.5)
    topic_id, post_id = forum.topic(forum.subforum("Cellar"), "Is a mirror a backup?")
    page.goto(f"/posts/{post_id}/debate")
    estimate = page.locator("forllm-addition")
    expect(estimate).to_contain_text("up to 7 answers")
    page.get_by_label("Turns at most").fill("40")
    page.get_by_label("Turns at most").blur()
    expect(estimate).to_contain_text("up to 41 answers")
    page.get_by_text("More voices").click()
    assert accessibility_faults(page) == []
    page.get_by_label("Run now, whatever the window says").check()
    # The third turn waits until the test has seen it.
    forum.models.gate.clear()
    page.get_by_role("button", name="Begin the debate").click()
    expect(page.get_by_role("heading", name="Debate: Assistant (for), Assistant (against)")).to_be_visible()
    page.goto(f"/topics/{topic_id}")
    panel = page.locator("[data-discussions]")
    expect(panel).to_contain_text("0 of 40 turns")
    assert accessibility_faults(page) == []
    page.set_viewport_size({"width": 375, "height": 740})
    assert not is_scrolled_sideways(page)
    forum.models.gate.set()
    expect(panel).not_to_contain_text("0 of 40 turns")
    poll_now(page)
    expect(page.get_by_text("debate, turn 1: for").first).to_be_visible()
    panel.get_by_role("button", name="Stop").click()
    expect(page.locator("[data-discussions]")).to_contain_text("stopped by you")


def test_the_page_of_a_council_follows_it_to_its_end(forum: Forum, page: Page) -> None:
    forum.models.gate.clear()
    forum.models.answer = lambda body: Script(
        tokens=("C > B > A",) if "Answer with all" in str(body["messages"]) else ("Yes", ".")
    )
    _, post_id = forum.topic(forum.subforum("Attic"), "Is tape alive?")
    seats = [{"persona_id": 1}] * 3
    body = {"kind": "council", "seats": seats, "closer": {"persona_id": 1}, "is_run_now": True}
    page.goto(f"/posts/{post_id}/council")
    # An answer that is given up while its text comes is nobody's error.
    cut = "window.fetch = async () => ({ ok: true, text: async () => { throw new DOMException('', 'AbortError') } })"
    page.evaluate(cut)
    page.get_by_label("Run now, whatever the window says").check()
    council = forum.api("POST", f"posts/{post_id}/discussions", body)
    page.goto(f"/discussions/{council['id']}")
    expect(page.get_by_text("3 opinions to come")).to_be_visible()
    forum.models.gate.set()
    expect(page.get_by_text("Ended: the chair has answered")).to_be_visible()
    expect(page.get_by_role("heading", name="The ranking")).to_be_visible()
    assert accessibility_faults(page) == []
