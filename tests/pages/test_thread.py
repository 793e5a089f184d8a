"""The rows of a topic's page are of one moment."""

from datetime import datetime
from pathlib import Path

from sqlalchemy import text

from forllm_server.activity import seen_store
from forllm_server.db import Database
from forllm_server.forum import topic_store
from forllm_server.pages.thread import Place, pending_of, read_rows, read_stretch
from tests.support.app import shared_app
from tests.support.world import make_world, queue_request


def test_a_reply_that_comes_while_a_page_is_read_is_still_waited_for(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    """Else it would be neither waited for nor there, and a page on which nothing waits looks again only much later."""
    world = make_world(sqlite_database, now)
    queue_request(sqlite_database, world, now)
    with shared_app(sqlite_database, tmp_path).test_request_context("/"), sqlite_database.read() as connection:
        topic = topic_store.get_topic(connection, world.topic_id)
        reading = seen_store.get_topic_reading(connection, 1, topic.id)
        stretch = read_stretch(connection, topic.id, Place(), 50, is_flat=False)
        with sqlite_database.transaction() as other:
            other.execute(text("UPDATE llm_requests SET status = 'succeeded'"))
        rows = read_rows(connection, topic, stretch, reading)
    assert len(pending_of(rows)) == 1
