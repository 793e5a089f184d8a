"""What asking reads in one statement, and many requests written in one."""

from datetime import datetime

import pytest

from forllm_server.db import Database, metadata
from forllm_server.queue.asking_store import PostAsked, count_waiting, find_post_asked
from forllm_server.queue.event_store import list_events
from forllm_server.queue.llm_request_store import get_llm_request, insert_new_llm_requests
from forllm_server.queue.model import Happening
from forllm_server.queue.version_store import get_versions
from tests.support.world import LOCAL_USER, World, insert_post, make_world, new_request, queue_request

FIRST = "Which file system for two disks?"


@pytest.fixture
def world(database: Database, now: datetime) -> World:
    return make_world(database, now)


def find(database: Database, post_id: int) -> PostAsked | None:
    with database.read() as connection:
        return find_post_asked(connection, post_id)


def change(database: Database, table: str, row_id: int, **values: object) -> None:
    rows = metadata.tables[table]
    with database.transaction() as connection:
        connection.execute(rows.update().where(rows.c.id == row_id).values(**values))


def test_a_post_is_told_with_the_length_of_what_stands_above_it(
    database: Database, world: World, now: datetime
) -> None:
    with database.transaction() as connection:
        second = insert_post(connection, world.topic_id, now, number=1)
    change(database, "posts", second, parent_id=world.post_id, content="x" * 10)
    assert find(database, second) == PostAsked(
        second, world.topic_id, world.subforum_id, False, len(FIRST) + 10, span=0, has_rates=False
    )
    change(database, "posts", second, deleted_at=now)
    found = find(database, second)
    assert found is not None
    assert found.is_deleted


@pytest.mark.parametrize("table", ["topics", "subforums"])
def test_what_lies_in_the_trash_is_not_there(database: Database, world: World, now: datetime, table: str) -> None:
    change(database, table, world.topic_id if table == "topics" else world.subforum_id, deleted_at=now)
    assert find(database, world.post_id) is None
    assert find(database, 404) is None


def test_the_span_is_never_less_than_what_is_queued(database: Database, world: World, now: datetime) -> None:
    asked = [queue_request(database, world, now).id for _ in range(5)]
    change(database, "llm_requests", asked[0], status="succeeded")
    change(database, "llm_requests", asked[2], status="succeeded")
    found = find(database, world.post_id)
    assert found is not None
    assert found.span == 4
    change(database, "llm_requests", asked[1], status="held")
    change(database, "llm_requests", asked[3], status="running")
    with database.read() as connection:
        assert count_waiting(connection, LOCAL_USER) == 2


def test_many_are_written_in_their_order_without_those_that_are_there(
    database: Database, world: World, now: datetime
) -> None:
    there = queue_request(database, world, now, answer_number=3)
    news = [new_request(world, answer_number=number) for number in (5, 3, 1, 5, 2)]
    with database.transaction() as connection:
        made = insert_new_llm_requests(connection, news, now)
    assert [each and each.answer_number for each in made] == [5, None, 1, None, 2]
    with database.read() as connection:
        for each in made:
            if each is not None:
                assert get_llm_request(connection, each.id) == each
                assert each.id != there.id
                assert [event.name for event in list_events(connection, each.id)] == [Happening.QUEUED]
        assert get_versions(connection, world.topic_id) == (2, 2)
