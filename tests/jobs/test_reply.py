"""A reply from the question to the post, on a real database and a server that speaks llama.cpp's protocol."""

from datetime import UTC, datetime

import pytest

from forllm_server import clock
from forllm_server.catalog.model_store import get_model
from forllm_server.errors import Invalid, NotFound
from forllm_server.forum.editing import add_reply, delete_post, edit_post
from forllm_server.forum.model import AuthorKind
from forllm_server.forum.topics import delete_topic
from forllm_server.personas.editing import change_persona, create_persona, delete_persona
from forllm_server.personas.persona_store import get_persona
from forllm_server.queue.model import Cause, Lane, Status
from forllm_server.settings.values import change_settings
from tests.jobs.conftest import Evening
from tests.support.scripted_server import Script
from tests.support.world import LOCAL_USER


def test_a_question_becomes_a_reply_in_its_place(evening: Evening) -> None:
    evening.server.script(Script(tokens=("ZFS", ", of", " course."), thinking=("hm",), prompt_tokens=42))
    asked = evening.ask()
    assert evening.run()
    question, reply = evening.posts()
    assert reply.content == "ZFS, of course."
    assert (reply.parent_id, reply.depth, reply.author_kind) == (question.id, 1, AuthorKind.PERSONA)
    assert (reply.persona_name, reply.model_name, reply.persona_version_id) == ("Assistant", "qwen3:8b", 1)
    assert (reply.finish_reason, reply.thinking, reply.llm_request_id) == ("stop", "hm", asked.request.id)
    assert reply.question_version == question.version
    done = evening.get(asked)
    assert (done.status, done.reply_post_id) == (Status.SUCCEEDED, reply.id)


def test_the_exact_prompt_that_was_sent_is_kept(evening: Evening) -> None:
    asked = evening.ask()
    evening.run()
    sent = evening.server.chats[-1]
    prompt = evening.prompt(asked)
    assert sent["messages"] == list(prompt.messages)
    assert prompt.messages[0] == {"role": "system", "content": "You are a helpful assistant."}
    assert prompt.messages[-1]["content"].endswith("Which file system for two disks?")
    assert prompt.breakdown["context_tokens"] == 4096
    assert prompt.breakdown["is_complete"]


def test_gaps_in_the_instructions_are_filled_in_when_the_persona_is_asked(
    evening: Evening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the day in the forum's zone: in Auckland it is Monday already."""
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 22, 20, 0, tzinfo=UTC))
    instructions = "You are {{persona}}. It is {{weekday}}, {{date}}. Of {{topic}} in {{subforum}}: {{this}}."
    with evening.database.transaction() as connection:
        change_settings(connection, {"timezone": "Pacific/Auckland"}, clock.now())
        persona = create_persona(
            connection, owner_id=LOCAL_USER, name="Skeptic", instructions=instructions, now=clock.now()
        )
    asked = evening.ask(persona_id=persona.id)
    assert evening.run()
    expected = "You are Skeptic. It is Monday, 2026-11-23. Of ZFS or Btrfs? in Homelab: {{this}}."
    assert evening.server.chats[-1]["messages"][0] == {"role": "system", "content": expected}
    assert evening.prompt(asked).messages[0]["content"] == expected
    with evening.database.read() as connection:
        assert get_persona(connection, persona.id).version.instructions == instructions


def test_parameters_of_the_persona_reach_the_server_and_the_reply(evening: Evening) -> None:
    parameters = {"temperature": 0.3, "top_p": 0.9, "max_tokens": 64, "seed": 7, "stop": ["##"]}
    with evening.database.transaction() as connection:
        persona = create_persona(
            connection,
            owner_id=LOCAL_USER,
            name="Skeptic",
            instructions="Doubt.",
            parameters=parameters,
            now=clock.now(),
        )
    evening.ask(persona_id=persona.id)
    evening.run()
    sent = evening.server.chats[-1]
    assert {name: sent[name] for name in ("temperature", "top_p", "max_tokens", "seed", "stop")} == parameters
    reply = evening.posts()[-1]
    assert reply.parameters is not None
    assert reply.parameters["temperature"] == 0.3


def test_a_persona_changed_while_its_request_waits_answers_as_it_was_asked(evening: Evening) -> None:
    with evening.database.transaction() as connection:
        persona = create_persona(
            connection, owner_id=LOCAL_USER, name="Skeptic", instructions="Doubt.", now=clock.now()
        )
    asked = evening.ask(persona_id=persona.id)
    with evening.database.transaction() as connection:
        change_persona(
            connection,
            persona.id,
            editor_id=LOCAL_USER,
            name="Believer",
            instructions="Believe.",
            now=clock.now(),
        )
        delete_persona(connection, persona.id, clock.now())
    evening.run()
    assert evening.prompt(asked).messages[0]["content"] == "Doubt."
    assert evening.posts()[-1].persona_name == "Skeptic"


def test_a_double_click_is_one_request_and_another_answer_is_another(evening: Evening) -> None:
    first, second = evening.ask(), evening.ask()
    assert (first.is_new, second.is_new) == (True, False)
    assert first.request.id == second.request.id
    third = evening.ask(is_another=True)
    assert third.is_new
    while evening.run():
        pass
    assert len(evening.posts()) == 3


def test_asking_again_with_run_now_moves_what_waits_already(evening: Evening) -> None:
    first = evening.ask()
    again = evening.ask(is_run_now=True)
    assert (again.request.id, again.is_new, again.request.lane) == (first.request.id, False, Lane.LIVE)


