"""The list, the test bench, files and pictures of personas, and posts kept from models, in the pages."""

import io
import json
from collections.abc import Callable

from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from forllm_server.clock import now
from forllm_server.db import Database
from forllm_server.personas.trial_store import Trial, insert_trial
from tests.pages.conftest import Browser
from tests.personas.test_overviews import PNG
from tests.support.world import World, make_world

DRAFT = {"name": "Skeptic", "instructions": "Doubt everything.", "tags": "Night, critics"}


def make(browser: Browser, **fields: str) -> None:
    browser.open("/personas/new")
    browser.send("/personas/new", DRAFT | fields)


def world_of(database: Database) -> World:
    return make_world(database, now())


def test_the_list_is_searched_and_filtered(browser: Browser) -> None:
    make(browser)
    assert "Skeptic" in browser.open("/personas?tag=night").main.get_text()
    assert "Assistant" not in browser.open("/personas?text=doubt").find("ul", class_="rows").get_text()
    browser.open("/personas?text=nobody+at+all")
    assert "No persona fits." in browser.words()


def test_the_page_of_the_list_costs_the_same_of_ten_and_of_a_hundred(
    browser: Browser, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    for number in range(9):
        make(browser, name=f"P{number}")
    few = count_queries(lambda: browser.open("/personas"))
    for number in range(9, 70):
        make(browser, name=f"P{number}")
    assert count_queries(lambda: browser.open("/personas")) == few
    following = browser.page.find("a", rel="next")["href"]
    assert "P69" in browser.open(following).main.get_text()


def test_a_persona_is_duplicated(browser: Browser) -> None:
    make(browser)
    browser.open("/personas/2")
    browser.send("/personas/2/copy", {})
    assert (browser.path, browser.page.find("input", attrs={"name": "name"})["value"]) == (
        "/personas/3/edit",
        "Skeptic 2",
    )


def test_a_version_tells_who_and_why(browser: Browser) -> None:
    make(browser, note="to begin with")
    browser.open("/personas/2")
    assert "by You" in browser.words()
    assert "to begin with" in browser.words()


def test_the_guard_is_on_and_can_be_turned_off(browser: Browser) -> None:
    make(browser)
    assert "Repetition guard" not in browser.words()
    browser.open("/personas/2/edit")
    browser.send("/personas/2/edit", {"repetition_guard": None})
    assert "Repetition guard off" in browser.words()


def test_the_preview_is_the_prompt_or_says_what_is_wrong(browser: Browser, sqlite_database: Database) -> None:
    world = world_of(sqlite_database)
    browser.open("/personas/new")
    browser.send("/personas/new", DRAFT)
    browser.open("/personas/2/edit")
    token = browser.page.find("input", attrs={"name": "csrf_token"})["value"]
    fields = DRAFT | {"csrf_token": token, "post_id": str(world.post_id), "persona_id": "2"}
    live = {"HX-Request": "true"}
    shown = browser.client.post("/personas/preview", data=fields, headers=live).get_data(as_text=True)
    assert "Doubt everything." in shown
    assert "Which file system for two disks?" in shown
    assert "<html" not in shown
    filled = browser.client.post(
        "/personas/preview", data=fields | {"instructions": "Doubt {{topic}}."}, headers=live
    ).get_data(as_text=True)
    assert "Doubt ZFS or Btrfs?." in filled
    for field, value, words in (
        ("name", "", "once there are a name and instructions"),
        ("post_number", "nowhere", "number of a post"),
        ("temperature", "hot", "Temperature: This must be a number from 0 to 2"),
        ("post_number", "/posts/99", "no post 99"),
    ):
        answer = browser.client.post("/personas/preview", data=fields | {field: value}, headers=live)
        assert (answer.status_code, words in answer.get_data(as_text=True)) == (200, True), field


def test_nothing_is_lost_on_the_way_from_the_prompt_back_to_the_draft(
    browser: Browser, sqlite_database: Database
) -> None:
    world = world_of(sqlite_database)
    browser.open("/personas/new")
    changed = DRAFT | {"tags": "doubt, care", "temperature": "0.4", "stop": "END\nSTOP", "repetition_guard": None}
    browser.send("/personas/preview", changed | {"post_id": str(world.post_id)})
    assert "Doubt everything." in browser.words()
    form = browser.send("/personas/form", {}).find("form", action="/personas/new")
    assert (form.find(id="field-tags")["value"], form.find(id="field-temperature")["value"]) == ("doubt, care", "0.4")
    assert form.find(id="field-stop").get_text().split() == ["END", "STOP"]
    assert not form.find(attrs={"name": "repetition_guard"}).has_attr("checked")
    assert browser.page.find(attrs={"role": "status", "class": "notices"}) is None


def test_what_was_tried_stands_in_the_form_again(browser: Browser, sqlite_database: Database) -> None:
    world = world_of(sqlite_database)
    for address, persona_id in (("/personas/new", None), ("/personas/1/edit", "1")):
        page = browser.open(address)
        fields = DRAFT | {"csrf_token": page.find("input", attrs={"name": "csrf_token"})["value"]}
        fields |= {"post_id": str(world.post_id), "max_tokens": "77"}
        fields |= {"persona_id": persona_id} if persona_id else {}
        asked = browser.client.post("/personas/trials", data=fields)
        page = browser.open(f"{asked.location}/draft")
        form = page.find("form", action=address)
        assert form.find("textarea", attrs={"name": "instructions"}).get_text().strip() == "Doubt everything."
        assert form.find("input", attrs={"name": "max_tokens"})["value"] == "77"


def test_a_draft_is_tried_and_nothing_is_lost_when_it_cannot_be(browser: Browser, sqlite_database: Database) -> None:
    world = world_of(sqlite_database)
    browser.open("/personas/1/edit")
    token = browser.page.find("input", attrs={"name": "csrf_token"})["value"]
    fields = DRAFT | {"csrf_token": token, "post_id": str(world.post_id), "persona_id": "1"}
    refused = browser.client.post("/personas/trials", data=fields | {"temperature": "hot"})
    assert refused.status_code == 422
    assert "Doubt everything." in refused.get_data(as_text=True)
    assert browser.client.post("/personas/trials", data=fields | {"persona_id": "9" * 40}).status_code == 422
    answer = browser.client.post("/personas/trials", data=fields)
    assert answer.status_code == 303
    page = browser.open(answer.location)
    assert page.find(attrs={"data-unfinished": True})
    assert "Skeptic, a draft" in browser.open("/queue/1").main.get_text()
    with sqlite_database.transaction() as connection:
        insert_trial(connection, Trial(1, "No **doubt**.", "", now()))
    assert browser.open(answer.location).find("strong").get_text() == "doubt"
    browser.open("/queue/history")
    assert "Skeptic, a draft" in browser.words()


def test_a_reply_is_no_trial(browser: Browser) -> None:
    browser.open("/personas/trials/99")
    assert browser.status == 404


def test_a_persona_is_given_away_and_taken_in_again(browser: Browser) -> None:
    make(browser)
    given = browser.client.get("/personas/2/persona.json")
    assert given.headers["Content-Disposition"] == 'attachment; filename="Skeptic.persona.json"'
    card = browser.client.get("/personas/2/card.json").get_data()
    assert json.loads(card)["spec"] == "chara_card_v3"
    for number, content in ((3, given.get_data()), (4, card)):
        browser.open("/personas/import")
        browser.send("/personas/import", {"file": (io.BytesIO(content), "x.json")})
        assert browser.path == f"/personas/{number}"
    browser.open("/personas/import")
    browser.send("/personas/import", {"file": (io.BytesIO(b"{"), "x.json")})
    assert (browser.status, "no JSON" in browser.problem("file")) == (422, True)
    browser.open("/personas/import")
    browser.send("/personas/import", {"file": (io.BytesIO("Sei höflich.\n".encode()), "Polite one.txt")})
    assert browser.path == "/personas/5"
    assert "Polite one" in browser.words()
    assert "Sei höflich." in browser.words()
    browser.open("/personas/import")
    browser.send("/personas/import", {"file": (io.BytesIO(b"\xff"), "x.txt")})
    assert (browser.status, "no UTF-8" in browser.problem("file")) == (422, True)


def send_large(browser: Browser, content: bytes) -> tuple[int, str | None]:
    """Status and place after an upload; the client would put a large one into a file and leave that open."""
    token = browser.open("/personas/import").find("input", attrs={"name": "csrf_token"})["value"]
    boundary, body = encode_multipart({"csrf_token": token, "file": FileStorage(io.BytesIO(content), "x.json")})
    kind = f"multipart/form-data; boundary={boundary}"
    answer = browser.client.post("/personas/import", data=body, content_type=kind)
    return answer.status_code, answer.location


def test_a_card_larger_than_other_forms_is_taken_and_thirty_megabytes_are_not(browser: Browser) -> None:
    card = json.dumps({"name": "Big", "description": "x", "first_mes": "y" * 7_000_000}).encode()
    assert send_large(browser, card) == (303, "/personas/2")
    assert send_large(browser, b" " * 30_000_000)[0] == 413


def test_a_picture_is_served_as_what_it_is_and_nothing_else(browser: Browser) -> None:
    browser.open("/personas/1")
    browser.send("/personas/1/picture", {"picture": (io.BytesIO(PNG), "evil.svg")})
    address = browser.page.find("img", class_="mark")["src"]
    served = browser.client.get(address)
    assert (served.content_type, served.get_data()) == ("image/png", PNG)
    assert served.headers["X-Content-Type-Options"] == "nosniff"
    assert browser.client.get(address[:-1] + "x").status_code == 404
    browser.send("/personas/1/picture", {"is_removed": "1"})
    assert browser.page.find("img", class_="mark") is None
    browser.send("/personas/1/picture", {"picture": (io.BytesIO(b"<svg/>"), "x.png")})
    assert browser.status == 422


def test_a_post_is_kept_from_models_and_shown_again(browser: Browser, sqlite_database: Database) -> None:
    world = world_of(sqlite_database)
    address = f"/posts/{world.post_id}"
    browser.open(f"{address}/details")
    browser.send(f"{address}/exclusion", {}, button={"is_excluded": "1"})
    assert "kept from models" in browser.words()
    browser.open(f"{address}/details")
    browser.send(f"{address}/exclusion", {}, button={"is_excluded": ""})
    assert "kept from models" not in browser.words()
