"""Trying a draft of a persona: asked at once, kept for its page, never a post."""

import pytest

from forllm_server import clock
from forllm_server.errors import Invalid
from forllm_server.jobs.asking import Asked
from forllm_server.jobs.trying import Draft, ask_trial, preview
from forllm_server.personas.model import PersonaContent
from forllm_server.personas.trial_store import find_trial
from forllm_server.queue.control import cancel_llm_request
from forllm_server.queue.model import Cause, Lane, Status
from forllm_server.settings.values import change_settings
from tests.jobs.conftest import Evening
from tests.support.scripted_server import Script
from tests.support.world import LOCAL_USER

CONTENT = PersonaContent("Critic", "Find what is wrong.", parameters={"temperature": 0.4})
CIRCLES = "I hope this helps! Let me know if you have any questions. "


def try_it(evening: Evening, content: PersonaContent = CONTENT, post_id: int | None = None) -> Asked:
    with evening.database.transaction() as connection:
        draft = Draft(content, post_id or evening.world.post_id, persona_id=1)
        return Asked(ask_trial(connection, draft, owner_id=LOCAL_USER, now=clock.now()), is_new=True)


def test_a_draft_answers_without_a_post(evening: Evening) -> None:
    evening.server.script(Script(tokens=("Nothing", " is", " right.")))
    asked = try_it(evening)
    assert asked.request.lane is Lane.LIVE
    evening.run()
    assert evening.get(asked).status is Status.SUCCEEDED
    assert len(evening.posts()) == 1
    with evening.database.read() as connection:
        trial = find_trial(connection, asked.request.id)
    assert trial is not None
    assert trial.text == "Nothing is right."
    assert evening.server.chats[-1]["messages"][0] == {"role": "system", "content": "Find what is wrong."}
    assert evening.server.chats[-1]["temperature"] == 0.4


def test_two_trials_of_the_same_are_two(evening: Evening) -> None:
    assert try_it(evening).request.id != try_it(evening).request.id


def test_a_trial_can_be_called_off(evening: Evening) -> None:
    asked = try_it(evening)
    with evening.database.transaction() as connection:
        cancel_llm_request(connection, asked.request.id, clock.now())
    assert evening.get(asked).status is Status.CANCELLED
    assert not evening.run()


def test_a_post_deleted_meanwhile_is_said(evening: Evening) -> None:
    asked = try_it(evening)
    evening.change("posts", evening.world.post_id, deleted_at=clock.now())
    evening.run()
    assert evening.get(asked).cause is Cause.SUBJECT_GONE


@pytest.mark.parametrize(
    ("content", "post_id", "field"),
    [
        (PersonaContent("", "x"), None, "name"),
        (CONTENT, 99, "post_id"),
        (PersonaContent("A", "b", 99), None, "model_id"),
    ],
)
def test_what_cannot_be_tried_names_its_field(
    evening: Evening, content: PersonaContent, post_id: int | None, field: str
) -> None:
    with pytest.raises(Invalid) as problem:
        try_it(evening, content, post_id)
    assert problem.value.field == field


def test_the_preview_is_the_prompt_that_is_sent(evening: Evening) -> None:
    with evening.database.transaction() as connection:
        change_settings(connection, {"custom_instructions": "Metric units.\nBe brief."}, clock.now())
    with evening.database.read() as connection:
        shown = preview(connection, lambda: Draft(CONTENT, evening.world.post_id, 1), clock.now())
    try_it(evening)
    evening.run()
    assert shown.prompt is not None
    assert [message.as_dict() for message in shown.prompt.messages] == evening.server.chats[-1]["messages"]
    assert "Metric units." in shown.prompt.messages[0].content
    assert shown.prompt.breakdown.custom_tokens > 0
    assert "qwen3:8b on Desk" in shown.model_words


def test_what_is_wrong_with_a_preview_is_told(evening: Evening) -> None:
    with evening.database.read() as connection:
        assert preview(connection, lambda: Draft(CONTENT, None), clock.now()).problem == "Choose a post to try it on."


def test_an_answer_that_goes_round_in_circles_is_ended_and_marked(evening: Evening) -> None:
    evening.server.script(Script(tokens=("ZFS.\n\n", *[CIRCLES] * 400)))
    asked = evening.ask()
    evening.run()
    reply = evening.posts()[-1]
    assert (evening.get(asked).finish_reason, reply.finish_reason) == ("repetition", "repetition")
    assert reply.content == ("ZFS.\n\n" + CIRCLES * 2).strip()


def test_a_persona_may_go_round_in_circles(evening: Evening) -> None:
    evening.server.script(Script(tokens=(CIRCLES,) * 40))
    try_it(evening, PersonaContent("Bard", "Sing.", parameters={"repetition_guard": False}))
    evening.run()
    with evening.database.read() as connection:
        trial = find_trial(connection, 1)
    assert trial is not None
    assert trial.text.count("hope") == 40


def test_circles_of_thought_are_a_failure_that_says_so(evening: Evening) -> None:
    evening.server.script(Script(tokens=("late",), thinking=("Wait, let me reconsider that once more. ",) * 400))
    asked = evening.ask()
    evening.run()
    done = evening.get(asked)
    assert done.status is Status.FAILED
    assert "round in circles" in (done.cause_detail or "")


def test_the_second_model_answers_when_the_first_is_not_there(evening: Evening) -> None:
    from_first = PersonaContent("Critic", "Find.", None, {}, (evening.world.model_id,))
    asked = try_it(evening, from_first)
    assert asked.request.model_id == evening.world.model_id
    assert asked.request.input["model_reason"] == "the persona's model"


def test_a_post_kept_from_models_is_not_sent_and_that_is_told(evening: Evening) -> None:
    evening.server.script(Script(tokens=("First answer.",)))
    evening.ask()
    evening.run()
    reply = evening.posts()[-1]
    evening.change("posts", evening.world.post_id, is_excluded=True)
    asked = evening.ask(post_id=reply.id)
    evening.run()
    prompt = evening.prompt(asked)
    assert "two disks" not in str(prompt.messages)
    assert prompt.breakdown["excluded_post_ids"] == [evening.world.post_id]
