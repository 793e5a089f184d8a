"""The history by what was asked, and many LLM requests by their ids."""

from collections.abc import Sequence
from datetime import datetime

import pytest

from forllm_server.db import Database, metadata
from forllm_server.queue import history_store
from forllm_server.queue.history_store import HistoryFilter, list_history
from forllm_server.queue.line_store import list_llm_requests_by_ids
from forllm_server.queue.model import Status
from tests.support.world import World, insert, insert_backend, insert_model, insert_post, make_world, queue_request


@pytest.fixture
def world(database: Database, now: datetime) -> World:
    return make_world(database, now)


def ids(database: Database, wanted: HistoryFilter, *, before_id: int | None = None, limit: int = 100) -> list[int]:
    with database.read() as connection:
        found = list_history(connection, wanted, before_id=before_id, limit=limit)
    return [each.id for each in found.llm_requests]


def end(database: Database, llm_request_ids: Sequence[int], status: str) -> None:
    requests = metadata.tables["llm_requests"]
    with database.transaction() as connection:
        connection.execute(requests.update().where(requests.c.id.in_(llm_request_ids)).values(status=status))


def ask_elsewhere(database: Database, world: World, now: datetime, *, content: str, title: str) -> int:
    """A question in another subforum; its LLM request's id."""
    with database.transaction() as connection:
        subforum_id = insert(
            connection, "subforums", owner_id=1, name="Garden", name_key="garden", description="", position=2,
            created_at=now,
        )  # fmt: skip
        topic_id = insert(
            connection, "topics", subforum_id=subforum_id, owner_id=1, kind="discussion", title=title, created_at=now,
            last_post_at=now, post_count=1, version=1,
        )  # fmt: skip
        post_id = insert_post(connection, topic_id, now)
        posts = metadata.tables["posts"]
        connection.execute(posts.update().where(posts.c.id == post_id).values(content=content))
    return queue_request(database, world, now, topic_id=topic_id, post_id=post_id).id


def test_it_is_the_newest_first_in_pages(database: Database, world: World, now: datetime) -> None:
    asked = [queue_request(database, world, now).id for _ in range(5)]
    with database.read() as connection:
        first = list_history(connection, HistoryFilter(), limit=2)
        second = list_history(connection, HistoryFilter(), before_id=first.next_id, limit=2)
        last = list_history(connection, HistoryFilter(), before_id=second.next_id, limit=2)
    assert [each.id for page in (first, second, last) for each in page.llm_requests] == asked[::-1]
    assert last.next_id is None


def test_it_is_filtered_by_state_persona_model_subforum_topic_and_post(
    database: Database, world: World, now: datetime
) -> None:
    here = queue_request(database, world, now).id
    there = ask_elsewhere(database, world, now, content="Which roses?", title="Roses")
    with database.transaction() as connection:
        backend_id = insert_backend(connection, now, name="Attic")
        model_id = insert_model(connection, backend_id, now)
    other = queue_request(database, world, now, backend_id=backend_id, model_id=model_id, persona_id=None).id
    end(database, [here], "succeeded")
    assert ids(database, HistoryFilter(statuses=[Status.SUCCEEDED])) == [here]
    assert ids(database, HistoryFilter(statuses=[Status.SUCCEEDED, Status.QUEUED])) == [other, there, here]
    assert ids(database, HistoryFilter(model_id=model_id)) == [other]
    assert ids(database, HistoryFilter(persona_id=1)) == [there, here]
    assert ids(database, HistoryFilter(subforum_id=world.subforum_id)) == [other, here]
    assert ids(database, HistoryFilter(topic_id=world.topic_id, persona_id=1)) == [here]
    assert ids(database, HistoryFilter(post_id=world.post_id, model_id=model_id)) == [other]


def test_words_are_looked_for_in_the_question_and_the_title(database: Database, world: World, now: datetime) -> None:
    here = queue_request(database, world, now).id
    there = ask_elsewhere(database, world, now, content="100% of the roses_ wilt.", title="Flowers and ZFS")
    assert ids(database, HistoryFilter(text="FILE system")) == [here]
    assert ids(database, HistoryFilter(text="flowers")) == [there]
    assert ids(database, HistoryFilter(text="zfs")) == [there, here]
    assert ids(database, HistoryFilter(text="0% of")) == [there]
    assert ids(database, HistoryFilter(text="%")) == [there]
    assert ids(database, HistoryFilter(text="roses_ w")) == [there]
    assert ids(database, HistoryFilter(text="zfs", subforum_id=world.subforum_id)) == [here]


def test_what_is_in_the_trash_is_not_found_by_its_words(database: Database, world: World, now: datetime) -> None:
    queue_request(database, world, now)
    posts = metadata.tables["posts"]
    with database.transaction() as connection:
        connection.execute(posts.update().values(deleted_at=now))
    assert ids(database, HistoryFilter(text="file")) == []
    assert len(ids(database, HistoryFilter())) == 1


def test_a_filter_that_finds_little_goes_on_from_where_it_stopped(
    database: Database, world: World, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_store, "LOOKED_AT", 3)
    wanted = queue_request(database, world, now, persona_id=None).id
    for _ in range(6):
        queue_request(database, world, now)
    before_id: int | None = None
    pages = []
    with database.read() as connection:
        while len(pages) < 10:
            page = list_history(connection, HistoryFilter(subforum_id=1, persona_id=9), before_id=before_id, limit=2)
            pages.append(page)
            before_id = page.next_id
            if before_id is None:
                break
    assert len(pages) == 3
    assert ids(database, HistoryFilter(), before_id=wanted + 1) == [wanted]


def test_many_are_read_by_their_ids_in_that_order(database: Database, world: World, now: datetime) -> None:
    a, b, c = (queue_request(database, world, now).id for _ in range(3))
    with database.read() as connection:
        assert [each.id for each in list_llm_requests_by_ids(connection, [c, 404, a, c, b])] == [c, a, b]
        assert list_llm_requests_by_ids(connection, []) == []
