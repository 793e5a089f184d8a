"""Topics: opened, listed, renamed, deleted, restored."""

import pytest

from forllm_server.db import Database
from forllm_server.errors import Invalid, NotFound
from forllm_server.forum import post_store, subforums, topic_store, topics
from forllm_server.forum.topic_store import TopicCursor
from tests.forum.world import EVENING, add_subforum, counted_statements, minutes_later, open_topic, reply, start_topic


def test_a_topic_opens_with_its_first_post(database: Database) -> None:
    topic, root = start_topic(database)
    assert (topic.title, topic.post_count, topic.last_post_at, topic.author_name) == ("Roses", 1, EVENING, "You")
    assert (root.content, root.depth, root.is_root, root.author_name) == ("When to prune?", 0, True, "You")
    with database.read() as connection:
        assert post_store.get_root(connection, topic.id) == root


@pytest.mark.parametrize(
    ("title", "content", "field"),
    [
        ("", "Text", "title"),
        ("x" * 201, "Text", "title"),
        ("Roses", " \n ", "content"),
        ("Roses", "x" * 262_145, "content"),
    ],
)
def test_a_topic_without_words_or_with_too_many_is_refused_whole(
    database: Database, title: str, content: str, field: str
) -> None:
    with database.transaction() as connection:
        garden = add_subforum(connection)
        with pytest.raises(Invalid) as refused:
            open_topic(connection, garden.id, title, content)
        assert topic_store.list_topics(connection, garden.id, limit=10) == []
    assert refused.value.field == field


def test_a_topic_needs_a_subforum_that_is_there(database: Database) -> None:
    with database.transaction() as connection:
        garden = add_subforum(connection)
        subforums.delete_subforum(connection, garden.id, EVENING)
        for subforum_id in (garden.id, 404):
            with pytest.raises(NotFound):
                open_topic(connection, subforum_id)


def test_the_newest_activity_comes_first_and_pages_follow_without_gap(database: Database) -> None:
    with database.transaction() as connection:
        garden = add_subforum(connection)
        roots = [open_topic(connection, garden.id, f"Topic {number}", minute=number // 2)[1] for number in range(9)]
        reply(connection, roots[3].id, minute=60)
        titles, cursor = [], None
        while page := topic_store.list_topics(connection, garden.id, limit=2, after=cursor):
            titles += [topic.title for topic in page]
            cursor = TopicCursor.after(page[-1])
    assert titles == [f"Topic {number}" for number in (3, 8, 7, 6, 5, 4, 2, 1, 0)]


def test_recent_topics_come_from_all_subforums_with_their_names(database: Database) -> None:
    with database.transaction() as connection:
        garden, kitchen = add_subforum(connection, "Garden"), add_subforum(connection, "Kitchen")
        open_topic(connection, garden.id, minute=1)
        open_topic(connection, kitchen.id, "Bread", minute=2)
        recent = topic_store.list_recent_topics(connection, limit=10)
        rest = topic_store.list_recent_topics(connection, limit=10, after=TopicCursor.after(recent[0]))
    assert [(topic.subforum_name, topic.title) for topic in recent] == [("Kitchen", "Bread"), ("Garden", "Roses")]
    assert rest == recent[1:]


@pytest.mark.parametrize("count", [3, 30])
def test_a_list_of_topics_takes_one_statement_however_long(database: Database, count: int) -> None:
    with database.transaction() as connection:
        garden = add_subforum(connection)
        for number in range(count):
            open_topic(connection, garden.id, f"Topic {number}")
    with database.read() as connection, counted_statements(database) as statements:
        assert len(topic_store.list_topics(connection, garden.id, limit=50)) == count
    assert len(statements) == 1


def test_a_page_of_topics_is_read_from_the_index_in_order(sqlite_database: Database) -> None:
    with sqlite_database.read() as connection:
        with counted_statements(sqlite_database) as statements:
            topic_store.list_topics(connection, 1, limit=50, after=TopicCursor(EVENING, 7))
        rows = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {statements[0]}", (1, "2026-11-20 21:00:00.000000", 7, 50, 0)
        )
        plan = " ".join(row[3] for row in rows)
    assert "ix_topics_list" in plan
    assert "TEMP B-TREE" not in plan


def test_a_renamed_topic_has_a_new_version_and_the_same_title_has_not(database: Database) -> None:
    topic, _ = start_topic(database)
    with database.transaction() as connection:
        renamed = topics.rename_topic(connection, topic.id, title=" Old  roses ")
        again = topics.rename_topic(connection, topic.id, title="Old roses")
    assert (renamed.title, again.version) == ("Old roses", renamed.version)
    assert renamed.version == topic.version + 1


def test_a_deleted_topic_is_gone_with_its_posts_until_it_is_restored(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        topics.delete_topic(connection, topic.id, minutes_later(1))
        for look in (topic_store.get_topic, topic_store.get_version):
            with pytest.raises(NotFound):
                look(connection, topic.id)
        with pytest.raises(NotFound):
            post_store.get_post(connection, root.id)
        with pytest.raises(NotFound):
            reply(connection, root.id)
        assert topic_store.list_topics(connection, topic.subforum_id, limit=10) == []
        restored = topics.restore_topic(connection, topic.id)
        assert post_store.get_post(connection, root.id).content == root.content
    assert restored.version > topic.version


def test_a_topic_cannot_come_back_into_a_deleted_subforum(database: Database) -> None:
    topic, _ = start_topic(database)
    with database.transaction() as connection:
        topics.delete_topic(connection, topic.id, EVENING)
        subforums.delete_subforum(connection, topic.subforum_id, EVENING)
        with pytest.raises(NotFound, match="Restore that one first"):
            topics.restore_topic(connection, topic.id)


def test_the_version_alone_is_what_polls_read(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        reply(connection, root.id)
        assert topic_store.get_version(connection, topic.id) == topic.version + 1


def test_titles_are_told_of_topics_that_are_there(database: Database) -> None:
    topic, _ = start_topic(database)
    with database.transaction() as connection:
        gone, _ = open_topic(connection, topic.subforum_id, "Bread")
        topics.delete_topic(connection, gone.id, EVENING)
        assert topic_store.list_titles(connection, {topic.id, gone.id, 404}) == {topic.id: "Roses"}
        assert topic_store.list_titles(connection, set()) == {}
