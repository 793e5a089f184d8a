"""Summaries and their versions on both databases."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from forllm_server.db import Database, metadata
from forllm_server.errors import NotFound
from forllm_server.summaries import summary_store
from forllm_server.summaries.editing import edit_summary, remove_summary, take_back
from forllm_server.summaries.model import Change, CoveredPost, NewVersion, SummaryAuthor, SummaryScope
from tests.support.world import LOCAL_USER, World, insert_post, insert_topic, make_world


@pytest.fixture
def world(database: Database, now: datetime) -> World:
    return make_world(database, now)


def add(database: Database, world: World, now: datetime, *texts: str) -> tuple[int, list[int]]:
    """A summary of the whole topic with a version for each text: its id, and the posts that they cover."""
    with database.transaction() as connection:
        post_ids = [world.post_id, insert_post(connection, world.topic_id, now, number=1)]
        summary_id = summary_store.insert_summary(
            connection,
            owner_id=LOCAL_USER,
            topic_id=world.topic_id,
            scope=SummaryScope.TOPIC,
            anchor_post_id=world.post_id,
            now=now,
        )
        for number, text in enumerate(texts, start=1):
            covered = tuple(CoveredPost(post_id, 1, True) for post_id in post_ids[:number])
            new = NewVersion(text, SummaryAuthor.MODEL, LOCAL_USER, world.post_id, covered)
            summary_store.insert_version(connection, summary_id, new, now)
    return summary_id, post_ids


def change(database: Database, table: str, row_id: int, **values: object) -> None:
    with database.transaction() as connection:
        rows = metadata.tables[table]
        connection.execute(rows.update().where(rows.c.id == row_id).values(**values))


def test_two_who_write_at_once_make_a_version_each(database: Database, world: World, now: datetime) -> None:
    summary_id, _ = add(database, world, now, "One.")
    covered = (CoveredPost(world.post_id, 1, True),)

    def write() -> None:
        with database.transaction() as connection:
            edit_summary(connection, summary_id, content="By hand.", editor_id=LOCAL_USER, covered_now=covered, now=now)

    with ThreadPoolExecutor() as hands:
        with database.transaction() as connection:
            summary_store.get_summary_to_change(connection, summary_id)
            by_hand = hands.submit(write)
            time.sleep(0.1)
            new = NewVersion("By a model.", SummaryAuthor.MODEL, LOCAL_USER, world.post_id, covered)
            summary_store.insert_version(connection, summary_id, new, now)
        by_hand.result()
    with database.read() as connection:
        found = [(each.number, each.content) for each in summary_store.list_versions(connection, summary_id)]
    assert found == [(3, "By hand."), (2, "By a model."), (1, "One.")]


def test_the_newest_version_is_the_present_one(database: Database, world: World, now: datetime) -> None:
    summary_id, _ = add(database, world, now, "One.", "Two.")
    with database.transaction() as connection:
        (listed,) = summary_store.list_summaries(connection, world.topic_id)
        assert listed == summary_store.get_summary(connection, summary_id)
        assert listed.version is not None
        assert (listed.version.content, listed.current_number) == ("Two.", 2)
        summary_store.update_progress(connection, summary_id, {"done": 1, "text": "Half."})
        assert summary_store.get_summary(connection, summary_id).progress == {"done": 1, "text": "Half."}
        summary_store.update_asked(connection, summary_id, 7)
        assert summary_store.get_summary(connection, summary_id).progress is None
        remove_summary(connection, summary_id, now)
        with pytest.raises(NotFound):
            summary_store.get_summary(connection, summary_id)
        assert take_back(connection, summary_id).id == summary_id


def test_what_happened_to_the_posts_is_told_with_one_statement(database: Database, world: World, now: datetime) -> None:
    summary_id, post_ids = add(database, world, now, "One.", "Two.")
    change(database, "posts", post_ids[0], version=2)
    change(database, "posts", post_ids[1], is_excluded=True)
    with database.read() as connection:
        versions = summary_store.list_versions(connection, summary_id)
        coverage = summary_store.list_coverage(connection, [version.id for version in versions])
    changes = [[post.change for post in coverage[version.id].posts] for version in versions]
    assert changes == [[Change.EDITED, Change.EXCLUDED], [Change.EDITED]]
    with database.read() as connection:
        assert summary_store.list_coverage(connection, []) == {}


def test_a_summary_goes_along_with_the_post_that_it_hangs_on(database: Database, world: World, now: datetime) -> None:
    summary_id, _ = add(database, world, now, "One.")
    with database.transaction() as connection:
        other_id = insert_topic(connection, world, now)
    change(database, "posts", world.post_id, topic_id=other_id, path=b"\x00\x00\x00\x09")
    with database.transaction() as connection:
        summary_store.update_topics(connection, world.topic_id)
        assert [each.id for each in summary_store.list_summaries(connection, other_id)] == [summary_id]
        assert summary_store.list_summaries(connection, world.topic_id) == []


def test_versions_that_tell_of_erased_posts_are_erased(database: Database, world: World, now: datetime) -> None:
    summary_id, post_ids = add(database, world, now, "One.", "Two.")
    change(database, "posts", post_ids[1], content="", deleted_at=now)
    with database.transaction() as connection:
        assert summary_store.delete_erased(connection) == 1
        kept = summary_store.get_summary(connection, summary_id)
    assert kept.version is not None
    assert kept.version.content == "One."
    change(database, "posts", post_ids[0], content="", deleted_at=now)
    change(database, "topics", world.topic_id, title="", deleted_at=now)
    with database.transaction() as connection:
        assert summary_store.delete_erased(connection) == 1
        assert summary_store.find_summary(connection, summary_id) is None
