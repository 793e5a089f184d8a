"""The trash: what it shows, gives back and erases; and what deleting calls off."""

from datetime import timedelta

import pytest

from forllm_server.accounts.local import LOCAL_USER_ID as YOU
from forllm_server.db import Database
from forllm_server.errors import Invalid, NotFound
from forllm_server.forum import editing, post_store, revision_store, subforum_store, subforums, topic_store, topics
from forllm_server.forum.model import TrashKind
from forllm_server.forum.tables import posts
from forllm_server.forum.trash import Erasure, purge_trash
from forllm_server.forum.trash_store import list_trash
from forllm_server.queue.llm_request_store import get_llm_request, insert_llm_request
from forllm_server.queue.model import NewLlmRequest, Status
from tests.forum.world import EVENING, add_subforum, minutes_later, open_topic, reply, start_topic


def ask(database: Database, topic_id: int, post_id: int) -> int:
    with database.transaction() as connection:
        new = NewLlmRequest(owner_id=YOU, kind="reply", topic_id=topic_id, post_id=post_id)
        llm_request = insert_llm_request(connection, new, EVENING)
        assert llm_request is not None
        return llm_request.id


def status_of(database: Database, llm_request_id: int) -> Status:
    with database.read() as connection:
        return get_llm_request(connection, llm_request_id).status


def test_the_trash_lists_what_was_deleted_last_first(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        first = reply(connection, root.id, "In spring.")
        other, _ = open_topic(connection, topic.subforum_id, "Bread")
        kitchen = add_subforum(connection, "Kitchen")
        editing.delete_post(connection, first.id, minutes_later(1))
        topics.delete_topic(connection, other.id, minutes_later(2))
        subforums.delete_subforum(connection, kitchen.id, minutes_later(3))
        trash = list_trash(connection, limit=10)
        assert list_trash(connection, limit=10, after=trash[1].place) == trash[2:]
    assert [(item.kind, item.id, item.title, item.excerpt) for item in trash] == [
        (TrashKind.SUBFORUM, kitchen.id, "Kitchen", ""),
        (TrashKind.TOPIC, other.id, "Bread", ""),
        (TrashKind.POST, first.id, "Roses", "In spring."),
    ]
    assert trash[0].deleted_at == minutes_later(3)


def test_what_lies_there_long_enough_is_erased_and_the_rest_stays(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        old, young = reply(connection, root.id, "Old"), reply(connection, root.id, "Young")
        below = reply(connection, old.id, "Below")
        editing.edit_post(connection, old.id, editor_id=YOU, content="Older", now=EVENING)
        editing.delete_post(connection, old.id, EVENING)
        editing.delete_post(connection, young.id, EVENING + timedelta(days=20))
        erased = purge_trash(connection, older_than_days=30, now=EVENING + timedelta(days=31))
        assert erased == Erasure(subforums=0, topics=0, posts=1)
        with pytest.raises(NotFound, match="erased"):
            editing.restore_post(connection, old.id)
        assert editing.restore_post(connection, young.id).content == "Young"
        assert post_store.get_post(connection, below.id).content == "Below"
        assert revision_store.list_revisions(connection, old.id) == []
        assert list_trash(connection, limit=10) == []


def test_an_erased_subforum_takes_every_text_inside_along(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        reply(connection, root.id)
        subforums.delete_subforum(connection, topic.subforum_id, EVENING)
        erased = purge_trash(connection, older_than_days=0, now=EVENING)
        again = purge_trash(connection, older_than_days=0, now=EVENING)
        texts = connection.execute(posts.select()).all()
        with pytest.raises(NotFound):
            subforums.restore_subforum(connection, topic.subforum_id)
        with pytest.raises(NotFound):
            topics.restore_topic(connection, topic.id)
    assert (erased, again) == (Erasure(subforums=1, topics=1, posts=2), Erasure(0, 0, 0))
    assert [(row.content, row.thinking) for row in texts] == [("", None), ("", None)]


def test_two_erased_subforums_do_not_stand_in_each_others_way(database: Database) -> None:
    with database.transaction() as connection:
        for _ in range(2):
            subforums.delete_subforum(connection, add_subforum(connection, "Garden").id, EVENING)
        assert purge_trash(connection, older_than_days=0, now=EVENING).subforums == 2
        assert subforum_store.list_subforums(connection) == []


def test_erasing_by_a_negative_age_is_refused(database: Database) -> None:
    with database.transaction() as connection, pytest.raises(Invalid):
        purge_trash(connection, older_than_days=-1, now=EVENING)


def test_a_deleted_post_is_not_answered_any_more(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        first = reply(connection, root.id)
    to_first, to_root = ask(database, topic.id, first.id), ask(database, topic.id, root.id)
    with database.transaction() as connection:
        editing.delete_post(connection, first.id, EVENING)
    assert status_of(database, to_first) is Status.CANCELLED
    assert status_of(database, to_root) is not Status.CANCELLED


@pytest.mark.parametrize("noun", ["topic", "subforum"])
def test_a_deleted_topic_or_subforum_is_not_answered_any_more(database: Database, noun: str) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        other_topic, other_root = open_topic(connection, add_subforum(connection, "Kitchen").id)
    mine, other = ask(database, topic.id, root.id), ask(database, other_topic.id, other_root.id)
    with database.transaction() as connection:
        if noun == "topic":
            topics.delete_topic(connection, topic.id, EVENING)
        else:
            subforums.delete_subforum(connection, topic.subforum_id, EVENING)
    assert status_of(database, mine) is Status.CANCELLED
    assert status_of(database, other) is not Status.CANCELLED
    with database.read() as connection:
        assert topic_store.get_topic(connection, other_topic.id).title == "Roses"
