"""When things will be done: learned from real answers, foretold in words, and scored by what came."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from forllm_server import clock
from forllm_server.db import Database, metadata
from forllm_server.jobs.forecast import (
    Addition,
    NewAsk,
    done_by_words,
    estimate_waiting,
    forecast,
    forecast_for_new,
)
from forllm_server.jobs.planning import NightPlan
from forllm_server.jobs.previewing import Draft, estimate
from forllm_server.jobs.standing import list_standings
from forllm_server.queue import backend_state_store, estimate_store, pausing, rate_store
from forllm_server.queue.estimate import DoneBy
from forllm_server.queue.llm_request_store import get_llm_request, insert_llm_requests
from forllm_server.queue.model import Lane, LlmRequest, Status
from forllm_server.schedule.planning import add_window, new_window
from forllm_server.schedule.windows import DAYS
from forllm_server.settings.values import change_settings
from tests.jobs.conftest import Evening
from tests.support.scripted_server import Script
from tests.support.world import LOCAL_USER, World, insert_model, make_world, new_request, queue_request

#: 1,000 tokens read in 2 s and 300 written in 30 s: with these numbers a request takes 32 s, at most 62 s.
USAGE = {
    "prompt_tokens": 1000,
    "cached_tokens": 0,
    "completion_tokens": 300,
    "load_seconds": 4.0,
    "prompt_seconds": 2.0,
    "generation_seconds": 30.0,
    "is_estimated": False,
}
USUAL_SECONDS, LOADING_SECONDS = 32, 4


def queue(database: Database, world: World, now: datetime, **changes: object) -> LlmRequest:
    return queue_request(database, world, now, **({"parameters": {}} | changes))


def set_rows(database: Database, llm_request_id: int, **values: Any) -> None:
    rows = metadata.tables["llm_requests"]
    with database.transaction() as connection:
        connection.execute(rows.update().where(rows.c.id == llm_request_id).values(**values))


def have_answered(database: Database, world: World, now: datetime, *, model_id: int | None = None) -> int:
    """One finished answer, from which everything is learned."""
    model_id = model_id or world.model_id
    done = queue(database, world, now, model_id=model_id)
    set_rows(database, done.id, status="succeeded", usage=USAGE, output_tokens=300, finished_at=now)
    with database.transaction() as connection:
        rate_store.replace_rates(connection, model_id, USAGE, now)
    return done.id


def run(database: Database, llm_request_id: int, started_at: datetime) -> None:
    set_rows(database, llm_request_id, status="running", started_at=started_at)


def close_until(database: Database, now: datetime, opens_at: datetime, *, hours: int = 2) -> None:
    minute = opens_at.hour * 60 + opens_at.minute
    window = new_window(days=list(DAYS), start_minute=minute, end_minute=(minute + hours * 60) % 1440, timezone="UTC")
    with database.transaction() as connection:
        add_window(connection, window, owner_id=LOCAL_USER, now=now)


@pytest.fixture
def world(database: Database, now: datetime) -> World:
    with database.transaction() as connection:
        change_settings(connection, {"timezone": "UTC"}, now)
    return make_world(database, now)


def test_nothing_is_foretold_before_a_reply_has_finished(database: Database, world: World, now: datetime) -> None:
    queue(database, world, now)
    with database.read() as connection:
        told = forecast(connection, now)
    assert (told.all_done_by, told.unknown_count, dict(told.done_by)) == (None, 1, {})
    assert told.score.share is None


def test_a_line_is_foretold_one_after_another(database: Database, world: World, now: datetime) -> None:
    have_answered(database, world, now)
    asked = [queue(database, world, now).id for _ in range(3)]
    with database.read() as connection:
        told = forecast(connection, now)
    first = now + timedelta(seconds=USUAL_SECONDS + LOADING_SECONDS)
    assert told.starts_at[asked[0]] == now
    assert told.done_by[asked[0]].middle_at == first
    assert told.done_by[asked[2]].middle_at == first + 2 * timedelta(seconds=USUAL_SECONDS)
    assert told.all_done_by == told.done_by[asked[2]]
    assert told.machine_seconds == 3 * USUAL_SECONDS + LOADING_SECONDS
    assert [group.llm_request_ids for group in told.groups] == [tuple(asked)]
    assert told.words(asked[0]) == "done by 21:01 (21:01-21:02)"
    assert told.words(404) == ""


def test_what_runs_is_nearly_done_and_the_next_begins_then(database: Database, world: World, now: datetime) -> None:
    have_answered(database, world, now)
    running, queued = (queue(database, world, now).id for _ in range(2))
    run(database, running, now - timedelta(seconds=12))
    with database.read() as connection:
        told = forecast(connection, now)
    assert told.done_by[running].middle_at == now + timedelta(seconds=20)
    assert told.starts_at[queued] == now + timedelta(seconds=20)


def test_a_closed_window_moves_the_night_only(database: Database, world: World, now: datetime) -> None:
    have_answered(database, world, now)
    opens_at = now + timedelta(minutes=90)
    close_until(database, now, opens_at)
    night = queue(database, world, now).id
    live = queue(database, world, now, lane=Lane.LIVE).id
    with database.read() as connection:
        told = forecast(connection, now)
    assert told.starts_at[night] == opens_at
    assert told.starts_at[live] == now
    assert [(group.llm_request_ids, group.opens_at) for group in told.groups] == [
        ((live,), None),
        ((night,), opens_at),
    ]


def test_a_pause_with_an_end_delays_and_one_without_leaves_nothing_to_foretell(
    database: Database, world: World, now: datetime
) -> None:
    have_answered(database, world, now)
    asked = queue(database, world, now).id
    until = now + timedelta(hours=1)
    with database.transaction() as connection:
        pausing.pause(connection, backend_id=world.backend_id, until=until, reason="GPU in use", now=now)
        assert forecast(connection, now).starts_at[asked] == until
        pausing.pause(connection, backend_id=None, until=None, reason="", now=now)
        assert forecast(connection, now).unknown_count == 1


def test_an_unreachable_backend_is_foretold_from_its_next_try(database: Database, world: World, now: datetime) -> None:
    have_answered(database, world, now)
    asked = queue(database, world, now).id
    again_at = now + timedelta(minutes=3)
    with database.transaction() as connection:
        backend_state_store.insert_failure(connection, world.backend_id, error="refused", now=now)
        backend_state_store.update_open_until(connection, world.backend_id, open_until=again_at)
        assert forecast(connection, now).starts_at[asked] == again_at


def test_what_waits_for_its_next_try_comes_when_it_is_due_and_what_is_held_never(
    database: Database, world: World, now: datetime
) -> None:
    have_answered(database, world, now)
    waiting, held = (queue(database, world, now).id for _ in range(2))
    due_at = now + timedelta(minutes=10)
    set_rows(database, waiting, status="waiting", due_at=due_at)
    set_rows(database, held, status="held")
    with database.read() as connection:
        told = forecast(connection, now)
    assert told.starts_at == {waiting: due_at}
    assert told.unknown_count == 0
    assert told.counts[Status.HELD] == 1


def test_a_model_that_is_swapped_is_loaded_again(database: Database, world: World, now: datetime) -> None:
    with database.transaction() as connection:
        other = insert_model(connection, world.backend_id, now, name="llama3.1:8b")
    for model_id in (world.model_id, other):
        have_answered(database, world, now, model_id=model_id)
    for model_id in (world.model_id, other, world.model_id):
        queue(database, world, now, model_id=model_id)
    with database.read() as connection:
        told = forecast(connection, now)
    # The two of one model are served together: two models are loaded, not three.
    assert told.machine_seconds == 3 * USUAL_SECONDS + 2 * LOADING_SECONDS
    assert [len(group.llm_request_ids) for group in told.groups] == [2, 1]


def test_the_end_of_a_very_long_line_is_counted(
    database: Database, world: World, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_answered(database, world, now)
    with database.transaction() as connection:
        news = [new_request(world, parameters={}, answer_number=1000 + number) for number in range(100)]
        insert_llm_requests(connection, news, now)
        whole = forecast(connection, now)
        monkeypatch.setattr("forllm_server.jobs.lines.LONGEST_PLAN", 20)
        counted = forecast(connection, now)
    assert (len(whole.plan), len(counted.plan)) == (100, 20)
    assert counted.unknown_count == whole.unknown_count == 0
    assert counted.machine_seconds == pytest.approx(whole.machine_seconds)
    assert whole.all_done_by is not None
    assert counted.all_done_by is not None
    assert counted.all_done_by.middle_at == whole.all_done_by.middle_at


def test_the_composer_is_told_what_asking_adds(database: Database, world: World, now: datetime) -> None:
    ask = NewAsk(world.backend_id, world.model_id, persona_id=1, persona_version_id=1, topic_id=world.topic_id)
    with database.read() as connection:
        unknown = forecast_for_new(connection, [ask], now)
    assert unknown.words == "adds 1 reply; how long that takes is unknown until one reply of the model has finished"
    have_answered(database, world, now)
    for _ in range(60):
        queue(database, world, now)
    with database.read() as connection:
        added = forecast_for_new(connection, [ask] * 3, now)
        before = forecast(connection, now)
    assert added.machine_seconds == 3 * USUAL_SECONDS
    assert before.all_done_by is not None
    assert added.done_by is not None
    assert added.done_by.middle_at == before.all_done_by.middle_at + timedelta(seconds=3 * USUAL_SECONDS)
    assert added.words.startswith("adds 3 replies, about 2 min on this machine, done by 21:34 (21:2")
    with database.transaction() as connection:
        pausing.pause(connection, backend_id=None, until=None, reason="", now=now)
        paused = forecast_for_new(connection, [ask], now)
    assert paused.words == "adds 1 reply, about 1 min on this machine; when it will be done is not known now"


def test_times_are_told_in_the_forums_zone_and_with_the_day_when_it_is_another() -> None:
    now = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
    low, middle, high = (now + timedelta(hours=each) for each in (6, 7, 30))
    zone = ZoneInfo("Europe/Berlin")
    assert done_by_words(DoneBy(low, middle, high), now, zone) == "done by 05:00 (04:00-Sun 04:00)"
    assert done_by_words(DoneBy(middle, middle, middle), now, zone) == "done by 05:00"
    assert Addition(1, 60.0, DoneBy(low, middle, middle), now, zone).words.endswith("done by 05:00 (04:00-05:00)")


def test_estimates_made_later_are_made_once(database: Database, world: World, now: datetime) -> None:
    assert estimate_waiting(database, now) == 0
    queue(database, world, now)
    assert estimate_waiting(database, now) == 0
    have_answered(database, world, now)
    assert estimate_waiting(database, now) == 1
    assert estimate_waiting(database, now) == 0


@pytest.mark.parametrize(("seconds", "hits"), [(36, 1), (600, 0), (0, 0)])
def test_estimates_are_scored_by_what_came(
    database: Database, world: World, now: datetime, seconds: int, hits: int
) -> None:
    have_answered(database, world, now)
    asked = queue(database, world, now).id
    estimate_waiting(database, now)
    set_rows(database, asked, status="succeeded", finished_at=now + timedelta(seconds=seconds))
    with database.read() as connection:
        score = forecast(connection, now).score
    assert (score.hits, score.counted, score.share) == (hits, 1, float(hits))


def test_a_long_queue_is_foretold_with_few_queries(database: Database, world: World, now: datetime) -> None:
    have_answered(database, world, now)
    with database.transaction() as connection:
        insert_llm_requests(
            connection, [new_request(world, parameters={}, answer_number=9 + each) for each in range(300)], now
        )
    with database.read() as connection:
        statements: list[str] = []
        with counted_statements(database, statements):
            told = forecast(connection, now)
    assert len(told.done_by) == 300
    assert len(statements) <= 20


@contextmanager
def counted_statements(database: Database, statements: list[str]) -> Iterator[None]:
    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield
    event.remove(database.engine, "before_cursor_execute", note)


# -- through the whole job


def test_rates_are_learned_from_real_answers_and_used_when_the_next_is_asked(evening: Evening) -> None:
    evening.server.script(Script(tokens=("word ",) * 20, delay=0.002, prompt_tokens=400))
    first = evening.ask()
    with evening.database.read() as connection:
        assert estimate_store.find_estimate(connection, first.request.id) is None
    assert evening.run()
    with evening.database.read() as connection:
        rates = rate_store.find_rates(connection, evening.world.model_id)
        assert rates is not None
        assert rates.generation_tokens_per_second is not None
        assert rates.samples == 1
    second = evening.ask(is_another=True)
    with evening.database.read() as connection:
        foretold = estimate_store.find_estimate(connection, second.request.id)
    assert foretold is not None
    assert foretold.low_at <= foretold.middle_at <= foretold.high_at
    assert foretold.middle_at - second.request.created_at < timedelta(seconds=60)


def test_a_question_knows_about_how_long_its_prompt_will_be(evening: Evening) -> None:
    asked = evening.ask()
    assert asked.request.input["prompt_tokens"] == pytest.approx(
        (len("Which file system for two disks?") + len("You are a helpful assistant.")) / 3.3, abs=1
    )


def test_a_paused_backend_is_not_claimed_from_and_says_so(evening: Evening) -> None:
    asked = evening.ask(is_run_now=True)
    now = clock.now()
    with evening.database.transaction() as connection:
        pausing.pause(
            connection,
            backend_id=evening.world.backend_id,
            until=now + timedelta(hours=1),
            reason="GPU in use",
            now=now,
        )
        backends = NightPlan().backends(connection, now)
        told = list_standings(connection, [get_llm_request(connection, asked.request.id)], now)[asked.request.id]
    assert evening.world.backend_id not in [backend.id for backend in backends]
    assert (told.label, told.cause) == ("paused", "paused")
    assert told.sentence.startswith("Paused until ")
    assert told.sentence.endswith(": GPU in use.")
    assert not evening.run()
    with evening.database.transaction() as connection:
        pausing.resume(connection, backend_id=evening.world.backend_id)
    assert evening.run()


def test_a_draft_knows_what_it_would_add(evening: Evening) -> None:
    draft = Draft("And for four disks?", parent_id=evening.world.post_id)
    with evening.database.read() as connection:
        told = estimate(connection, draft)
    assert told.new_ask is not None
    assert told.breakdown is not None
    assert told.new_ask.prompt_tokens == told.breakdown.prompt_tokens
    assert (told.new_ask.model_id, told.new_ask.topic_id) == (evening.world.model_id, evening.world.topic_id)
    evening.ask()
    evening.run()
    with evening.database.read() as connection:
        added = forecast_for_new(connection, [told.new_ask], clock.now())
    assert added.number == 1
