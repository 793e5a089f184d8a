"""A branch that is moved while somebody writes into it: nothing is lost, nothing stays behind."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection

from forllm_server.db import Database
from forllm_server.forum import arranging, editing, post_store, topic_store
from tests.forum.world import EVENING, answer, open_topic, reply, start_topic


def move(connection: Connection, how: str, topic_id: int, post_id: int, root_id: int) -> int:
    """Split the post off, or merge its topic below ``root_id``; the topic that the post is in then."""
    if how == "split":
        return arranging.split_post(connection, post_id, title="Branch").first.topic_id
    return arranging.merge_topic(connection, topic_id, into_post_id=root_id, now=EVENING).first.topic_id


@pytest.mark.parametrize("how", ["split", "merge"])
def test_an_answer_that_waits_for_a_move_goes_where_the_question_is(database: Database, how: str) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        question = reply(connection, root.id)
        _, other_root = open_topic(connection, topic.subforum_id, "Other")

    def write() -> int:
        with database.transaction() as connection:
            return editing.answer_post(connection, answer(question.id), EVENING)

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as connection:
            topic_id = move(connection, how, topic.id, question.id, other_root.id)
            written = pool.submit(write)
            time.sleep(0.2)
            assert not written.done()
        post_id = written.result(timeout=20)
    assert_whole(database, topic_id, post_id)


@pytest.mark.parametrize("how", ["split", "merge"])
def test_a_move_that_waits_for_an_answer_takes_it_along(database: Database, how: str) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        question = reply(connection, root.id)
        _, other_root = open_topic(connection, topic.subforum_id, "Other")

    def act() -> int:
        with database.transaction() as connection:
            return move(connection, how, topic.id, question.id, other_root.id)

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as connection:
            post_id = editing.answer_post(connection, answer(question.id), EVENING)
            moved = pool.submit(act)
            time.sleep(0.2)
            assert not moved.done()
        topic_id = moved.result(timeout=20)
    assert_whole(database, topic_id, post_id)


def assert_whole(database: Database, topic_id: int, post_id: int) -> None:
    with database.read() as connection:
        post = post_store.get_post(connection, post_id)
        thread = post_store.list_page(connection, topic_id, limit=50)
        assert post.topic_id == topic_id
        assert post_id in [one.id for one in thread]
        assert topic_store.get_topic(connection, topic_id).post_count == len(thread)