def test_the_thread_above_the_question_is_part_of_the_prompt(evening: Evening) -> None:
    evening.server.script(Script(tokens=("ZFS.",)))
    evening.ask()
    evening.run()
    reply = evening.posts()[-1]
    with evening.database.transaction() as connection:
        why = add_reply(connection, owner_id=LOCAL_USER, parent_id=reply.id, content="Why not Btrfs?", now=clock.now())
    evening.ask(post_id=why.id)
    evening.run()
    assert [(each["role"], each["content"]) for each in evening.server.chats[-1]["messages"]][1:] == [
        ("user", "# ZFS or Btrfs?\n\nWhich file system for two disks?"),
        ("assistant", "ZFS."),
        ("user", "Why not Btrfs?"),
    ]


def test_a_post_too_long_for_the_model_fails_at_once_with_the_numbers(evening: Evening) -> None:
    with evening.database.transaction() as connection:
        edit_post(connection, evening.world.post_id, content="word " * 9000, editor_id=LOCAL_USER, now=clock.now())
    asked = evening.ask()
    evening.run()
    failed = evening.get(asked)
    assert (failed.status, failed.cause, failed.attempts) == (Status.FAILED, Cause.PROMPT_TOO_LONG, 1)
    assert "4,096" in (failed.cause_detail or "")
    assert evening.server.chats == []


def test_a_post_deleted_while_its_request_waits_ends_in_words(evening: Evening) -> None:
    with evening.database.transaction() as connection:
        why = add_reply(
            connection, owner_id=LOCAL_USER, parent_id=evening.world.post_id, content="Why?", now=clock.now()
        )
    asked = evening.ask(post_id=why.id)
    with evening.database.transaction() as connection:
        delete_post(connection, why.id, clock.now())
    while evening.run():
        pass
    ended = evening.get(asked)
    assert ended.status in (Status.FAILED, Status.CANCELLED)
    assert ended.cause in (Cause.SUBJECT_GONE, Cause.CANCELLED)
    assert evening.server.chats == []


def test_a_topic_deleted_while_its_request_waits_ends_in_words(evening: Evening) -> None:
    asked = evening.ask()
    with evening.database.transaction() as connection:
        delete_topic(connection, evening.world.topic_id, clock.now())
    while evening.run():
        pass
    assert evening.get(asked).status in (Status.FAILED, Status.CANCELLED)
    assert evening.server.chats == []


def test_a_backend_deleted_while_a_request_waits_is_said(evening: Evening) -> None:
    asked = evening.ask()
    evening.change("backends", evening.world.backend_id, deleted_at=clock.now())
    evening.change("llm_requests", asked.request.id, lane=Lane.LIVE.value)
    evening.change("backends", 1, is_enabled=True)
    evening.change("llm_requests", asked.request.id, backend_id=1)
    evening.change("models", evening.world.model_id, is_available=False)
    evening.change("llm_requests", asked.request.id, model_id=None)
    evening.run()
    failed = evening.get(asked)
    assert (failed.status, failed.cause) == (Status.FAILED, Cause.MODEL_GONE)


def test_a_deleted_post_cannot_be_asked_about(evening: Evening) -> None:
    with evening.database.transaction() as connection:
        why = add_reply(
            connection, owner_id=LOCAL_USER, parent_id=evening.world.post_id, content="Why?", now=clock.now()
        )
        delete_post(connection, why.id, clock.now())
    with pytest.raises(NotFound):
        evening.ask(post_id=why.id)


def test_an_unknown_model_or_persona_is_refused_by_name(evening: Evening) -> None:
    with pytest.raises(Invalid) as caught:
        evening.ask(model_id=404)
    assert caught.value.field == "model_id"
    with pytest.raises((Invalid, NotFound)) as caught_persona:
        evening.ask(persona_id=404)
    assert caught_persona.value.field == "persona_id"


def test_with_no_model_at_all_the_question_waits_until_there_is_one(evening: Evening) -> None:
    evening.change("models", evening.world.model_id, is_available=False)
    asked = evening.ask()
    assert (asked.request.status, asked.request.backend_id) == (Status.QUEUED, None)
    assert not evening.run()


def test_run_now_is_asked_in_the_live_lane(evening: Evening) -> None:
    assert evening.ask(is_run_now=True).request.lane is Lane.LIVE


def test_a_model_learns_how_long_its_tokens_are(evening: Evening) -> None:
    evening.server.script(Script(prompt_tokens=20))
    evening.ask()
    evening.run()
    assert evening.server.chats
    with evening.database.read() as connection:
        assert get_model(connection, evening.world.model_id).characters_per_token is not None


def test_several_personas_on_one_post_get_the_thread_first_and_share_it(evening: Evening) -> None:
    with evening.database.transaction() as connection:
        skeptic = create_persona(
            connection, owner_id=LOCAL_USER, name="Skeptic", instructions="Doubt.", now=clock.now()
        )
    asked = [evening.ask(), evening.ask(persona_id=skeptic.id)]
    while evening.run():
        pass
    first, second = (evening.prompt(each) for each in asked)
    assert first.layout == second.layout == "thread-first/1"
    texts = [prompt.messages[-1]["content"] for prompt in (first, second)]
    assert texts[0].split("\n---\n")[0] == texts[1].split("\n---\n")[0]
    assert "You are Skeptic. Doubt." in texts[1]
