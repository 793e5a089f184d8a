"""What hooks hear of the queue: failures, however they come about."""

from datetime import datetime, timedelta

from forllm_server.db import Database
from forllm_server.forum.editing import edit_post
from forllm_server.jobs.chores import fail_those_of_deleted_backends
from forllm_server.queue.claiming import ClaimableBackend, claim, rescue_expired
from tests.hooks.making import add, calls
from tests.jobs.conftest import Evening
from tests.support.world import LOCAL_USER, make_world, queue_request

EVENTS = ["llm_request.failed", "reply.posted"]


def test_a_failure_is_told_with_its_cause_and_an_answer_as_a_reply(evening: Evening, now: datetime) -> None:
    database, post_id = evening.database, evening.world.post_id
    add(database, now, events=EVENTS)
    answered = evening.ask()
    evening.run()
    with database.transaction() as connection:
        edit_post(connection, post_id, content="word " * 9000, editor_id=LOCAL_USER, now=now)
    failed = evening.ask(is_another=True)
    evening.run()
    reply, failure = calls(database)
    assert (reply.event, reply.facts["post_id"]) == ("reply.posted", evening.get(answered).reply_post_id)
    assert (failure.event, failure.facts["llm_request_id"]) == ("llm_request.failed", failed.request.id)
    assert (failure.facts["cause"], failure.facts["post_id"]) == ("prompt_too_long", post_id)
    assert failure.facts["detail"] == evening.get(failed).cause_detail


def test_one_whose_worker_is_lost_again_and_again_is_told_once(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    add(database, now, events=EVENTS)
    queue_request(database, world, now, max_attempts=2)
    for round_number in range(2):
        start = now + timedelta(hours=round_number)
        with database.transaction() as connection:
            assert claim(
                connection, backends=[ClaimableBackend(world.backend_id, 1, is_window_open=True)], worker="w", now=start
            )
        with database.transaction() as connection:
            rescue_expired(connection, start + timedelta(minutes=1), lambda: 0.5)
    assert [(call.event, call.facts["cause"]) for call in calls(database)] == [("llm_request.failed", "worker_lost")]


def test_one_whose_backend_was_deleted_is_told(evening: Evening, now: datetime) -> None:
    add(evening.database, now, events=EVENTS)
    evening.ask()
    evening.change("backends", evening.world.backend_id, deleted_at=now)
    assert fail_those_of_deleted_backends(evening.database, now) == 1
    assert [call.facts["cause"] for call in calls(evening.database)] == ["model_gone"]
