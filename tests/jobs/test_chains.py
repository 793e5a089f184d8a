"""Chains from the call in a text to the last reply: who answers whom, what is told, and what ends."""

import pytest

from forllm_server import clock
from forllm_server.forum.editing import delete_post
from forllm_server.forum.model import Post
from forllm_server.jobs.asking import Asked, TooManyAsked
from forllm_server.jobs.mentioning import ask_all, find_mentioned
from forllm_server.jobs.partial_reply import post_partial_reply
from forllm_server.jobs.standing import list_standings
from forllm_server.queue import control
from forllm_server.queue.model import Cause, Status
from forllm_server.settings.values import change_settings
from tests.jobs.conftest import Evening
from tests.personas.world import create
from tests.support.scripted_server import Script
from tests.support.scripted_wire import Wire
from tests.support.world import LOCAL_USER


def cut(wire: Wire) -> None:
    wire.head()
    wire.token("Half of ")


@pytest.fixture(autouse=True)
def personas(evening: Evening) -> None:
    with evening.database.transaction() as connection:
        for name in ("Skeptic", "Teacher", "Poet"):
            create(connection, name)


def call(evening: Evening, text: str, *, earlier_text: str = "") -> tuple[list[Asked], tuple[str, ...]]:
    """What a text with calls asks about the world's post."""
    with evening.database.transaction() as connection:
        mentioned = find_mentioned(connection, text, earlier_text=earlier_text)
        asked = ask_all(
            connection,
            mentioned.persona_ids,
            owner_id=LOCAL_USER,
            post_id=evening.world.post_id,
            now=clock.now(),
            chains=mentioned.chains,
        )
    return asked, mentioned.notes


def answers(evening: Evening) -> list[Post]:
    return evening.posts()[1:]


def sentences(evening: Evening, asked: list[Asked]) -> list[str]:
    with evening.database.read() as connection:
        standings = list_standings(connection, [evening.get(each) for each in asked], clock.now())
    return [standings[each.request.id].label for each in asked]


def test_each_of_a_chain_answers_the_reply_before_it(evening: Evening) -> None:
    asked, notes = call(evening, "@skeptic>@teacher>@poet, is that so?")
    assert notes == ()
    assert sentences(evening, asked)[1:] == ["waits for @skeptic’s answer", "waits for @teacher’s answer"]
    evening.server.script(Script(tokens=("No.",)), Script(tokens=("Because.",)), Script(tokens=("Ah!",)))
    assert [evening.run() for _ in range(4)] == [True, True, True, False]
    skeptic, teacher, poet = answers(evening)
    assert [post.content for post in (skeptic, teacher, poet)] == ["No.", "Because.", "Ah!"]
    assert (skeptic.parent_id, teacher.parent_id, poet.parent_id) == (evening.world.post_id, skeptic.id, teacher.id)
    assert "No." in str(evening.prompt(asked[1]).messages)
    assert "Because." in str(evening.prompt(asked[2]).messages)


def test_beside_each_other_both_answer_the_post(evening: Evening) -> None:
    call(evening, "@skeptic @teacher")
    while evening.run():
        pass
    assert {post.parent_id for post in answers(evening)} == {evening.world.post_id}


def test_who_is_called_alone_and_begins_a_chain_answers_once(evening: Evening) -> None:
    asked, _ = call(evening, "@skeptic! And @skeptic>@teacher, then @skeptic>@poet.")
    assert len(asked) == 3
    while evening.run():
        pass
    skeptic, *others = answers(evening)
    assert [post.parent_id for post in others] == [skeptic.id] * 2


def test_a_circle_goes_round_until_it_is_cut_and_that_is_told(evening: Evening) -> None:
    with evening.database.transaction() as connection:
        change_settings(connection, {"longest_chain": 3}, clock.now())
    asked, notes = call(evening, "@skeptic>@teacher>@skeptic>@teacher")
    assert len(asked) == 3
    assert notes == ("@skeptic>@teacher>@skeptic>@teacher is longer than a chain may be: its first 3 were asked.",)
    while evening.run():
        pass
    assert [post.persona_name for post in answers(evening)] == ["Skeptic", "Teacher", "Skeptic"]
    assert [post.depth for post in answers(evening)] == [1, 2, 3]


def test_called_twice_it_is_asked_once(evening: Evening) -> None:
    first, _ = call(evening, "@skeptic>@teacher")
    again, _ = call(evening, "@skeptic>@teacher")
    assert [each.request.id for each in again] == [each.request.id for each in first]
    assert not any(each.is_new for each in again)


