"""What hooks are told: in the transaction of the event, what follows from their own calls, and what stays quiet."""

import uuid
from collections.abc import Iterator
from datetime import datetime

import pytest
from sqlalchemy import Connection, event

from forllm_server.db import Database
from forllm_server.errors import Invalid
from forllm_server.exchange.sample import add_sample
from forllm_server.forum.editing import add_answer, add_reply, delete_post, edit_post
from forllm_server.forum.model import Answer, Post
from forllm_server.forum.topics import open_topic
from forllm_server.hooks.keeping import change_hook
from forllm_server.hooks.model import Call, CallStatus
from forllm_server.hooks.telling import LONGEST_CHAIN, heed_cause, silence, tell_hooks
from tests.hooks.making import EVERYTHING, KEY, add, calls
from tests.support.world import LOCAL_USER, World, make_world, queue_request


@pytest.fixture
def world(database: Database, now: datetime) -> World:
    return make_world(database, now)


@pytest.fixture(autouse=True)
def causeless() -> Iterator[None]:
    yield
    heed_cause(None)


def reply(connection: Connection, parent_id: int, now: datetime) -> Post:
    return add_reply(connection, owner_id=LOCAL_USER, parent_id=parent_id, content="Mirror them.", now=now)


def reply_for(database: Database, world: World, now: datetime, cause: Call | None) -> Post:
    """A reply that is posted for a call, or for nobody's."""
    heed_cause(cause.event_id if cause else None)
    with database.transaction() as connection:
        post = reply(connection, world.post_id, now)
    heed_cause(None)
    return post


def test_each_act_is_told_to_who_listens_with_ids_and_no_text(database: Database, world: World, now: datetime) -> None:
    add(database, now, events=EVERYTHING)
    add(database, now, events=["night.over"])
    with database.transaction() as connection:
        topic, root = open_topic(
            connection, owner_id=LOCAL_USER, subforum_id=world.subforum_id, title="Roses", content="When?", now=now
        )
        post = reply(connection, root.id, now)
        edit_post(connection, post.id, editor_id=LOCAL_USER, content="In March.", now=now)
        edit_post(connection, post.id, editor_id=LOCAL_USER, content="In March.", now=now)
        delete_post(connection, post.id, now)
        delete_post(connection, post.id, now)
    place = {"topic_id": topic.id, "post_id": post.id}
    assert [(call.hook_id, call.event, dict(call.facts)) for call in calls(database)] == [
        (1, "topic.opened", {"topic_id": topic.id, "post_id": root.id}),
        (1, "reply.posted", place | {"parent_id": root.id}),
        (1, "post.edited", place),
        (1, "post.deleted", place),
    ]
    assert len({call.event_id for call in calls(database)}) == 4


def test_what_is_rolled_back_is_told_to_nobody(database: Database, world: World, now: datetime) -> None:
    add(database, now)

    def fail_after_a_reply() -> None:
        with database.transaction() as connection:
            reply(connection, world.post_id, now)
            add_reply(connection, owner_id=LOCAL_USER, parent_id=world.post_id, content=" ", now=now)

    with pytest.raises(Invalid):
        fail_after_a_reply()
    assert calls(database) == []


def test_a_hook_that_is_off_hears_nothing_and_an_import_is_quiet(
    database: Database, world: World, now: datetime
) -> None:
    off = add(database, now, is_enabled=False)
    with database.transaction() as connection:
        reply(connection, world.post_id, now)
        change_hook(connection, off.id, secret_key=KEY, is_enabled=True, events=EVERYTHING)
        add_sample(connection, now)
        with silence():
            reply(connection, world.post_id, now)
    assert calls(database) == []
    reply_for(database, world, now, None)
    assert len(calls(database)) == 1


def test_what_a_hook_does_is_told_to_others_and_not_to_itself(database: Database, world: World, now: datetime) -> None:
    add(database, now, name="Draw")
    add(database, now, name="Keep")
    reply_for(database, world, now, None)
    drawn = calls(database)[0]
    reply_for(database, world, now, drawn)
    own, other = calls(database)[2:]
    assert (own.status, own.due_at, own.chain) == (CallStatus.STOPPED, None, (1, 1))
    assert own.problem == "Its own call brought this about."
    assert (other.status, other.chain) == (CallStatus.WAITING, (1, 2))
    # What the second one does about it comes back to neither.
    reply_for(database, world, now, other)
    assert [call.status for call in calls(database)[4:]] == [CallStatus.STOPPED, CallStatus.STOPPED]


def test_a_hook_may_ask_to_hear_of_its_own_doings_so_often(database: Database, world: World, now: datetime) -> None:
    add(database, now, most_repeats=2)
    reply_for(database, world, now, None)
    for _ in range(3):
        reply_for(database, world, now, calls(database)[-1])
    assert [call.status.value for call in calls(database)] == ["waiting", "waiting", "waiting", "stopped"]


def test_no_chain_is_longer_than_ten_however_hooks_are_set(database: Database, world: World, now: datetime) -> None:
    for _ in range(3):
        add(database, now, most_repeats=5)
    last = None
    for _ in range(LONGEST_CHAIN + 1):
        reply_for(database, world, now, last)
        last = max(calls(database), key=lambda call: (len(call.chain), call.id))
    assert max(len(call.chain) for call in calls(database) if call.status is CallStatus.WAITING) <= LONGEST_CHAIN


def test_a_personas_answer_to_what_a_hook_wrote_follows_from_it(
    database: Database, world: World, now: datetime
) -> None:
    add(database, now)
    reply_for(database, world, now, None)
    written = reply_for(database, world, now, calls(database)[0])
    request = queue_request(database, world, now, post_id=written.id)
    answer = Answer(
        llm_request_id=request.id, owner_id=LOCAL_USER, parent_id=written.id, content="So be it.",
        persona_version_id=1, persona_name="Assistant", model_name="qwen3:8b", parameters={},
    )  # fmt: skip
    with database.transaction() as connection:
        answered = add_answer(connection, answer, now)
    assert [call.status.value for call in calls(database)] == ["waiting", "stopped", "stopped"]
    # A person who takes part begins anew.
    with database.transaction() as connection:
        reply(connection, answered.id, now)
    assert calls(database)[-1].status is CallStatus.WAITING


@pytest.mark.parametrize("given", ["", "yes", "0" * 36, "D5F95CA0-3D56-43E9-8AF5-8065D79C16E9x", "x" * 10_000])
def test_an_id_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(Invalid, match="not the id of an event"):
        heed_cause(given)


def test_an_id_that_nobody_knows_follows_from_nothing(database: Database, world: World, now: datetime) -> None:
    add(database, now)
    heed_cause(str(uuid.uuid4()))
    with database.transaction() as connection:
        reply(connection, world.post_id, now)
    assert calls(database)[0].chain == (1,)


def test_there_are_no_events_but_those_that_are_listed(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.transaction() as connection, pytest.raises(ValueError, match="no event"):
        tell_hooks(connection, "moon.full", {}, now)


def test_without_hooks_an_act_costs_one_look(sqlite_database: Database, now: datetime) -> None:
    seen: list[str] = []
    with sqlite_database.transaction() as connection:
        event.listen(connection, "before_cursor_execute", lambda *facts: seen.append(facts[2]))
        assert tell_hooks(connection, "reply.posted", {}, now, new_post_id=1, answered_post_id=1) == 0
    assert len(seen) == 1
