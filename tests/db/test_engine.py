"""The two ways into the database."""

from datetime import datetime

from sqlalchemy import func, select

from forllm_server.db import Database, metadata
from tests.support.world import insert_topic, make_world


def test_whoever_reads_sees_one_moment_however_much_is_written_meanwhile(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    topics = select(func.count()).select_from(metadata.tables["topics"])
    with database.read() as reader:
        before = reader.execute(topics).scalar_one()
        with database.transaction() as writer:
            insert_topic(writer, world, now)
        assert reader.execute(topics).scalar_one() == before
    with database.read() as reader:
        assert reader.execute(topics).scalar_one() == before + 1
