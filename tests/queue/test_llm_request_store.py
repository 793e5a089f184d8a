from datetime import datetime, timedelta

import pytest

from forllm_server.db import Database
from forllm_server.errors import NotFound
from forllm_server.queue import llm_request_store as store
from forllm_server.queue.model import Lane, Status
from forllm_server.queue.version_store import get_versions
from tests.support.world import insert_post, make_world, new_request, queue_request


def test_what_was_asked_is_read_back_whole(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    asked = queue_request(database, world, now, priority=3, parameters={"max_tokens": 7, "stop": ["##"]})
    with database.read() as connection:
        found = store.get_llm_request(connection, asked.id)
    assert found == asked
    assert (found.status, found.priority, found.created_at) == (Status.QUEUED, 3, now)
    assert found.parameters == {"max_tokens": 7, "stop": ["##"]}


def test_an_unknown_request_is_not_found(database: Database) -> None:
    with database.read() as connection, pytest.raises(NotFound):
        store.get_llm_request(connection, 404)


def test_a_double_click_finds_the_request_that_is_there(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    with database.transaction() as connection:
        first = store.insert_llm_request(connection, new_request(world), now)
        second = store.insert_llm_request(connection, new_request(world), now)
        twin = store.find_live_twin(connection, new_request(world))
    assert second is None
    assert twin == first


def test_another_answer_on_purpose_is_a_request_of_its_own(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    with database.transaction() as connection:
        store.insert_llm_request(connection, new_request(world), now)
        asked = store.count_answers(connection, post_id=world.post_id, persona_id=1, model_id=world.model_id)
        other = store.insert_llm_request(connection, new_request(world, answer_number=asked + 1), now)
    assert other is not None


def test_every_change_moves_the_versions_of_its_topic_and_of_the_queue(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    with database.read() as connection:
        assert get_versions(connection, world.topic_id) == (0, 0)
    asked = queue_request(database, world, now)
    with database.transaction() as connection:
        store.update_status(connection, asked.id, from_statuses=(Status.QUEUED,), values={"priority": 1})
        assert get_versions(connection, world.topic_id) == (2, 2)
        assert get_versions(connection, world.topic_id + 1) == (0, 2)


def test_the_list_pages_backwards_by_id_and_filters_by_status(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    ids = [queue_request(database, world, now).id for _ in range(5)]
    with database.transaction() as connection:
        store.update_status(
            connection, ids[0], from_statuses=(Status.QUEUED,), values={"status": "cancelled", "finished_at": now}
        )
        newest = store.list_llm_requests(connection, limit=2)
        older = store.list_llm_requests(connection, before_id=newest[-1].id, limit=2)
        cancelled = store.list_llm_requests(connection, statuses=[Status.CANCELLED], limit=10)
    assert [request.id for request in newest + older] == ids[:0:-1]
    assert [request.id for request in cancelled] == [ids[0]]


def test_positions_follow_the_order_of_the_claim(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    late = queue_request(database, world, now + timedelta(minutes=1))
    urgent = queue_request(database, world, now, priority=5)
    live = queue_request(database, world, now, lane=Lane.LIVE)
    with database.read() as connection:
        assert store.list_positions(connection) == {live.id: 1, urgent.id: 2, late.id: 3}


def test_a_thread_is_told_of_all_that_did_not_become_a_reply(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    waiting, failed, done = (queue_request(database, world, now) for _ in range(3))
    with database.transaction() as connection:
        other_post = insert_post(connection, world.topic_id, now, number=1)
        for request, status in ((failed, "failed"), (done, "succeeded")):
            store.update_status(connection, request.id, from_statuses=(Status.QUEUED,), values={"status": status})
        found = store.list_unanswered_of_posts(connection, world.topic_id, [world.post_id])
        none = store.list_unanswered_of_posts(connection, world.topic_id, [other_post])
    assert [request.id for request in found] == [waiting.id, failed.id]
    assert none == []


def test_many_are_added_in_one_go(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    with database.transaction() as connection:
        store.insert_llm_requests(
            connection, [new_request(world, answer_number=number) for number in range(1, 301)], now
        )
        assert store.count_by_status(connection) == {Status.QUEUED: 300}
        assert store.has_queued(connection)
