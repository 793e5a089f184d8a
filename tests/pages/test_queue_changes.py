"""What is done on the queue page: acts, order, many at once, pausing."""

from datetime import datetime
from typing import Any

import pytest
import time_machine

from forllm_server.db import Database
from forllm_server.queue.llm_request_store import list_by_ids
from forllm_server.queue.model import Status
from forllm_server.queue.worker_store import replace_worker
from tests.pages.conftest import Browser
from tests.pages.queue_stage import clock_stands, fail, have_window, post, titles, world
from tests.support.world import World, insert_backend, insert_model, queue_request

__all__ = ["clock_stands", "world"]

SCRIPT = {"HX-Request": "true"}


def test_acts_change_the_state_and_lead_back(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queued = queue_request(sqlite_database, world, now)
    browser.open("/queue")
    browser.send(f"/queue/{queued.id}/hold", {})
    assert browser.path == "/queue"
    assert "On hold 1 request" in browser.words()
    browser.send(f"/queue/{queued.id}/release", {})
    browser.open(f"/queue/{queued.id}")
    browser.send(f"/queue/{queued.id}/cancellation", {})
    assert "cancelled" in browser.words()


def test_an_act_that_no_longer_fits_says_why(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queued = queue_request(sqlite_database, world, now)
    assert post(browser, f"/queue/{queued.id}/cancellation").status_code == 303
    assert post(browser, f"/queue/{queued.id}/hold").status_code == 409
    assert post(browser, f"/queue/{queued.id}/nonsense").status_code == 404
    assert post(browser, "/queue/99/hold").status_code == 404


def test_the_way_back_never_leads_to_another_site(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queued = queue_request(sqlite_database, world, now)
    answer = post(browser, f"/queue/{queued.id}/hold", next="//evil.example/x")
    assert answer.headers["Location"].endswith(f"/queue/{queued.id}")


def test_buttons_put_the_plan_in_order_up_down_and_to_the_top(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    for _ in range(4):
        queue_request(sqlite_database, world, now)
    browser.open("/queue")
    assert titles(browser) == ["1", "2", "3", "4"]
    browser.send("/queue/3/move", {}, button={"before_id": "2"})
    assert titles(browser) == ["1", "3", "2", "4"]
    browser.send("/queue/2/move", {}, button={"after_id": "4"})
    assert titles(browser) == ["1", "3", "4", "2"]
    browser.send("/queue/4/move", {}, button={"before_id": ""})
    assert titles(browser) == ["4", "1", "3", "2"]
    first, last = browser.page.select("tr.line")[0], browser.page.select("tr.line")[-1]
    assert first.select_one('[data-move="up"]').has_attr("disabled")
    assert last.select_one('[data-move="down"]').has_attr("disabled")
    assert first.select_one('[data-move="down"]')["value"] == "1"


def test_requests_of_different_lines_are_not_put_in_order(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queue_request(sqlite_database, world, now)
    with sqlite_database.transaction() as connection:
        other = insert_backend(connection, now, name="Attic")
        model_id = insert_model(connection, other, now, name="mistral")
    queue_request(sqlite_database, world, now, backend_id=other, model_id=model_id, model_name="mistral")
    assert post(browser, "/queue/2/move", before_id="1").status_code == 409


def test_many_are_changed_at_once_and_what_could_not_be_is_told(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    for _ in range(3):
        queue_request(sqlite_database, world, now)
    browser.open("/queue")
    browser.send("/queue/changes", {"ids": ["1", "2", "99"]}, button={"action": "hold"})
    assert "2 requests set aside. 1 stayed as they were" in browser.words()
    browser.send("/queue/changes", {"ids": ["1", "2"]}, button={"action": "release"})
    assert "2 requests back in the queue." in browser.words()
    browser.send("/queue/changes", {"ids": ["1", "2", "3"]}, button={"action": "cancel"})
    assert browser.page.h1.get_text() == "Nothing is queued"


def test_a_script_is_told_the_words_and_stays_on_its_page(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queue_request(sqlite_database, world, now)
    token = browser.open("/queue").find("input", attrs={"name": "csrf_token"})["value"]
    fields = {"csrf_token": token, "ids": ["1"], "action": "hold"}
    answer = browser.client.post("/queue/changes", data=fields, headers=SCRIPT)
    assert (answer.status_code, answer.get_data(as_text=True).strip()) == (200, "<p>1 request set aside.</p>")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"action": "cancel"}, 422),
        ({"ids": ["1"], "action": "nonsense"}, 422),
        ({"ids": ["1"], "action": "requeue"}, 422),
        ({"ids": ["1"], "action": "requeue", "model_id": "99"}, 422),
        ({"ids": ["one"], "action": "cancel"}, 422),
        ({"ids": [str(number) for number in range(1, 1002)], "action": "cancel"}, 413),
    ],
)
def test_a_change_that_cannot_be_taken_changes_nothing(
    browser: Browser, world: World, sqlite_database: Database, now: datetime, fields: dict[str, Any], status: int
) -> None:
    queue_request(sqlite_database, world, now)
    assert post(browser, "/queue/changes", **fields).status_code == status
    browser.open("/queue")
    assert titles(browser) == ["1"]


def test_all_that_failed_can_be_queued_again_at_once(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    for _ in range(3):
        fail(sqlite_database, world, now, "error")
    browser.open("/queue?show=failed")
    browser.send("/queue/failed/retry", {})
    assert "3 requests queued again." in browser.words()


def test_all_that_failed_can_be_asked_of_another_model_at_once(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    with sqlite_database.transaction() as connection:
        other_id = insert_model(connection, world.backend_id, now, name="llama3.1:8b")
    failed = [fail(sqlite_database, world, now, cause).id for cause in ("error", "internal", "model_gone")]
    assert post(browser, "/queue/failed/requeue").status_code == 422
    browser.open("/queue?show=failed")
    browser.send("/queue/failed/requeue", {"model_id": str(other_id)})
    assert "3 requests given to the other model." in browser.words()
    with sqlite_database.read() as connection:
        found = list_by_ids(connection, failed).values()
    assert {(each.status, each.model_id) for each in found} == {(Status.QUEUED, other_id)}


def test_pausing_is_said_in_the_heading_and_in_the_corner_until_it_is_resumed(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queue_request(sqlite_database, world, now)
    browser.open("/queue")
    browser.send("/queue/pause", {}, button={"length": "hour"})
    assert browser.page.h1.get_text().startswith("Paused until ")
    assert "1 reply" in browser.page.h1.get_text()
    assert "The whole queue: paused until" in browser.words()
    assert browser.page.find(class_="night").b.get_text().startswith("Paused until")
    browser.send("/queue/resume", {})
    assert "Resumed." in browser.words()
    assert "Paused" not in browser.page.find(class_="night").get_text()


def test_one_backend_is_paused_by_itself_until_it_is_resumed(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queue_request(sqlite_database, world, now)
    browser.open("/queue")
    browser.send("/queue/pause", {"backend_id": str(world.backend_id)}, button={"length": "resumed"})
    assert "Desk: paused until it is resumed" in browser.words()
    assert not browser.page.h1.get_text().startswith("Paused")
    assert post(browser, "/queue/pause", length="forever").status_code == 422
    assert post(browser, "/queue/pause", length="hour", backend_id="99").status_code == 404


@pytest.mark.parametrize(
    ("clock", "label"),
    [
        ("2026-11-20 21:00", "Until tomorrow noon"),
        ("2026-11-20 01:00", "Until noon"),
        ("2026-11-20 09:00", "Until tomorrow noon"),
    ],
)
def test_until_tomorrow_leads_past_the_night(
    browser: Browser, sqlite_database: Database, now: datetime, clock: str, label: str
) -> None:
    have_window(sqlite_database, now)
    with time_machine.travel(datetime.fromisoformat(f"{clock}+00:00"), tick=False):
        assert browser.open("/queue").find("button", value="tomorrow").get_text() == label


def test_what_was_to_run_now_can_wait_for_the_night_after_all(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    have_window(sqlite_database, now)
    queued = queue_request(sqlite_database, world, now)
    browser.open("/queue")
    assert browser.page.find("button", formaction=f"/queue/{queued.id}/run-tonight") is None
    browser.send(f"/queue/{queued.id}/run-now", {})
    assert browser.page.find("button", formaction=f"/queue/{queued.id}/run-now") is None
    browser.send(f"/queue/{queued.id}/run-tonight", {})
    assert "from 22:30, 1 request" in browser.words()
    browser.send("/queue/changes", {"ids": ["1"]}, button={"action": "run_now"})
    browser.send("/queue/changes", {"ids": ["1"]}, button={"action": "run_tonight"})
    assert "1 request to run tonight." in browser.words()


def test_a_place_given_by_hand_is_taken_back(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    for _ in range(3):
        queue_request(sqlite_database, world, now)
    browser.open("/queue")
    browser.send("/queue/3/move", {}, button={"before_id": ""})
    assert titles(browser) == ["3", "1", "2"]
    browser.send("/queue/3/unpinning", {})
    assert titles(browser) == ["1", "2", "3"]
    assert browser.page.find("button", formaction="/queue/3/unpinning") is None
    assert post(browser, "/queue/99/unpinning").status_code == 404


def test_without_a_worker_it_is_said_that_nothing_is_begun(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    browser.open("/queue")
    assert "No worker runs" not in browser.words()
    queue_request(sqlite_database, world, now)
    assert "No worker runs, so nothing is begun." in " ".join(browser.open("/queue").main.get_text().split())
    with sqlite_database.transaction() as connection:
        replace_worker(connection, "desk/1700000000/42/1700000100", threads=1, backend_ids=None, now=now)
    assert "No worker runs" not in browser.open("/queue").main.get_text()
