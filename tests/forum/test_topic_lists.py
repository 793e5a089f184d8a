"""The orders of topic lists: each page follows the one before without gap, in one statement, along an index."""

from datetime import datetime

import pytest
from sqlalchemy import text

from forllm_server.activity.keeping import vote
from forllm_server.db import Database
from forllm_server.forum import arranging, editing, topic_store
from forllm_server.forum.model import Post, Topic, TopicOrder
from forllm_server.forum.tagging import tag_topic
from forllm_server.queue.llm_request_store import insert_llm_request
from forllm_server.queue.model import NewLlmRequest
from tests.forum.world import EVENING, YOU, add_subforum, answer, counted_statements, minutes_later, open_topic, reply

SINCE = minutes_later(30)


class Shelf:
    """Ten topics in a subforum, and one in another."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.transaction() as connection:
            self.garden, self.kitchen = add_subforum(connection, "Garden"), add_subforum(connection, "Kitchen")
            self.made: list[tuple[Topic, Post]] = [
                open_topic(connection, self.garden.id, f"T{number}", minute=number // 2) for number in range(10)
            ]
            self.away = open_topic(connection, self.kitchen.id, "Away", minute=1)

    def answer(self, number: int, minute: float) -> Post:
        with self.database.transaction() as connection:
            given = answer(self.made[number][1].id, llm_request_id=1_000 + int(minute))
            return editing.add_answer(connection, given, minutes_later(minute))

    def ask(self, post: Post) -> None:
        new = NewLlmRequest(owner_id=YOU, kind="reply", topic_id=post.topic_id, post_id=post.id)
        with self.database.transaction() as connection:
            insert_llm_request(connection, new, EVENING)

    def titles(self, order: TopicOrder, *, limit: int = 3, everywhere: bool = False, voter: int = YOU) -> list[str]:
        """All pages of a list."""
        found: list[str] = []
        cursor = None
        with self.database.read() as connection:
            while True:
                page = topic_store.list_page(
                    connection,
                    order,
                    limit=limit,
                    subforum_id=None if everywhere else self.garden.id,
                    after=cursor,
                    since=SINCE,
                    voter_id=voter,
                )
                assert len(page.topics) <= limit
                found += [topic.title for topic in page.topics]
                cursor = page.next
                if cursor is None:
                    return found


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database)


def test_the_newest_activity_or_the_newest_topic_comes_first(shelf: Shelf) -> None:
    with shelf.database.transaction() as connection:
        reply(connection, shelf.made[3][1].id, minute=60)
    newest = [f"T{number}" for number in range(9, -1, -1)]
    assert shelf.titles(TopicOrder.NEW) == newest
    assert shelf.titles(TopicOrder.ACTIVE) == ["T3", *(title for title in newest if title != "T3")]
    assert shelf.titles(TopicOrder.NEW, everywhere=True) == [*newest[:6], "Away", *newest[6:]]


def test_what_was_answered_since_the_window_opened(shelf: Shelf) -> None:
    shelf.answer(4, 29)
    shelf.answer(5, 31)
    last = shelf.answer(2, 40)
    assert shelf.titles(TopicOrder.FINISHED, limit=1) == ["T2", "T5"]
    assert shelf.titles(TopicOrder.FINISHED, everywhere=True) == ["T2", "T5"]
    with shelf.database.transaction() as connection:
        editing.delete_post(connection, last.id, EVENING)
    assert shelf.titles(TopicOrder.FINISHED) == ["T5"]
    with shelf.database.transaction() as connection:
        editing.restore_post(connection, last.id)
    assert shelf.titles(TopicOrder.FINISHED) == ["T2", "T5"]


def test_what_nobody_replied_to(shelf: Shelf) -> None:
    shelf.answer(8, 1)
    with shelf.database.transaction() as connection:
        given = reply(connection, shelf.made[9][1].id)
    rest = [f"T{number}" for number in range(7, -1, -1)]
    assert shelf.titles(TopicOrder.UNANSWERED) == rest
    with shelf.database.transaction() as connection:
        editing.delete_post(connection, given.id, EVENING)
    assert shelf.titles(TopicOrder.UNANSWERED) == ["T9", *rest]


def test_what_awaits_an_answer_is_told_once_however_much_was_asked(shelf: Shelf) -> None:
    assert shelf.titles(TopicOrder.AWAITING) == []
    with shelf.database.transaction() as connection:
        more = [reply(connection, shelf.made[2][1].id) for _ in range(5)]
    for post in (*more, shelf.made[7][1], shelf.away[1]):
        shelf.ask(post)
    assert shelf.titles(TopicOrder.AWAITING, limit=1) == ["T7", "T2"]
    assert shelf.titles(TopicOrder.AWAITING, everywhere=True) == ["Away", "T7", "T2"]
    with shelf.database.transaction() as connection:
        connection.execute(text("UPDATE llm_requests SET status = 'failed', finished_at = created_at"))
    assert shelf.titles(TopicOrder.AWAITING) == []


def test_what_needs_the_readers_vote(shelf: Shelf) -> None:
    answers = [shelf.answer(number, number + 1) for number in range(5)]
    assert shelf.titles(TopicOrder.UNVOTED, limit=2) == ["T4", "T3", "T2", "T1", "T0"]
    with shelf.database.transaction() as connection:
        vote(connection, YOU, answers[3].id, 1, EVENING)
        vote(connection, YOU, answers[0].id, -1, EVENING)
        editing.delete_post(connection, answers[1].id, EVENING)
    assert shelf.titles(TopicOrder.UNVOTED, limit=2) == ["T4", "T2"]


def test_who_has_voted_on_everything_looks_at_a_part_of_it_and_can_go_on(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_store, "_LOOKED_AT_FOR_VOTES", 3)
    answers = [shelf.answer(number, number + 1) for number in range(8)]
    with shelf.database.transaction() as connection:
        for given in answers[1:]:
            vote(connection, YOU, given.id, 1, EVENING)
    with shelf.database.read() as connection:
        page = topic_store.list_page(connection, TopicOrder.UNVOTED, limit=2, voter_id=YOU)
    assert page.topics == ()
    assert page.next is not None
    assert shelf.titles(TopicOrder.UNVOTED, limit=2) == ["T0"]


def test_topics_of_a_tag(shelf: Shelf) -> None:
    with shelf.database.transaction() as connection:
        for topic, _ in (*shelf.made[:5], shelf.away):
            tag_topic(connection, topic.id, ["rose"], now=EVENING)
        first = topic_store.list_page_of_tag(connection, 1, limit=4, subforum_id=shelf.garden.id)
        rest = topic_store.list_page_of_tag(connection, 1, limit=4, subforum_id=shelf.garden.id, after=first.next)
        everywhere = topic_store.list_page_of_tag(connection, 1, limit=50)
    assert [topic.title for topic in (*first.topics, *rest.topics)] == ["T4", "T3", "T2", "T1", "T0"]
    assert rest.next is None
    assert len(everywhere.topics) == 6


def test_pinned_ones_can_be_left_out_and_deleted_ones_always_are(shelf: Shelf) -> None:
    with shelf.database.transaction() as connection:
        arranging.pin_topic(connection, shelf.made[9][0].id, is_pinned=True)
        connection.execute(text("UPDATE topics SET deleted_at = created_at WHERE id <> 10 AND id > 2"))
        page = topic_store.list_page(
            connection, TopicOrder.ACTIVE, limit=9, subforum_id=shelf.garden.id, leaves_out_pinned=True
        )
    assert [topic.title for topic in page.topics] == ["T1", "T0"]


@pytest.mark.parametrize("order", list(TopicOrder))
@pytest.mark.parametrize("everywhere", [False, True])
def test_a_page_takes_one_statement_along_an_index_of_its_own(
    shelf: Shelf, order: TopicOrder, everywhere: bool
) -> None:
    database = shelf.database
    subforum_id = None if everywhere else shelf.garden.id
    cursor = topic_store.TopicCursor(None if order is TopicOrder.AWAITING else minutes_later(99), 99)
    with database.read() as connection, counted_statements(database) as statements:
        topic_store.list_page(
            connection, order, limit=3, subforum_id=subforum_id, after=cursor, since=EVENING, voter_id=YOU
        )
    (statement,) = statements
    if not database.is_sqlite:
        return
    with database.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", _values_for(statement))
        steps = [row[3] for row in plan]
    assert not any("TEMP B-TREE" in step for step in steps), steps
    assert not any(step.startswith("SCAN topics") and "INDEX" not in step for step in steps), steps


def _values_for(statement: str) -> tuple[str | int, ...]:
    """Any values: which index is taken does not depend on them."""
    return (1,) * statement.count("?")


def test_a_moment_is_read_back_from_a_cursor(shelf: Shelf) -> None:
    with shelf.database.read() as connection:
        page = topic_store.list_page(connection, TopicOrder.NEW, limit=1)
    assert page.next is not None
    assert isinstance(page.next.at, datetime)
