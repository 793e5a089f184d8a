"""Two writers at once, and a writer that finds the database locked."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Connection

from forllm_server.accounts.local import LOCAL_USER_ID as YOU
from forllm_server.db import Database
from forllm_server.errors import Conflict, Unavailable
from forllm_server.forum import editing, post_store, subforums, topic_store, topics
from forllm_server.forum.model import Post
from forllm_server.forum.trash import purge_trash
from forllm_server.queue.control import cancel_llm_request
from forllm_server.queue.llm_request_store import insert_llm_request
from forllm_server.queue.model import NewLlmRequest
from tests.forum.world import EVENING, add_subforum, answer, open_topic, reply, start_topic


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run the acts in threads that start together; their results, or the errors they raised."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return act()
        except Conflict as error:
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_siblings_written_at_once_each_get_their_own_place(database: Database) -> None:
    topic, root = start_topic(database)

    def write_five() -> None:
        for _ in range(5):
            with database.transaction() as connection:
                reply(connection, root.id)

    at_once(*[write_five] * 4)
    with database.read() as connection:
        page = post_store.list_page(connection, topic.id, limit=50)
        after = topic_store.get_topic(connection, topic.id)
    assert (len(page), page[0].child_count, after.post_count) == (21, 20, 21)
    assert [post.id for post in page] == sorted(post.id for post in page)


def test_of_two_answers_to_one_llm_request_at_once_one_is_posted(database: Database) -> None:
    topic, root = start_topic(database)

    def post_answer() -> Any:
        with database.transaction() as connection:
            return editing.add_answer(connection, answer(root.id), EVENING)

    results = at_once(post_answer, post_answer)
    assert sorted(isinstance(result, Conflict) for result in results) == [False, True]
    with database.read() as connection:
        assert topic_store.get_topic(connection, topic.id).post_count == 2


def test_of_two_edits_at_once_the_second_is_told(database: Database) -> None:
    _, root = start_topic(database)

    def edit(text: str) -> Callable[[], Any]:
        def act() -> Any:
            with database.transaction() as connection:
                return editing.edit_post(
                    connection, root.id, editor_id=YOU, content=text, now=EVENING, expected_version=1
                )

        return act

    results = at_once(edit("Mine"), edit("Yours"))
    assert sorted(isinstance(result, Conflict) for result in results) == [False, True]
    with database.read() as connection:
        assert post_store.get_post(connection, root.id).revision_count == 1


def test_asking_deleting_and_answering_at_once_never_wait_for_each_other_crosswise(database: Database) -> None:
    topic, root = start_topic(database)

    def ask(connection: Connection, post: Post) -> int:
        new = NewLlmRequest(owner_id=YOU, kind="reply", topic_id=topic.id, post_id=post.id)
        made = insert_llm_request(connection, new, EVENING)
        assert made is not None
        return made.id

    def reply_and_ask() -> None:
        for _ in range(15):
            with database.transaction() as connection:
                ask(connection, reply(connection, root.id))

    def ask_and_delete() -> None:
        for _ in range(15):
            with database.transaction() as connection:
                post = reply(connection, root.id)
                ask(connection, post)
            with database.transaction() as connection:
                editing.delete_post(connection, post.id, EVENING)

    def answer_and_settle() -> None:
        with database.transaction() as connection:
            asked = [ask(connection, reply(connection, root.id)) for _ in range(15)]
        for llm_request_id in asked:
            with database.transaction() as connection:
                editing.add_answer(connection, answer(root.id, llm_request_id=llm_request_id), EVENING)
                cancel_llm_request(connection, llm_request_id, EVENING)

    at_once(reply_and_ask, ask_and_delete, answer_and_settle)
    with database.read() as connection:
        assert topic_store.get_topic(connection, topic.id).post_count == 1 + 15 + 0 + 30


WRITERS: dict[str, Callable[[Connection, int, int, int], Any]] = {
    "add a subforum": lambda connection, *_: add_subforum(connection, "Kitchen"),
    "change a subforum": lambda connection, subforum, *_: subforums.change_subforum(connection, subforum, name="Yard"),
    "delete a subforum": lambda connection, subforum, *_: subforums.delete_subforum(connection, subforum, EVENING),
    "open a topic": lambda connection, subforum, *_: open_topic(connection, subforum, "Bread"),
    "rename a topic": lambda connection, _, topic, __: topics.rename_topic(connection, topic, title="Bread"),
    "delete a topic": lambda connection, _, topic, __: topics.delete_topic(connection, topic, EVENING),
    "reply": lambda connection, _, __, post: reply(connection, post),
    "answer": lambda connection, _, __, post: editing.add_answer(connection, answer(post), EVENING),
    "edit": lambda connection, _, __, post: editing.edit_post(
        connection, post, editor_id=YOU, content="Hello", now=EVENING
    ),
    "purge the trash": lambda connection, *_: purge_trash(connection, older_than_days=0, now=EVENING),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_under_a_locked_database_is_told_to_wait_and_succeeds_later(
    sqlite_database: Database, name: str
) -> None:
    topic, root = start_topic(sqlite_database)
    assert sqlite_database.path is not None
    hasty = Database.at(sqlite_database.path, busy_timeout_seconds=0.02)
    with sqlite_database.transaction() as holder:
        with pytest.raises(Unavailable), hasty.transaction() as connection:
            WRITERS[name](connection, topic.subforum_id, topic.id, root.id)
        assert post_store.get_post(holder, root.id) == root
        assert topic_store.get_topic(holder, topic.id) == topic
    with hasty.transaction() as connection:
        WRITERS[name](connection, topic.subforum_id, topic.id, root.id)
    hasty.close()
