"""What was: the history of the queue, what failed and needs a person, and one LLM request in full."""

from datetime import datetime, timedelta

from forllm_server.db import Database, metadata
from forllm_server.queue.chunk_store import insert_chunk
from forllm_server.queue.prompt_store import replace_prompt
from tests.pages.conftest import Browser
from tests.pages.queue_stage import change, clock_stands, fail, world
from tests.support.world import World, insert, queue_request

__all__ = ["clock_stands", "world"]

BREAKDOWN = {
    "context_tokens": 4096, "context_source": "known", "reply_tokens": 1024, "margin_tokens": 0, "persona_tokens": 10,
    "post_tokens": 20, "ancestor_tokens": 0, "prompt_tokens": 30, "ancestor_count": 1, "omitted_post_ids": [1],
    "left_out_count": 0, "is_exact": True, "is_complete": False,
}  # fmt: skip


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
    assert len(browser.page.select("form.need")) == 3
    browser.open(browser.page.find("a", string="2 more causes")["href"])
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
    browser.open("/queue/history?subforum_id=1&text=FILE+system&status=cancelled")
    assert len(browser.page.select("table.plan tbody tr")) == 53
    assert browser.page.find("input", attrs={"name": "text"})["value"] == "FILE system"
    browser.open("/queue/history?text=roses")
    assert "No LLM request fits" in browser.words()
    for wrong in ("text=" + "x" * 201, "text=%00", "subforum_id=one"):
        browser.open(f"/queue/history?{wrong}")
        assert browser.status == 422
    browser.open("/queue/history?persona_id=9")
    assert "No LLM request fits" in browser.words()
    browser.open("/queue/history?status=nonsense")
    assert browser.status == 422
    browser.open("/queue/history?after=nonsense")
    assert browser.status == 400


def test_kept_text_of_what_failed_or_was_cancelled_can_be_posted(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    failed = fail(sqlite_database, world, now, "error")
    browser.open(f"/queue/{failed.id}")
    assert "Post this text" not in browser.words()
    with sqlite_database.transaction() as connection:
        insert_chunk(connection, failed.id, run=0, seq=0, text="Half a thought", thinking="")
    browser.open(f"/queue/{failed.id}")
    assert "Half a thought" in browser.words()
    browser.send(f"/queue/{failed.id}/partial-reply", {})
    assert browser.path.startswith("/topics/")
    assert "Half a thought" in browser.words()
    browser.open(f"/queue/{failed.id}")
    assert "Post this text" not in browser.words()
