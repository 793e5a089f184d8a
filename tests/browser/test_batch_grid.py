"""A grid that stays open while it fills."""

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import Forum, accessibility_faults, watched

pytestmark = pytest.mark.slow


def test_the_open_grid_fills_while_it_is_looked_at(browser: Browser, forum: Forum) -> None:
    forum.models.gate.clear()
    asks = {"persona_ids": [1], "model_ids": [None], "template": "Where is {{line}}?", "text": "Graz\nUlm"}
    made = forum.api("POST", "batches", {"title": "Towns", "subforum_id": forum.subforum(), "format": "lines", **asks})
    with watched(browser, forum.url) as (page, watch):
        page.goto(f"/batches/{made['id']}")
        expect(page.get_by_text("0 of 2 answered")).to_be_visible()
        page.get_by_role("link", name="CSV").focus()
        forum.models.gate.set()
        expect(page.get_by_text("2 of 2 answered")).to_be_visible()
        expect(page.get_by_role("cell", name="Hello, world.")).to_have_count(2)
        expect(page.get_by_role("button", name="Cancel all of it")).to_have_count(0)
        expect(page.get_by_role("link", name="CSV")).to_be_focused()
        assert accessibility_faults(page) == []
        assert watch.complaints == []
