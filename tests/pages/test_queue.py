"""The queue page: the evening in a sentence, the plan, its acts and order, what needs a person, and pausing."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine

from forllm_server.db import Database, metadata
from forllm_server.queue.chunk_store import insert_chunk
from forllm_server.queue.model import LlmRequest
from forllm_server.queue.prompt_store import replace_prompt
from forllm_server.queue.version_store import bump_versions
from forllm_server.schedule.planning import add_window, new_window
from forllm_server.schedule.windows import DAYS
from forllm_server.settings.values import change_settings
from tests.pages.conftest import Browser
from tests.support.world import World, insert, insert_backend, insert_model, make_world, queue_request

BREAKDOWN = {
    "context_tokens": 4096, "context_source": "known", "reply_tokens": 1024, "margin_tokens": 0, "persona_tokens": 10,
    "post_tokens": 20, "ancestor_tokens": 0, "prompt_tokens": 30, "ancestor_count": 1, "omitted_post_ids": [1],
    "left_out_count": 0, "is_exact": True, "is_complete": False,
}  # fmt: skip
SCRIPT = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _clock(now: datetime) -> Iterator[None]:
    with time_machine.travel(now, tick=False):
        yield


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    return make_world(sqlite_database, now)


def change(database: Database, llm_request_id: int, **values: Any) -> None:
    requests = metadata.tables["llm_requests"]
    with database.transaction() as connection:
        connection.execute(requests.update().where(requests.c.id == llm_request_id).values(**values))
        bump_versions(connection, 1)


def fail(database: Database, world: World, now: datetime, cause: str, **values: Any) -> LlmRequest:
    queued = queue_request(database, world, now)
    change(database, queued.id, status="failed", cause=cause, cause_detail="It says why.", finished_at=now, **values)
    return queued


def run(database: Database, world: World, now: datetime, **values: Any) -> LlmRequest:
    queued = queue_request(database, world, now)
    started = now - timedelta(seconds=20)
    change(database, queued.id, status="running", run=1, started_at=started, first_token_at=started, **values)
    return queued


def have_answered(database: Database, world: World, now: datetime) -> None:
    """One reply of 300 tokens, at 10 a second: what everything is foretold from."""
    queued = queue_request(database, world, now)
    change(database, queued.id, status="succeeded", finished_at=now, output_tokens=300, usage={"prompt_tokens": 100})
    with database.transaction() as connection:
        insert(
            connection,
            "model_rates",
            model_id=world.model_id,
            prompt_tokens_per_second=100.0,
            generation_tokens_per_second=10.0,
            load_seconds=4.0,
            samples=1,
            updated_at=now,
        )


def have_window(database: Database, now: datetime, start: int = 22 * 60 + 30, end: int = 6 * 60) -> None:
    with database.transaction() as connection:
        change_settings(connection, {"timezone": "UTC"}, now)
        add_window(connection, new_window(days=DAYS, start_minute=start, end_minute=end), owner_id=1, now=now)


def titles(browser: Browser) -> list[str]:
    """The ids of the plan's rows, in their order."""
    return [row["id"].removeprefix("queued-") for row in browser.page.select("tr.line")]


def post(browser: Browser, path: str, **fields: Any) -> Any:
    token = browser.open("/subforums/new").find("input", attrs={"name": "csrf_token"})["value"]
    return browser.client.post(path, data={"csrf_token": token, **fields}, headers=fields.pop("headers", None))


def test_an_empty_queue_says_what_would_stand_here(browser: Browser) -> None:
    browser.open("/queue")
    assert "Nothing is queued" in browser.words()
    assert "A quiet night" in browser.words()


def test_every_list_is_there_and_another_is_refused(browser: Browser) -> None:
    for shown, path in (("plan", "/queue"), ("failed", "/queue"), ("done", "/queue/history")):
        browser.open(f"/queue?show={shown}")
        assert (browser.status, browser.path) == (200, path)
    browser.open("/queue?show=nonsense")
    assert browser.status == 422


