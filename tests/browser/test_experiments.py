"""An experiment as a person makes it: chosen, started, voted on by keys, its report read."""

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import Forum, accessibility_faults, watched
from tests.support.processes import wait_for

pytestmark = pytest.mark.slow


def test_from_a_persona_version_to_the_report(browser: Browser, forum: Forum) -> None:
    persona = forum.api("POST", "personas", {"name": "Gardener", "instructions": "Be brief."})
    subforum_id = forum.subforum("Beds")
    for title in ("Loam", "Sand"):
        post_id = forum.topic(subforum_id, title, f"Does {title} drain?")[1]
        forum.wait_for_status(forum.ask(post_id, persona_id=persona["id"]), "succeeded")
    second = {"name": "Gardener", "instructions": "Be exact.", "expected_version": 1}
    forum.api("PUT", f"personas/{persona['id']}", second)
    with watched(browser, forum.url) as (page, watch):
        page.goto(f"/personas/{persona['id']}/versions/2")
        page.get_by_role("link", name="Try it on what was asked before").click()
        page.get_by_role("button", name="Choose them and look").click()
        expect(page.get_by_text("Starting it adds 2 replies")).to_be_visible()
        page.get_by_label("Run now").check()
        page.get_by_role("button", name="Ask tonight").click()
        expect(page.get_by_text("of 2 answered")).to_be_visible()
        address = page.url
        number = address.rpartition("/")[2]
        wait_for(lambda: forum.api("GET", f"experiments/{number}")["finished_at"], "its end", forum.process.words)
        page.goto(address)
        page.get_by_role("link", name="Vote on 2 pairs").click()
        for left in (1, 0):
            expect(page.get_by_role("heading", name="Which is better?")).to_be_visible()
            # A page is shown before its scripts have come.
            page.wait_for_load_state("load")
            page.keyboard.press("3")
            expect(page.get_by_role("heading", name="You found both equally good")).to_be_visible()
            page.get_by_role("link", name="Next pair" if left else "To the report").press("x")
        expect(page.get_by_text("No vote has a winner yet")).to_be_visible()
        assert accessibility_faults(page) == []
        assert watch.complaints == []
