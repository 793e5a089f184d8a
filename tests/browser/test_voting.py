"""A series of votes by single keys, whose leaderboard matches a computation by hand."""

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import Forum, accessibility_faults, is_scrolled_sideways, watched

pytestmark = pytest.mark.slow

#: Skeptic wins 9 of 12.
WINNERS = ("Skeptic",) * 9 + ("Teacher",) * 3


def test_twelve_votes_make_the_leaderboard_that_a_hand_computes(browser: Browser, forum: Forum) -> None:
    personas = {
        name: forum.api("POST", "personas", {"name": name, "instructions": f"You are {name}."})["id"]
        for name in ("Skeptic", "Teacher")
    }
    subforum_id = forum.subforum()
    authors: dict[int, str] = {}
    for number in range(len(WINNERS)):
        _, post_id = forum.topic(subforum_id, f"Question {number}")
        for name, persona_id in personas.items():
            request_id = forum.ask(post_id, persona_id=persona_id)
            authors[forum.wait_for_status(request_id, "succeeded")["reply_post_id"]] = name
    with watched(browser, forum.url) as (page, watch):
        page.goto("/votes")
        for winner in WINNERS:
            assert "Skeptic" not in page.locator("main").inner_text()
            left_id = int(page.locator("[name=left_post_id]").get_attribute("value") or 0)
            page.keyboard.press("1" if authors[left_id] == winner else "2")
            expect(page.locator(".versus__side--won")).to_contain_text(f"{winner} v1")
            page.wait_for_load_state()
            page.keyboard.press("x")
            page.wait_for_url("**/votes")
        expect(page.locator("main")).to_contain_text("Nothing waits for your vote")
        page.goto("/leaderboard")
        rows = page.locator(".board tbody tr")
        # By hand: see tests/votes/test_rating.py.
        expect(rows.nth(0)).to_contain_text("Skeptic v1")
        expect(rows.nth(0)).to_contain_text("981 to 1,200")
        expect(rows.nth(0).locator(".board__points")).to_have_text("1,091")
        expect(rows.nth(1).locator(".board__points")).to_have_text("909")
        for path in ("/leaderboard", "/votes/1", "/votes"):
            page.goto(path)
            assert accessibility_faults(page) == []
            assert not is_scrolled_sideways(page)
    assert watch.complaints == []
