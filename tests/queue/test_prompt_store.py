from datetime import datetime

from forllm_server.db import Database, metadata
from forllm_server.queue import chunk_store, prompt_store
from tests.support.world import make_world, queue_request

MESSAGES = [{"role": "user", "content": "Which?"}]


def test_the_prompt_of_the_newest_run_is_kept(database: Database, now: datetime) -> None:
    asked = queue_request(database, make_world(database, now), now)
    with database.transaction() as connection:
        for layout in ("persona-first/1", "thread-first/1"):
            prompt_store.replace_prompt(
                connection, asked.id, layout=layout, messages=MESSAGES, breakdown={"prompt_tokens": 3}, now=now
            )
        found = prompt_store.find_prompt(connection, asked.id)
    assert found is not None
    assert (found.layout, list(found.messages), found.breakdown) == ("thread-first/1", MESSAGES, {"prompt_tokens": 3})


def test_what_was_erased_leaves_no_text_in_the_queue(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    asked = queue_request(database, world, now)
    topics = metadata.tables["topics"]
    with database.transaction() as connection:
        prompt_store.replace_prompt(connection, asked.id, layout="x", messages=MESSAGES, breakdown={}, now=now)
        chunk_store.insert_chunk(connection, asked.id, run=1, seq=0, text="a", thinking="")
        connection.execute(topics.update().values(deleted_at=now))
        assert prompt_store.delete_texts_of_erased(connection) == 0
        connection.execute(topics.update().values(title=""))
        assert prompt_store.delete_texts_of_erased(connection) == 1
        assert prompt_store.find_prompt(connection, asked.id) is None
        assert chunk_store.find_partial(connection, asked.id) is None
