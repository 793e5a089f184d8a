"""What a request had written when it was cancelled or failed can be posted, marked partial, exactly once."""

import threading

import pytest

from forllm_server import clock
from forllm_server.errors import Conflict, Invalid
from forllm_server.forum.editing import add_reply, delete_post
from forllm_server.forum.model import Post
from forllm_server.jobs.asking import Asked
from forllm_server.jobs.partial_reply import may_post_partial, post_partial_reply
from forllm_server.queue import control
from forllm_server.queue.event_store import list_events
from forllm_server.queue.model import Cause, Happening, Status
from tests.jobs.conftest import Evening
from tests.support.scripted_server import Script
from tests.support.scripted_wire import Wire
from tests.support.world import LOCAL_USER

WRITTEN = "".join(f"word{number} " for number in range(30))


def cut(wire: Wire) -> None:
    wire.head()
    wire.thought("Hm.")
    for number in range(30):
        wire.token(f"word{number} ")


def fail(evening: Evening, **wish: object) -> Asked:
    """Ask, and have it fail in the middle of its answer."""
    asked = evening.ask(**wish)
    evening.change("llm_requests", asked.request.id, max_attempts=1)
    evening.server.script(Script(write=cut))
    assert evening.run()
    assert evening.get(asked).status is Status.FAILED
    return asked


def post_partial(evening: Evening, asked: Asked) -> Post:
    with evening.database.transaction() as connection:
        return post_partial_reply(connection, asked.request.id, clock.now())


def test_a_kept_partial_text_becomes_a_reply_that_says_so(evening: Evening) -> None:
    asked = fail(evening)
    assert may_post_partial(evening.get(asked), evening.partial(asked.request.id))
    reply = post_partial(evening, asked)
    assert (reply.content.strip(), reply.thinking, reply.is_partial) == (WRITTEN.strip(), "Hm.", True)
    assert (reply.parent_id, reply.persona_name, reply.model_name) == (
        evening.world.post_id,
        "Assistant",
        "qwen3:8b",
    )
    done = evening.get(asked)
    assert (done.status, done.finish_reason, done.reply_post_id) == (Status.SUCCEEDED, "partial", reply.id)
    assert done.cause is Cause.ERROR
    assert done.cause_detail
    assert evening.partial(asked.request.id) is None
    with evening.database.read() as connection:
        assert list_events(connection, asked.request.id)[-1].name is Happening.SUCCEEDED


def test_done_twice_it_stands_there_once(evening: Evening) -> None:
    asked = fail(evening)
    assert post_partial(evening, asked).id == post_partial(evening, asked).id
    assert len(evening.posts()) == 2


def test_done_by_two_at_once_it_stands_there_once(evening: Evening) -> None:
    asked = fail(evening)
    ids: list[int] = []
    begin = threading.Barrier(4)

    def press() -> None:
        begin.wait(10)
        ids.append(post_partial(evening, asked).id)

    people = [threading.Thread(target=press) for _ in range(4)]
    for each in people:
        each.start()
    for each in people:
        each.join(30)
    assert len(ids) == 4
    assert len(set(ids)) == 1
    assert len(evening.posts()) == 2


def test_what_was_posted_cannot_be_retried_but_another_answer_can_be_asked(evening: Evening) -> None:
    asked = fail(evening)
    post_partial(evening, asked)
    with pytest.raises(Conflict), evening.database.transaction() as connection:
        control.retry_llm_request(connection, asked.request.id, clock.now())
    assert evening.ask(is_another=True).is_new
    assert evening.run()
    assert [post.is_partial for post in evening.posts()[1:]] == [True, False]


def test_what_has_not_ended_or_was_answered_has_no_partial_text_to_post(evening: Evening) -> None:
    asked = evening.ask()
    for _ in range(2):
        assert not may_post_partial(evening.get(asked), evening.partial(asked.request.id))
        with pytest.raises(Conflict):
            post_partial(evening, asked)
        evening.run()
    assert evening.get(asked).status is Status.SUCCEEDED
    assert len(evening.posts()) == 2


def test_nothing_written_is_nothing_to_post(evening: Evening) -> None:
    asked = evening.ask()
    with evening.database.transaction() as connection:
        control.cancel_llm_request(connection, asked.request.id, clock.now())
    with pytest.raises(Invalid):
        post_partial(evening, asked)
    assert evening.get(asked).status is Status.CANCELLED


def test_under_a_deleted_post_it_is_refused_and_kept(evening: Evening) -> None:
    with evening.database.transaction() as connection:
        why = add_reply(
            connection, owner_id=LOCAL_USER, parent_id=evening.world.post_id, content="Why?", now=clock.now()
        )
    asked = fail(evening, post_id=why.id)
    with evening.database.transaction() as connection:
        delete_post(connection, why.id, clock.now())
    with pytest.raises(Conflict):
        post_partial(evening, asked)
    assert evening.get(asked).status is Status.FAILED
    assert evening.partial(asked.request.id)
