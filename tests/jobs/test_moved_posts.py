"""What is asked about posts that are moved meanwhile ends in exactly one reply, in the topic where the question is."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from forllm_server import clock
from forllm_server.forum import arranging, post_store, topic_store
from forllm_server.forum.editing import add_reply
from forllm_server.forum.model import Post
from forllm_server.forum.topics import open_topic
from forllm_server.queue.llm_request_store import get_llm_request, list_unanswered_of_posts
from forllm_server.queue.model import Status
from tests.jobs.conftest import Evening
from tests.support.scripted_server import Script
from tests.support.world import LOCAL_USER

Move = Callable[[Evening, Post], int]


def merge(evening: Evening, question: Post) -> int:
    """Merge the question's topic into another one; that topic's id."""
    with evening.database.transaction() as connection:
        other, root = open_topic(
            connection,
            owner_id=LOCAL_USER,
            subforum_id=evening.world.subforum_id,
            title="Other",
            content="x",
            now=clock.now(),
        )
        arranging.merge_topic(connection, question.topic_id, into_post_id=root.id, now=clock.now())
    return other.id


def split(evening: Evening, question: Post) -> int:
    """Make the question a topic of its own; that topic's id."""
    with evening.database.transaction() as connection:
        return arranging.split_post(connection, question.id, title="Its own").first.topic_id


def reply_to_root(evening: Evening) -> Post:
    with evening.database.transaction() as connection:
        return add_reply(
            connection, owner_id=LOCAL_USER, parent_id=evening.world.post_id, content="And ext4?", now=clock.now()
        )


@pytest.mark.parametrize("move", [merge, split])
def test_a_waiting_question_follows_its_post(evening: Evening, move: Move) -> None:
    question = reply_to_root(evening)
    asked = evening.ask(post_id=question.id)
    topic_id = move(evening, question)
    assert evening.get(asked).topic_id == topic_id
    with evening.database.read() as connection:
        assert [one.id for one in list_unanswered_of_posts(connection, topic_id, [question.id])] == [asked.request.id]
    assert evening.run()
    assert_one_reply(evening, asked.request.id, question.id, topic_id)


@pytest.mark.parametrize("move", [merge, split])
def test_a_running_question_ends_in_one_reply_in_the_new_topic(
    evening: Evening, move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = reply_to_root(evening)
    asked = evening.ask(post_id=question.id)
    evening.server.script(Script(tokens=("No", ".")))
    topic_ids: list[int] = []
    kind = evening.pool.kinds["reply"]
    post = kind._post

    def moved_while_it_wrote(*args: object) -> None:
        topic_ids.append(move(evening, question))
        post(*args)

    monkeypatch.setattr(kind, "_post", moved_while_it_wrote)
    assert evening.run()
    assert_one_reply(evening, asked.request.id, question.id, topic_ids[0])


def test_a_worker_that_lost_its_lease_posts_nothing_after_a_move(
    evening: Evening, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = reply_to_root(evening)
    asked = evening.ask(post_id=question.id)
    kind = evening.pool.kinds["reply"]
    post = kind._post
    topic_ids: list[int] = []

    def moved_and_taken_over(*args: object) -> None:
        topic_ids.append(merge(evening, question))
        with evening.database.transaction() as connection:
            connection.execute(text("UPDATE llm_requests SET lease_token = 'another worker'"))
        post(*args)

    monkeypatch.setattr(kind, "_post", moved_and_taken_over)
    evening.run()
    with evening.database.read() as connection:
        thread = post_store.list_page(connection, topic_ids[0], limit=10)
        assert [one.id for one in thread if one.parent_id == question.id] == []
        assert get_llm_request(connection, asked.request.id).status is Status.RUNNING


def assert_one_reply(evening: Evening, llm_request_id: int, question_id: int, topic_id: int) -> None:
    with evening.database.read() as connection:
        request = get_llm_request(connection, llm_request_id)
        thread = post_store.list_page(connection, topic_id, limit=100)
        topic = topic_store.get_topic(connection, topic_id)
    replies = [post for post in thread if post.parent_id == question_id]
    assert [post.llm_request_id for post in replies] == [llm_request_id]
    assert (request.status, request.topic_id, request.reply_post_id) == (Status.SUCCEEDED, topic_id, replies[0].id)
    assert topic.post_count == len(thread)
    assert topic.last_answer_at == replies[0].created_at
