"""Drafts: saved by a button or a script, offered again, listed, discarded and taken back."""

from datetime import datetime

import pytest

from forllm_server.db import Database, metadata
from tests.pages.conftest import Browser
from tests.support.world import World, make_world

HTMX = {"HX-Request": "true"}


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    return make_world(sqlite_database, now)


def text_of(browser: Browser, name: str = "content") -> str:
    return str(browser.page.find("textarea", attrs={"name": name}).get_text().removeprefix("\n"))


def save_by_button(browser: Browser, form: str, content: str, **fields: str) -> None:
    browser.open(form)
    browser.send("/drafts", {"content": content, **fields})


def test_without_scripts_a_button_saves_and_the_form_has_it_again(browser: Browser, world: World) -> None:
    save_by_button(browser, "/posts/1/reply", "Half a thought")
    assert browser.path == "/posts/1/reply"
    assert "The draft is saved" in browser.words()
    assert text_of(browser) == "Half a thought"
    browser.open("/posts/1/reply")
    assert "Draft of" in browser.words()
    assert text_of(browser) == "Half a thought"


def test_a_new_topics_draft_keeps_title_and_choices(browser: Browser, world: World) -> None:
    form = "/subforums/1/topics/new"
    fields = {"title": "ZFS?", "model_id": str(world.model_id), "is_asking": None, "is_run_now": "1"}
    save_by_button(browser, form, "First words", **fields)
    page = browser.open(form)
    assert page.find("input", attrs={"name": "title"})["value"] == "ZFS?"
    assert page.find("select", attrs={"name": "model_id"}).find("option", selected=True)["value"] == str(world.model_id)
    assert page.find("input", attrs={"name": "is_run_now"}).has_attr("checked")
    assert not page.find("input", attrs={"name": "is_asking"}).has_attr("checked")


def test_what_is_sent_leaves_no_draft_and_tells_the_browser(browser: Browser, world: World) -> None:
    save_by_button(browser, "/posts/1/reply", "Half a thought")
    writer = browser.page.find("input", attrs={"name": "draft_writer"})["value"]
    browser.send("/posts/1/reply", {"content": "A whole thought"})
    assert "A whole thought" in browser.words()
    cookie = browser.client.get_cookie("forllm_sent", domain="127.0.0.1")
    assert cookie is not None
    assert cookie.value == writer
    browser.open("/posts/1/reply")
    assert text_of(browser) == ""
    browser.open("/drafts")
    assert "No drafts" in browser.words()


def test_a_text_that_was_refused_keeps_its_draft(browser: Browser, world: World) -> None:
    save_by_button(browser, "/posts/1/reply", "Half a thought")
    browser.send("/posts/1/reply", {"content": "x" * 300_000})
    assert browser.status == 422
    assert browser.page.find("input", attrs={"name": "draft_id"})["value"] == "1"
    assert browser.client.get_cookie("forllm_sent", domain="127.0.0.1") is None


def test_over_the_text_of_a_post_the_draft_is_offered_first(browser: Browser, world: World) -> None:
    save_by_button(browser, "/posts/1/edit", "Another question?")
    browser.open("/posts/1/edit")
    assert text_of(browser) == "Which file system for two disks?"
    (link,) = browser.page.find_all("a", string="Restore")
    browser.open(link["href"])
    assert text_of(browser) == "Another question?"


def test_an_edit_begun_before_another_save_is_refused_when_it_is_taken_up_again(browser: Browser, world: World) -> None:
    save_by_button(browser, "/posts/1/edit", "Begun at version 1")
    browser.open("/posts/1/edit?draft=0")
    browser.send("/posts/1/edit", {"content": "Saved meanwhile"})
    browser.open("/posts/1/edit?draft=1")
    browser.send("/posts/1/edit", {})
    assert browser.status == 409
    assert text_of(browser) == "Begun at version 1"
    assert "Saved meanwhile" in browser.words()
    browser.send("/posts/1/edit", {})
    assert (browser.status, browser.path) == (200, "/topics/1")
    assert "Begun at version 1" in browser.words()


def test_a_quote_comes_below_the_draft(browser: Browser, world: World) -> None:
    save_by_button(browser, "/posts/1/reply", "Half a thought")
    browser.open("/posts/1/reply?quote=1")
    quote = "> **You** [#1](/posts/1):\n>\n> Which file system for two disks?\n\n"
    assert text_of(browser) == f"Half a thought\n\n{quote}"


