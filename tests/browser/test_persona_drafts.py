"""Personas by a model, before a real browser: watched while they are written, changed, accepted, dropped and undone."""

import json
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import DESK, PHONE, Forum, accessibility_faults, is_scrolled_sideways, watched
from tests.support.processes import wait_for
from tests.support.scripted_server import Script

pytestmark = pytest.mark.slow

TEXT = "You are a careful reader of storage questions. You ask for the numbers before you answer."
EVIL = "<img src=x onerror=alert(1)>Rosa\u202e"
NOTES = tuple(f"note {number} " for number in range(40))


def persona(name: str) -> Script:
    return Script(tokens=(json.dumps({"name": name, "description": "Asks <b>back</b>.", "instructions": TEXT}),))


@pytest.fixture
def subforum_id(forum: Forum) -> int:
    return forum.subforum("Storage", "Disks, pools and backups.")


def wait_for_written(forum: Forum, number: int) -> list[Any]:
    """Wait until so many drafts are written and none is still to be; they."""

    def seen() -> list[Any] | None:
        drafts = forum.api("GET", "persona-drafts")["items"]
        return drafts if [draft["status"] for draft in drafts] == ["written"] * number else None

    found: list[Any] = wait_for(seen, f"{number} drafts to be written", forum.process.words)
    return found


def is_fine(page: Page) -> bool:
    assert accessibility_faults(page) == []
    return not is_scrolled_sideways(page)


def test_an_expert_is_asked_for_watched_changed_and_accepted(browser: Browser, forum: Forum, subforum_id: int) -> None:
    forum.models.script(Script(tokens=NOTES, delay=0.05), Script(tokens=("I would rather write a poem.",)))
    with watched(browser, forum.url, viewport=DESK, color_scheme="dark") as (page, watch):
        page.goto(f"/subforums/{subforum_id}/personas")
        page.get_by_role("link", name="Have a model write experts").click()
        page.get_by_label("What matters to you").fill("Nothing but ZFS.")
        page.get_by_text("Run now, whatever the window says").click()
        assert is_fine(page)
        page.get_by_role("button", name="Have them written").click()
        expect(page.locator("main")).to_contain_text("step 1 of 2")
        expect(page.locator("main")).to_contain_text("note 7")
        # The page finds out by itself.
        expect(page.locator("main")).to_contain_text("What the model wrote is no persona.")
        expect(page.locator("pre").first).to_have_text("I would rather write a poem.")
        assert is_fine(page)
        forum.models.script(persona(EVIL))
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_label("Name", exact=True)).to_have_value("Rosa")
        assert is_fine(page)
        page.get_by_label("Instructions", exact=True).fill(f"{TEXT} Briefly.")
        page.get_by_role("button", name="Accept").click()
        expect(page.locator("h1")).to_have_text("Rosa")
        expect(page.locator("main")).to_contain_text("changed before it was accepted")
        assert is_fine(page)
        page.goto(f"/subforums/{subforum_id}/personas")
        expect(page.get_by_role("link", name="Rosa", exact=True)).to_be_visible()
    assert watch.complaints == []


def test_several_are_written_again_and_dropped_on_a_phone_without_scripts(browser: Browser, forum: Forum) -> None:
    forum.models.script(*[Script(tokens=("Some notes.",))] * 2, persona("Ada"), persona("Ada"), persona("Ada Grim"))
    options = {"viewport": PHONE, "color_scheme": "light", "has_touch": True, "is_mobile": True}
    with watched(browser, forum.url, java_script_enabled=False, **options) as (page, watch):
        page.goto("/personas/drafts/new")
        page.get_by_label("Description").fill("Somebody who counts.")
        page.get_by_label("How many").fill("2")
        page.get_by_text("Run now, whatever the window says").click()
        page.get_by_role("button", name="Have them written").click()
        written = wait_for_written(forum, 2)
        assert [draft["name"] for draft in written] == ["Ada 2", "Ada"]
        page.reload()
        assert not is_scrolled_sideways(page)
        page.get_by_role("link", name="Ada", exact=True).click()
        page.get_by_role("link", name="Write it again").click()
        page.get_by_label("What should be different").fill("Grimmer.")
        page.get_by_text("Run now, whatever the window says").click()
        page.get_by_role("button", name="Write it again").click()
        wait_for_written(forum, 2)
        page.reload()
        expect(page.get_by_label("Name", exact=True)).to_have_value("Ada Grim")
        assert not is_scrolled_sideways(page)
        page.get_by_role("button", name="Drop").click()
        page.get_by_role("button", name="Undo").click()
        expect(page.locator("main")).to_contain_text("to be looked over")
    assert watch.complaints == []
