"""A thread that no longer fits, in real processes: summed up by itself, its summary read, changed and left."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Forum, accessibility_faults
from tests.support.processes import wait_for
from tests.support.scripted_server import Script

pytestmark = pytest.mark.slow
SAID = "They weighed **ZFS** against Btrfs."


def test_a_long_thread_is_summed_up_and_the_next_prompt_carries_it(page: Page, forum: Forum) -> None:
    def answer(body: dict[str, object]) -> Script:
        return Script(tokens=(SAID if "Write one summary" in str(body["messages"]) else "Take the mirror.",))

    forum.models.answer = answer
    topic_id, last_id = forum.topic(forum.subforum("Homelab"), "Two disks")
    for number in range(12):
        last_id = forum.reply(last_id, f"Point {number}. " + "Rehearse the restore. " * 55)
    reply_id = forum.answered(last_id)

    def written() -> bool:
        found = forum.api("GET", f"topics/{topic_id}/summaries")["items"]
        return bool(found) and found[0]["version"] is not None

    wait_for(written, "a summary", forum.process.words)
    page.goto(f"/topics/{topic_id}")
    page.get_by_text("In short:").click()
    expect(page.locator(".summary strong")).to_have_text("ZFS")
    page.get_by_role("link", name="versions and more").click()
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Text").fill("They chose *ZFS*.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Version 1")).to_be_visible()
    assert accessibility_faults(page) == []
    question_id = forum.reply(reply_id, "And which make?")
    done = forum.wait_for_status(forum.ask(question_id), "succeeded")
    assert done["breakdown"]["summary"]["version"] == 2
    assert "They chose *ZFS*." in str(done["prompt"])
    page.goto(f"/queue/{done['id']}")
    page.get_by_role("link", name="as summary v2").click()
    expect(page.get_by_text("Point 0.").first).to_be_visible()