def test_before_any_reply_has_finished_nothing_is_foretold(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    have_window(sqlite_database, now)
    queue_request(sqlite_database, world, now)
    browser.open("/queue")
    assert browser.page.h1.get_text() == "Tonight: 1 reply"
    assert "unknown until one reply has finished" in browser.words()
    assert browser.page.find("svg", class_="bar") is None


def test_the_evening_is_one_sentence_with_its_range_and_how_often_it_was_right(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    have_window(sqlite_database, now)
    have_answered(sqlite_database, world, now)
    with sqlite_database.transaction() as connection:
        moments = {"low_at": now, "middle_at": now, "high_at": now}
        insert(connection, "llm_estimates", llm_request_id=1, made_at=now, **moments)
    for _ in range(4):
        queue_request(sqlite_database, world, now, parameters={})
    browser.open("/queue")
    assert browser.page.h1.get_text() == "Tonight: 4 replies, done by 22:32"
    assert "likely 22:31–22:3" in browser.words()
    assert "1 of the last 1 inside the range" in browser.words()


def test_the_window_is_a_picture_with_words_and_a_table(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    have_window(sqlite_database, now)
    have_answered(sqlite_database, world, now)
    queue_request(sqlite_database, world, now, parameters={})
    browser.open("/queue")
    picture = browser.page.find("svg", class_="bar")
    assert picture.title.get_text() == "The window on Desk, by model"
    assert picture.desc.get_text() == "Desk: qwen3:8b from 22:30 to 22:30".removeprefix("Desk: ")
    cells = [cell.get_text() for cell in browser.page.select("table.for-readers td")]
    assert cells == ["Desk", "qwen3:8b", "1", "22:30", "22:30"]


def test_the_plan_names_question_persona_model_place_and_time(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    have_answered(sqlite_database, world, now)
    for _ in range(2):
        queue_request(sqlite_database, world, now, parameters={})
    browser.open("/queue")
    words = browser.words()
    assert "qwen3:8b on Desk, 2 requests" in words
    first, second = (" ".join(row.get_text(" ").split()) for row in browser.page.select("tr.line"))
    assert "1 ZFS or Btrfs? Which file system for two disks?" in first
    assert "Assistant v1" in first
    assert "21:00 21:00–21:01" in first
    assert " 2 ZFS or Btrfs?" in second
    assert "Waits for those before it on Desk." in words


def test_what_is_being_written_shows_its_growing_end_and_its_speed(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    running = run(sqlite_database, world, now, output_tokens=100)
    with sqlite_database.transaction() as connection:
        insert_chunk(connection, running.id, run=1, seq=0, text="word " * 200 + "the end", thinking="")
    browser.open("/queue")
    article = browser.page.find("article", id=f"running-{running.id}")
    assert article.find(class_="pending__text").get_text().startswith("…word")
    assert article.find(class_="pending__text").get_text().endswith("the end")
    assert "100 tokens, 5.0 a second" in article.get_text()


def test_the_poll_is_304_until_something_changes_and_sends_only_what_grows(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    running = run(sqlite_database, world, now, output_tokens=3)
    queue_request(sqlite_database, world, now)
    element = browser.open("/queue").find("forllm-queue")
    path, headers = f"/queue/updates?known={element['data-known']}", {"If-None-Match": element["data-tag"]}
    assert browser.client.get(path, headers=headers).status_code == 304
    requests = metadata.tables["llm_requests"]
    with sqlite_database.transaction() as connection:
        connection.execute(requests.update().where(requests.c.id == running.id).values(output_tokens=9))
    grown = browser.client.get(path, headers=headers).get_data(as_text=True)
    assert "9 tokens" in grown
    assert "tr class" not in grown
    queue_request(sqlite_database, world, now)
    answer = browser.client.get(path, headers=headers)
    assert answer.get_data(as_text=True).count('<tr class="line ') == 2
    assert browser.client.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


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


def test_failures_are_grouped_by_cause_each_with_the_action_that_mends_it(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    for _ in range(3):
        fail(sqlite_database, world, now, "model_gone", model_name="mistral:7b")
    fail(sqlite_database, world, now, "prompt_too_long")
    fail(sqlite_database, world, now, "backend_down")
    fail(sqlite_database, world, now, "subject_gone")
    fail(sqlite_database, world, now, "internal")
    browser.open("/queue")
    needs = {" ".join(need.h3.get_text(" ").split()): need for need in browser.page.select("form.need")}
    assert next(iter(needs)) == "mistral:7b is not there any more 3 replies"
    assert needs["mistral:7b is not there any more 3 replies"].find("select", attrs={"name": "model_id"})
    assert needs["Too long for qwen3:8b 1 reply"].find("button", attrs={"value": "requeue"})
    assert needs["Desk cannot be reached 1 reply"].find("button", formaction=f"/backends/{world.backend_id}/probe")
    assert needs["The question was deleted 1 reply"].find("a", href="/trash")
    assert needs["FORLLM itself stumbled 1 reply"].find("button", attrs={"value": "retry"})


def test_a_model_that_is_gone_is_mended_by_asking_another(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    for _ in range(2):
        fail(sqlite_database, world, now, "model_gone", model_name="mistral:7b")
    browser.open("/queue?show=failed")
    browser.send("/queue/changes", {"model_id": str(world.model_id)}, button={"action": "requeue"})
    assert "2 requests given to the other model." in browser.words()
    assert "Nothing needs you" in browser.words()
    browser.open("/queue")
    assert "qwen3:8b on Desk, 2 requests" in browser.words()


def test_what_waits_for_a_disabled_backend_needs_a_person_too(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queue_request(sqlite_database, world, now)
    backends = metadata.tables["backends"]
    with sqlite_database.transaction() as connection:
        connection.execute(backends.update().where(backends.c.id == world.backend_id).values(is_enabled=False))
    browser.open("/queue")
    assert "Desk is disabled 1 reply waits" in browser.words()
    browser.send(f"/backends/{world.backend_id}/state", {}, button={"is_enabled": "1"})
    browser.open("/queue")
    assert "Desk is disabled" not in browser.words()


def test_all_that_failed_can_be_queued_again_at_once(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    for _ in range(3):
        fail(sqlite_database, world, now, "error")
    browser.open("/queue?show=failed")
    browser.send("/queue/failed/retry", {})
    assert "3 requests queued again." in browser.words()


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


def test_a_request_shows_its_exact_prompt_and_where_the_tokens_went(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queued = queue_request(sqlite_database, world, now)
    assert "It is built when a model begins" in browser.open(f"/queue/{queued.id}").get_text()
    messages = [{"role": "system", "content": "You are <b>helpful</b>."}, {"role": "user", "content": "Which?"}]
    with sqlite_database.transaction() as connection:
        replace_prompt(connection, queued.id, layout="x", messages=messages, breakdown=BREAKDOWN, now=now)
    page = browser.open(f"/queue/{queued.id}")
    assert "You are <b>helpful</b>." in [pre.get_text() for pre in page.find_all("pre")]
    assert "30 of 4,096 tokens" in browser.words()
    assert "Left out to fit: 1 post: You" in browser.words()
    browser.open("/queue/99")
    assert browser.status == 404


def test_a_request_shows_what_happened_step_by_step_and_what_was_foretold(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queued = queue_request(sqlite_database, world, now)
    browser.open("/queue")
    browser.send(f"/queue/{queued.id}/hold", {})
    usage = {"prompt_tokens": 900, "cached_tokens": 600, "completion_tokens": 50, "generation_seconds": 5.0}
    energy = {
        "watt_hours": 3.2,
        "is_energy_measured": False,
        "energy_source": "100 W",
        "cost": 0.001,
        "currency": "EUR",
    }
    change(sqlite_database, queued.id, status="succeeded", finished_at=now, usage=usage | energy)
    with sqlite_database.transaction() as connection:
        moments = {"low_at": now + timedelta(minutes=1), "middle_at": now, "high_at": now + timedelta(minutes=9)}
        insert(connection, "llm_estimates", llm_request_id=queued.id, made_at=now, **moments)
    browser.open(f"/queue/{queued.id}")
    assert [" ".join(step.get_text(" ").split()[1:]) for step in browser.page.select("ol.steps li")] == [
        "asked",
        "set aside",
    ]
    words = browser.words()
    assert "it was sooner" in words
    assert "900 tokens, 600 of them from the cache" in words
    assert "10.0 tokens a second" in words
    assert "3.20 Wh, estimated (100 W); 0.0010 EUR" in words


def test_the_history_is_filtered_and_paged(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    for number in range(105):
        queued = queue_request(sqlite_database, world, now)
        change(sqlite_database, queued.id, status="succeeded" if number % 2 else "cancelled", finished_at=now)
    browser.open("/queue/history")
    assert len(browser.page.select("table.plan tbody tr")) == 100
    browser.open(browser.page.find("a", rel="next")["href"])
    assert len(browser.page.select("table.plan tbody tr")) == 5
    browser.open("/queue/history?status=succeeded&persona_id=1&model_id=1")
    assert len(browser.page.select("table.plan tbody tr")) == 52
    browser.open("/queue/history?persona_id=9")
    assert "No LLM request fits" in browser.words()
    browser.open("/queue/history?status=nonsense")
    assert browser.status == 422
    browser.open("/queue/history?after=nonsense")
    assert browser.status == 400


def test_a_longer_queue_costs_no_more_queries(
    browser: Browser,
    world: World,
    sqlite_database: Database,
    now: datetime,
    count_queries: Callable[[Callable[[], object]], int],
) -> None:
    have_answered(sqlite_database, world, now)

    def one_of_each() -> None:
        queue_request(sqlite_database, world, now)
        fail(sqlite_database, world, now, "error")
        run(sqlite_database, world, now)

    def queries() -> list[int]:
        paths = ("/queue", "/queue?show=failed", "/queue/history", "/queue/updates", "/workers")
        return [count_queries(partial(browser.open, path)) for path in paths]

    one_of_each()
    few = queries()
    for _ in range(12):
        one_of_each()
    assert queries() == few
