from datetime import datetime, timedelta
from typing import Any

from forllm_server.db import Database, metadata
from forllm_server.queue import chunk_store, prompt_store
from tests.support.world import insert_post, insert_topic, make_world, queue_request

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
        prompt_store.delete_texts_of_erased(connection)
        assert prompt_store.find_prompt(connection, asked.id) is not None
        connection.execute(topics.update().values(title=""))
        prompt_store.delete_texts_of_erased(connection)
        assert prompt_store.find_prompt(connection, asked.id) is None
        assert chunk_store.find_partial(connection, asked.id) is None


def test_what_stood_above_an_answer_leaves_its_prompt_when_it_was_erased(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    posts, requests = metadata.tables["posts"], metadata.tables["llm_requests"]
    with database.transaction() as connection:
        erased, below, beside = (insert_post(connection, world.topic_id, now, number=number) for number in (1, 2, 3))
        connection.execute(posts.update().where(posts.c.id == below).values(parent_id=erased))
    answered, waiting, other, postless = (
        queue_request(database, world, now, post_id=post_id, answer_number=number).id
        for post_id, number in ((below, 1), (below, 2), (beside, 1), (None, 1))
    )
    with database.transaction() as connection:
        for each in (answered, waiting, other, postless):
            prompt_store.replace_prompt(connection, each, layout="x", messages=MESSAGES, breakdown={}, now=now)
        connection.execute(requests.update().where(requests.c.id != waiting).values(status="succeeded"))
        prompt_store.delete_texts_of_erased(connection)
        assert prompt_store.find_prompt(connection, answered) is not None
        connection.execute(posts.update().where(posts.c.id == erased).values(deleted_at=now, content=""))
        prompt_store.delete_texts_of_erased(connection)
        assert prompt_store.find_prompt(connection, answered) is None
        assert prompt_store.find_prompt(connection, postless) is None
        assert prompt_store.find_prompt(connection, waiting) is not None
        assert prompt_store.find_prompt(connection, other) is not None


def test_what_was_split_off_from_below_a_post_leaves_its_prompts_when_that_is_erased(
    database: Database, now: datetime
) -> None:
    world = make_world(database, now)
    posts, topics = metadata.tables["posts"], metadata.tables["topics"]
    with database.transaction() as connection:
        split_id = insert_topic(connection, world, now)
        moved = insert_post(connection, split_id, now)
    asked = queue_request(database, world, now, topic_id=split_id, post_id=moved)
    with database.transaction() as connection:
        prompt_store.replace_prompt(connection, asked.id, layout="x", messages=MESSAGES, breakdown={}, now=now)
        requests = metadata.tables["llm_requests"]
        connection.execute(requests.update().values(status="succeeded", started_at=now))
        erased = posts.update().where(posts.c.id == world.post_id)
        connection.execute(erased.values(deleted_at=now, content=""))
        prompt_store.delete_texts_of_erased(connection)
        assert prompt_store.find_prompt(connection, asked.id) is not None
        connection.execute(topics.update().where(topics.c.id == split_id).values(split_from_post_id=world.post_id))
        prompt_store.delete_texts_of_erased(connection)
        assert prompt_store.find_prompt(connection, asked.id) is None


def test_what_was_asked_after_a_post_was_deleted_keeps_its_prompt(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    posts, requests = metadata.tables["posts"], metadata.tables["llm_requests"]
    with database.transaction() as connection:
        erased, below = (insert_post(connection, world.topic_id, now, number=number) for number in (1, 2))
        connection.execute(posts.update().where(posts.c.id == below).values(parent_id=erased))
    held, later, summary, stale = (
        queue_request(database, world, now, post_id=post_id, answer_number=number).id
        for post_id, number in ((below, 1), (below, 2), (None, 1), (below, 3))
    )
    deleted_at = now + timedelta(hours=1)
    with database.transaction() as connection:
        for each in (held, later, summary, stale):
            started_at = now if each == held else now + timedelta(hours=2)
            # The last run of one ended before it had a prompt: what is kept is that of the run before.
            kept_at = now if each == stale else started_at
            prompt_store.replace_prompt(connection, each, layout="x", messages=MESSAGES, breakdown={}, now=kept_at)
            began = requests.update().where(requests.c.id == each)
            connection.execute(began.values(status="succeeded", started_at=started_at))
        connection.execute(posts.update().where(posts.c.id == erased).values(deleted_at=deleted_at, content=""))
        prompt_store.delete_texts_of_erased(connection)
        assert prompt_store.find_prompt(connection, held) is None
        assert prompt_store.find_prompt(connection, stale) is None
        assert prompt_store.find_prompt(connection, later) is not None
        assert prompt_store.find_prompt(connection, summary) is not None


def test_what_stood_beside_an_answer_leaves_its_prompt_when_it_was_erased(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    posts, requests = metadata.tables["posts"], metadata.tables["llm_requests"]
    with database.transaction() as connection:
        erased, other = (insert_post(connection, world.topic_id, now, number=number) for number in (1, 2))
    ambient, blind, chair = (
        queue_request(database, world, now, post_id=world.post_id, answer_number=number).id for number in (1, 2, 3)
    )
    breakdowns: dict[int, dict[str, Any]] = {
        ambient: {"ambient_post_ids": [other, erased]},
        blind: {"ambient_post_ids": [other]},
        chair: {},
    }
    with database.transaction() as connection:
        for each, breakdown in breakdowns.items():
            prompt_store.replace_prompt(connection, each, layout="x", messages=MESSAGES, breakdown=breakdown, now=now)
        connection.execute(requests.update().values(status="succeeded", started_at=now))
        # The chair of a council reads the opinions, which stand below the question.
        connection.execute(requests.update().where(requests.c.id == chair).values(input={"discussion_id": 1}))
        gone = posts.update().where(posts.c.id == erased)
        connection.execute(gone.values(deleted_at=now + timedelta(hours=1), content=""))
        prompt_store.delete_texts_of_erased(connection)
        assert prompt_store.find_prompt(connection, ambient) is None
        assert prompt_store.find_prompt(connection, chair) is None
        assert prompt_store.find_prompt(connection, blind) is not None