def test_a_later_edit_asks_only_what_is_new_and_goes_on_from_what_is_answered(evening: Evening) -> None:
    call(evening, "@skeptic")
    assert evening.run()
    (skeptic,) = answers(evening)
    assert call(evening, "@skeptic>@teacher", earlier_text="@skeptic>@teacher") == ([], ())
    asked, _ = call(evening, "@skeptic>@teacher", earlier_text="@skeptic")
    assert [(each.is_new, each.request.status) for each in asked] == [
        (False, Status.SUCCEEDED),
        (True, Status.QUEUED),
    ]
    assert evening.run()
    assert not evening.run()
    assert answers(evening)[-1].parent_id == skeptic.id


def test_a_chain_that_is_made_longer_later_asks_its_new_links_alone(evening: Evening) -> None:
    call(evening, "@skeptic>@teacher")
    while evening.run():
        pass
    asked, _ = call(evening, "@skeptic>@teacher>@skeptic", earlier_text="@skeptic>@teacher")
    assert [each.is_new for each in asked] == [False, False, True]
    while evening.run():
        pass
    assert [post.persona_name for post in answers(evening)] == ["Skeptic", "Teacher", "Skeptic"]
    assert [post.depth for post in answers(evening)] == [1, 2, 3]


def test_a_chain_taken_apart_later_asks_only_who_has_not_answered_the_post(evening: Evening) -> None:
    call(evening, "@skeptic>@teacher")
    while evening.run():
        pass
    asked, _ = call(evening, "@skeptic @teacher", earlier_text="@skeptic>@teacher")
    assert len(asked) == 1
    while evening.run():
        pass
    teachers = [post for post in answers(evening) if post.persona_name == "Teacher"]
    assert len(teachers) == 2
    assert evening.world.post_id in {post.parent_id for post in teachers}


def test_somebody_may_answer_their_own_reply(evening: Evening) -> None:
    asked, notes = call(evening, "@skeptic>@skeptic")
    assert (len(asked), notes) == (2, ())
    while evening.run():
        pass
    first, second = answers(evening)
    assert second.parent_id == first.id


def test_an_answer_that_was_deleted_is_not_gone_on_from(evening: Evening) -> None:
    call(evening, "@skeptic")
    evening.run()
    with evening.database.transaction() as connection:
        delete_post(connection, answers(evening)[0].id, clock.now())
    asked, _ = call(evening, "@skeptic>@teacher", earlier_text="@skeptic")
    assert [each.is_new for each in asked] == [True, True]


def test_a_failure_is_seen_in_the_whole_chain_and_a_partial_text_counts_as_an_answer(evening: Evening) -> None:
    asked, _ = call(evening, "@skeptic>@teacher>@poet")
    evening.change("llm_requests", asked[0].request.id, max_attempts=1)
    evening.server.script(Script(write=cut))
    assert evening.run()
    assert [evening.get(each).status for each in asked] == [Status.FAILED] * 3
    assert [evening.get(each).cause for each in asked[1:]] == [Cause.QUESTION_UNANSWERED] * 2
    with evening.database.transaction() as connection:
        reply = post_partial_reply(connection, asked[0].request.id, clock.now())
    assert [evening.get(each).status for each in asked[1:]] == [Status.QUEUED, Status.WAITING]
    while evening.run():
        pass
    assert [post.parent_id for post in answers(evening)[1:]] == [reply.id, answers(evening)[1].id]


def test_the_reply_is_deleted_before_it_was_answered(evening: Evening) -> None:
    asked, _ = call(evening, "@skeptic>@teacher>@poet")
    evening.run()
    with evening.database.transaction() as connection:
        delete_post(connection, answers(evening)[0].id, clock.now())
    assert [evening.get(each).status for each in asked] == [Status.SUCCEEDED, Status.CANCELLED, Status.CANCELLED]


def test_the_question_is_deleted_or_the_first_called_off(evening: Evening) -> None:
    asked, _ = call(evening, "@skeptic>@teacher")
    with evening.database.transaction() as connection:
        control.cancel_llm_request(connection, asked[0].request.id, clock.now())
    assert sentences(evening, asked) == ["cancelled", "cancelled"]
    assert not evening.run()


def test_a_chain_of_more_than_may_be_asked_is_refused_whole(evening: Evening) -> None:
    with evening.database.transaction() as connection:
        change_settings(connection, {"max_asked_at_once": 2}, clock.now())
    with pytest.raises(TooManyAsked):
        call(evening, "@skeptic>@teacher>@poet")
    assert not evening.run()
