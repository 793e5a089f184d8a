"""Tags of topics."""

import pytest
from sqlalchemy import text

from forllm_server.db import Database
from forllm_server.errors import Invalid, NotFound
from forllm_server.forum import subforums, tag_store, topic_store, topics
from forllm_server.forum.tagging import split_tags, tag_topic
from tests.forum.world import EVENING, add_subforum, open_topic, start_topic


def test_tags_are_cleaned_and_each_is_there_once(database: Database) -> None:
    topic, _ = start_topic(database)
    with database.transaction() as connection:
        assert tag_topic(connection, topic.id, [" #Roses", "roses", "ROSES ", "Old  wood"], now=EVENING) == (
            "Old wood",
            "Roses",
        )
        changed = topic_store.get_topic(connection, topic.id)
        assert changed.version == topic.version + 1
        tag_topic(connection, topic.id, ["ROSES", "old wood"], now=EVENING)
        assert topic_store.get_topic(connection, topic.id).version == changed.version
        assert tag_topic(connection, topic.id, ["roses"], now=EVENING) == ("Roses",)
        assert tag_store.list_tag_names(connection, limit=9) == ["Roses"]
        assert tag_topic(connection, topic.id, [], now=EVENING) == ()
        assert connection.execute(text("SELECT count(*) FROM tags")).scalar_one() == 0


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([f"tag{number}" for number in range(500)], "500 tags"),
        (["x" * 51], "at most 50 characters"),
        (["a/b"], "slashes"),
        (["..."], "dots"),
        (["\u200d\u200b"], "nothing visible"),
        (["#"], "nothing visible"),
    ],
)
def test_what_cannot_be_a_tag_is_refused_with_the_reason(database: Database, names: list[str], words: str) -> None:
    topic, _ = start_topic(database)
    with database.transaction() as connection:
        tag_topic(connection, topic.id, ["kept"], now=EVENING)
        with pytest.raises(Invalid, match=words) as refused:
            tag_topic(connection, topic.id, names, now=EVENING)
        assert refused.value.field == "tags"
        assert tag_store.list_tags_of_topics(connection, [topic.id]) == {topic.id: ("kept",)}


def test_twenty_tags_of_fifty_characters_in_any_script_are_fine(database: Database) -> None:
    topic, _ = start_topic(database)
    names = [*(f"{number:02}" + "ü" * 48 for number in range(17)), "花", "👩‍👩‍👧", "שלום"]
    with database.transaction() as connection:
        assert len(tag_topic(connection, topic.id, names, now=EVENING)) == 20


def test_what_is_typed_has_commas_or_lines_between() -> None:
    assert split_tags(" a, b ,,\n c d\n") == [" a", " b ", " c d"]


def test_tags_are_listed_with_how_many_topics_there_are(database: Database) -> None:
    with database.transaction() as connection:
        garden = add_subforum(connection)
        made = [open_topic(connection, garden.id, f"T{number}")[0].id for number in range(3)]
        for topic_id in made:
            tag_topic(connection, topic_id, ["all", f"only {topic_id}"], now=EVENING)
        topics.delete_topic(connection, made[0], EVENING)
        listed = tag_store.list_tags(connection, limit=50)
        assert [(tag.name, tag.topic_count) for tag in listed] == [
            ("all", 2),
            (f"only {made[1]}", 1),
            (f"only {made[2]}", 1),
        ]
        assert [tag.name for tag in tag_store.list_tags(connection, limit=1)] == ["all"]
        assert tag_store.get_tag_by_key(connection, "all").name == "all"
        with pytest.raises(NotFound):
            tag_store.get_tag_by_key(connection, "none")


def test_topics_are_counted_while_they_come_and_go(database: Database) -> None:
    topic, _ = start_topic(database)
    with database.transaction() as connection:
        other, _ = open_topic(connection, topic.subforum_id, "Tulips")
        tag_topic(connection, topic.id, ["a", "b"], now=EVENING)
        tag_topic(connection, other.id, ["a"], now=EVENING)

        def counts() -> dict[str, int]:
            assert tag_store.list_miscounted_tags(connection) == []
            return {tag.name: tag.topic_count for tag in tag_store.list_tags(connection, limit=9)}

        assert counts() == {"a": 2, "b": 1}
        topics.delete_topic(connection, topic.id, EVENING)
        assert counts() == {"a": 1}
        subforums.delete_subforum(connection, topic.subforum_id, EVENING)
        assert counts() == {}
        subforums.restore_subforum(connection, topic.subforum_id)
        subforums.restore_subforum(connection, topic.subforum_id)
        assert counts() == {"a": 1}
        topics.restore_topic(connection, topic.id)
        topics.restore_topic(connection, topic.id)
        tag_topic(connection, other.id, ["b"], now=EVENING)
        assert counts() == {"a": 1, "b": 2}
        connection.execute(text("UPDATE tags SET topic_count = 7"))
        assert tag_store.list_miscounted_tags(connection) == ["a", "b"]
        tag_store.update_all_counts(connection)
        assert counts() == {"a": 1, "b": 2}