def test_a_script_saves_and_hears_the_drafts_number(browser: Browser, world: World) -> None:
    page = browser.open("/posts/1/reply", headers=HTMX)
    token, writer = (page.find("input", attrs={"name": name})["value"] for name in ("csrf_token", "draft_writer"))
    fields = {"csrf_token": token, "draft_kind": "reply", "draft_target": "1", "draft_writer": writer}
    first = browser.client.post("/drafts", data=fields | {"content": "One"}, headers=HTMX).get_data(as_text=True)
    assert 'name="draft_id" value="1"' in first
    assert "Draft saved" in first
    known = {"draft_id": "1", "draft_version": "1"}
    again = browser.client.post("/drafts", data=fields | known | {"content": "Two"}, headers=HTMX).get_data(True)
    assert 'name="draft_version" value="2"' in again
    other = fields | known | {"content": "Elsewhere", "draft_writer": "f" * 16}
    beside = browser.client.post("/drafts", data=other, headers=HTMX).get_data(as_text=True)
    assert "data-is-beside" in beside
    browser.open("/posts/1/reply")
    assert text_of(browser) == "Elsewhere"
    assert "1 more draft of this" in browser.words()
    emptied = browser.client.post("/drafts", data=other | {"content": ""}, headers=HTMX)
    assert "Draft saved" not in emptied.get_data(as_text=True)


def test_a_draft_is_discarded_from_its_form_and_taken_back(browser: Browser, world: World) -> None:
    save_by_button(browser, "/posts/1/reply", "Half a thought")
    browser.send("/drafts/1/delete", {})
    assert browser.path == "/posts/1/reply"
    assert text_of(browser) == ""
    browser.send("/drafts/1/restore", {})
    assert text_of(browser) == "Half a thought"


def test_the_list_leads_to_each_draft_and_discards_it(browser: Browser, world: World) -> None:
    save_by_button(browser, "/posts/1/reply", "Half a thought")
    page = browser.open("/drafts")
    assert "Reply in ZFS or Btrfs?" in browser.words()
    browser.open(page.find("a", class_="row__title")["href"])
    assert text_of(browser) == "Half a thought"
    browser.open("/drafts")
    browser.send("/drafts/1/delete", {})
    assert browser.path == "/drafts"
    assert "No drafts" in browser.words()
    browser.send("/drafts/1/restore", {})
    assert text_of(browser) == "Half a thought"


def test_a_draft_whose_place_is_gone_is_still_shown(browser: Browser, world: World) -> None:
    save_by_button(browser, "/posts/1/reply", "Half a thought")
    browser.open("/topics/1/edit")
    browser.send("/topics/1/delete", {})
    page = browser.open("/drafts")
    assert "its place is gone" in browser.words()
    browser.open(page.find("a", class_="row__title")["href"])
    assert (browser.status, browser.path) == (200, "/drafts/1")
    assert "Half a thought" in browser.words()


@pytest.mark.parametrize("fields", [[1, 2], "words", {"persona_id": {"deep": 1}}, {"persona_id": [9]}])
def test_a_draft_of_another_version_is_shown_never_an_error(
    browser: Browser, world: World, sqlite_database: Database, fields: object
) -> None:
    save_by_button(browser, "/posts/1/reply", "Half a thought")
    with sqlite_database.transaction() as connection:
        connection.execute(metadata.tables["drafts"].update().values(fields=fields, format=1))
    browser.open("/posts/1/reply")
    assert (browser.status, text_of(browser)) == (200, "Half a thought")


def test_a_form_that_names_no_place_or_a_strange_one_is_refused(browser: Browser, world: World) -> None:
    token = browser.open("/posts/1/reply").find("input", attrs={"name": "csrf_token"})["value"]
    for fields in ({}, {"draft_kind": "poem", "draft_target": "1"}, {"draft_kind": "reply"}):
        answer = browser.client.post("/drafts", data={"csrf_token": token, "content": "x", **fields})
        assert answer.status_code == 422, fields
    gone = {"csrf_token": token, "content": "x", "draft_kind": "reply", "draft_target": "99"}
    assert browser.client.post("/drafts", data=gone).status_code == 404
    for path in ("/drafts/9/delete", "/drafts/9/restore"):
        assert browser.client.post(path, data={"csrf_token": token}).status_code == 404
    assert browser.client.get("/drafts/9").status_code == 404


def test_a_page_that_lay_open_too_long_gets_a_new_token(browser: Browser, world: World) -> None:
    browser.open("/posts/1/reply")
    browser.client.delete_cookie("forllm_4773", domain="127.0.0.1")
    token = browser.client.get("/drafts/token").get_data(as_text=True)
    fields = {"csrf_token": token, "draft_kind": "reply", "draft_target": "1", "content": "Still here"}
    assert browser.client.post("/drafts", data=fields, headers=HTMX).status_code == 200


def test_the_list_costs_the_same_for_many_drafts(browser: Browser, world: World, count_queries: object) -> None:
    assert callable(count_queries)
    save_by_button(browser, "/posts/1/reply", "One")
    one = count_queries(lambda: browser.open("/drafts"))
    for number in range(5):
        browser.open("/posts/1/reply?draft=0")
        browser.send("/drafts", {"content": f"Another {number}"})
    assert count_queries(lambda: browser.open("/drafts")) == one
    assert len(browser.page.find_all("li", class_="row")) == 6
