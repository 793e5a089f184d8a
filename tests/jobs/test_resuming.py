"""An answer that was broken off goes on where it was; one that cannot is written anew. Either way it is there once."""

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from forllm_server import clock
from forllm_server.forum.editing import edit_post
from forllm_server.jobs.asking import Asked
from forllm_server.jobs.resuming import SHORTEST_BEGINNING, Beginning, beginning_of, joined, was_broken_off
from forllm_server.personas.editing import create_persona
from forllm_server.queue import control
from forllm_server.queue.claiming import rescue_expired
from forllm_server.queue.job import Interruption, Job
from forllm_server.queue.model import Happening, LlmRequestEvent, Partial, Prompt, Status
from tests.jobs.conftest import Evening
from tests.support.scripted_server import Script, ScriptedServer, has_left
from tests.support.scripted_wire import Wire
from tests.support.world import LOCAL_USER, insert_backend, insert_model

TOKENS = (*(f"word{number} " for number in range(1, 80)), "end.")
WHOLE = "".join(TOKENS)
PATIENCE_SECONDS = 20.0


def begin(evening: Evening, characters: int = SHORTEST_BEGINNING) -> tuple[Job, threading.Thread]:
    """Let a worker write until so much of its text is saved; it still writes, one token at a time, when this returns.

    All tokens together take 1.6 s, so that a busy machine, too, breaks it off in the middle.
    """
    evening.server.default = Script(tokens=TOKENS, delay=0.02)
    worker = threading.Thread(target=evening.run)
    worker.start()
    until(lambda: bool(evening.pool.running_jobs()))
    (job,) = evening.pool.running_jobs()

    def is_enough(found: Partial | None) -> bool:
        return found is not None and found.run == job.request.run and len(found.text.rstrip()) >= characters

    until(lambda: is_enough(evening.partial(job.request.id)))
    return job, worker


def until(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happens():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.002)


def break_off(evening: Evening, why: Interruption = Interruption.STOPPING, characters: int = SHORTEST_BEGINNING) -> str:
    """A run that ends in the middle; what it has left behind. A lost lease stands for a killed worker."""
    job, worker = begin(evening, characters)
    job.interrupt(why)
    worker.join(PATIENCE_SECONDS)
    if why is Interruption.LEASE_LOST:
        with evening.database.transaction() as connection:
            assert rescue_expired(connection, clock.now() + timedelta(minutes=1), random.random)
    left = partial_of(evening, job.request.id)
    assert left is not None
    assert 0 < len(left) < len(WHOLE)
    assert WHOLE.startswith(left)
    evening.server.default = Script(tokens=TOKENS)
    return left


def partial_of(evening: Evening, llm_request_id: int) -> str | None:
    from_rows = evening.partial(llm_request_id)
    return from_rows.text if from_rows else None


def replies(evening: Evening) -> list[str]:
    return [post.content for post in evening.posts()[1:]]


@pytest.mark.parametrize(
    "why",
    [Interruption.STOPPING, Interruption.WINDOW_PAUSED, Interruption.MACHINE_BUSY, Interruption.LEASE_LOST],
)
def test_what_was_broken_off_goes_on_where_it_was(evening: Evening, why: Interruption) -> None:
    asked = evening.ask()
    left = break_off(evening, why).rstrip()
    assert evening.run()
    first, second = evening.server.chats
    assert second["messages"] == [*first["messages"], {"role": "assistant", "content": left}]
    assert second["max_tokens"] < first["max_tokens"]
    assert replies(evening) == [WHOLE]
    done = evening.get(asked)
    assert done.usage is not None
    assert (done.status, done.usage["resumed_characters"]) == (Status.SUCCEEDED, len(left))
    assert done.output_tokens == done.usage["completion_tokens"] + done.usage["resumed_tokens"]
    assert evening.prompt(asked).messages[-1] == {"role": "assistant", "content": left}
    assert partial_of(evening, asked.request.id) is None


def test_it_may_be_broken_off_again_and_again(evening: Evening) -> None:
    asked = evening.ask()
    first = break_off(evening)
    second = break_off(evening, Interruption.LEASE_LOST)
    assert len(second) > len(first)
    assert evening.get(asked).output_tokens > 20
    assert evening.run()
    assert evening.server.chats[-1]["messages"][-1]["content"] == second.rstrip()
    assert replies(evening) == [WHOLE]


def test_a_few_words_are_written_anew_for_nobody_can_tell_whether_they_are_repeated(evening: Evening) -> None:
    evening.ask()
    evening.server.script(Script(write=say_a_word_and_wait))
    worker = threading.Thread(target=evening.run)
    worker.start()
    until(lambda: bool(evening.pool.running_jobs()))
    (job,) = evening.pool.running_jobs()
    until(lambda: job.first_token_at is not None)
    job.interrupt(Interruption.STOPPING)
    worker.join(PATIENCE_SECONDS)
    assert partial_of(evening, job.request.id) == TOKENS[0]
    evening.server.default = Script(tokens=TOKENS)
    assert evening.run()
    assert evening.server.chats[-1]["messages"][-1]["role"] == "user"
    assert replies(evening) == [WHOLE]


def test_a_run_that_dies_before_it_wrote_anything_loses_nothing(evening: Evening) -> None:
    evening.ask()
    left = break_off(evening)
    evening.server.gate.clear()
    evening.server.asked.clear()
    worker = threading.Thread(target=evening.run)
    worker.start()
    assert evening.server.asked.wait(PATIENCE_SECONDS)
    until(lambda: len(evening.server.chats) == 2)
    evening.pool.running_jobs()[0].interrupt(Interruption.STOPPING)
    worker.join(PATIENCE_SECONDS)
    evening.server.gate.set()
    assert evening.run()
    assert evening.server.chats[-1]["messages"][-1]["content"] == left.rstrip()
    assert replies(evening) == [WHOLE]


@pytest.mark.parametrize(
    ("kind", "protocol", "option", "is_resumed"),
    [
        ("ollama", "ollama", None, False),
        ("ollama", "ollama", "yes", True),
        ("llama_cpp", "llama_cpp", "no", False),
        ("openai_compatible", "openai", None, False),
        ("openai_compatible", "openai", "yes", True),
    ],
)
def test_each_backend_goes_on_as_it_is_told_or_as_its_kind_can(
    evening: Evening, kind: str, protocol: str, option: str | None, is_resumed: bool
) -> None:
    with ScriptedServer(protocol, models=("qwen3:8b",)) as server:
        evening.server = server
        options = {"continues_partial": option} if option else {}
        evening.change("backends", evening.world.backend_id, kind=kind, base_url=server.url, options=options)
        evening.ask()
        break_off(evening)
        assert evening.run()
        assert (server.chats[-1]["messages"][-1]["role"] == "assistant") is is_resumed
        assert bool(server.chats[-1].get("continue_final_message")) is (is_resumed and kind == "openai_compatible")
    assert replies(evening) == [WHOLE]


def test_a_server_that_begins_again_instead_is_not_quoted_twice(evening: Evening) -> None:
    evening.ask()
    break_off(evening)
    evening.server.may_continue = False
    assert evening.run()
    assert evening.server.chats[-1]["messages"][-1]["role"] == "assistant"
    assert replies(evening) == [WHOLE]


def test_one_that_begins_again_and_is_broken_off_at_it_is_not_quoted_twice_either(evening: Evening) -> None:
    evening.ask()
    left = break_off(evening).rstrip()
    evening.server.may_continue = False
    job, worker = begin(evening, 2 * len(left) + 8)
    job.interrupt(Interruption.STOPPING)
    worker.join(PATIENCE_SECONDS)
    evening.server.default = Script(tokens=TOKENS)
    evening.server.may_continue = True
    assert evening.run()
    begun = evening.server.chats[-1]["messages"][-1]
    assert begun["role"] == "assistant"
    assert len(begun["content"]) > len(left)
    assert WHOLE.startswith(begun["content"])
    assert replies(evening) == [WHOLE]


def say_a_word_and_wait(wire: Wire) -> None:
    wire.head()
    wire.token(TOKENS[0])
    until(lambda: has_left(wire.connection))


def refuse(wire: Wire) -> None:
    message = "Assistant response prefill is incompatible with enable_thinking."
    wire.json({"error": {"code": 400, "message": message, "type": "invalid_request_error"}}, 400)


def say_nothing(wire: Wire) -> None:
    wire.head()
    wire.finish("stop")
    wire.end()


@pytest.mark.parametrize("play", [refuse, say_nothing])
def test_a_server_that_will_not_go_on_writes_it_anew_in_the_same_run(
    evening: Evening, play: Callable[[Wire], None]
) -> None:
    asked = evening.ask()
    break_off(evening)
    evening.server.script(Script(write=play))
    assert evening.run()
    assert [each["messages"][-1]["role"] for each in evening.server.chats] == ["user", "assistant", "user"]
    assert replies(evening) == [WHOLE]
    done = evening.get(asked)
    assert done.usage is not None
    assert (done.attempts, "resumed_characters" in done.usage) == (1, False)
    assert evening.prompt(asked).messages[-1]["role"] == "user"


def edit_the_post(evening: Evening, asked: Asked) -> None:
    with evening.database.transaction() as connection:
        edit_post(connection, evening.world.post_id, content="And for five?", editor_id=LOCAL_USER, now=clock.now())


def ask_another_model(evening: Evening, asked: Asked) -> None:
    with evening.database.transaction() as connection:
        now = clock.now()
        backend_id = insert_backend(connection, now, name="Other", base_url=evening.server.url)
        model_id = insert_model(connection, backend_id, now, name="qwen3:8b")
        control.requeue_llm_request(connection, asked.request.id, model_id=model_id, now=now)


def cancel_and_retry(evening: Evening, asked: Asked) -> None:
    with evening.database.transaction() as connection:
        control.cancel_llm_request(connection, asked.request.id, clock.now())
        control.retry_llm_request(connection, asked.request.id, clock.now())


@pytest.mark.parametrize("change", [edit_the_post, ask_another_model, cancel_and_retry])
def test_what_was_written_for_another_prompt_model_or_wish_is_dropped(
    evening: Evening, change: Callable[[Evening, Asked], None]
) -> None:
    asked = evening.ask()
    break_off(evening)
    change(evening, asked)
    assert evening.run()
    assert evening.server.chats[-1]["messages"][-1]["role"] == "user"
    assert replies(evening) == [WHOLE]
    assert partial_of(evening, asked.request.id) is None


def test_another_persona_asked_meanwhile_changes_no_prompt_that_was_begun(evening: Evening) -> None:
    evening.ask()
    break_off(evening)
    with evening.database.transaction() as connection:
        skeptic = create_persona(
            connection, owner_id=LOCAL_USER, name="Skeptic", instructions="Doubt.", now=clock.now()
        )
    evening.ask(persona_id=skeptic.id)
    assert evening.run()
    assert evening.server.chats[-1]["messages"][-1]["role"] == "assistant"
    assert replies(evening) == [WHOLE]


def test_a_window_that_stops_its_work_has_it_begun_anew(evening: Evening) -> None:
    asked = evening.ask()
    job, worker = begin(evening)
    job.interrupt(Interruption.WINDOW_STOPPED)
    worker.join(PATIENCE_SECONDS)
    assert partial_of(evening, asked.request.id) is None
    evening.server.default = Script(tokens=TOKENS)
    assert evening.run()
    assert evening.server.chats[-1]["messages"][-1]["role"] == "user"
    assert replies(evening) == [WHOLE]


def test_what_a_failing_server_left_is_not_trusted(evening: Evening) -> None:
    asked = evening.ask()

    def cut(wire: Wire) -> None:
        wire.head()
        for token in TOKENS[:30]:
            wire.token(token)

    evening.server.script(Script(write=cut))
    evening.server.default = Script(tokens=TOKENS)
    assert evening.run()
    assert evening.get(asked).status is Status.WAITING
    assert partial_of(evening, asked.request.id)
    evening.change("llm_requests", asked.request.id, status="queued", due_at=None)
    assert evening.run()
    assert evening.server.chats[-1]["messages"][-1]["role"] == "user"
    assert replies(evening) == [WHOLE]


def test_a_beginning_that_was_thinking_after_all_is_no_answer(evening: Evening) -> None:
    evening.ask()
    left = break_off(evening).rstrip()
    evening.server.script(Script(tokens=("so mirrors.</think>", "Mirror", " them.")))
    assert evening.run()
    assert replies(evening) == ["Mirror them."]
    assert evening.posts()[-1].thinking == f"{left}so mirrors."


def test_a_text_that_turned_out_to_be_thinking_is_shown_as_such_while_it_grows(evening: Evening) -> None:
    asked = evening.ask()
    evening.server.default = Script(tokens=(*TOKENS[:40], "</think>", *TOKENS[:40]), delay=0.004)
    worker = threading.Thread(target=evening.run)
    worker.start()
    until(lambda: bool((found := evening.partial(asked.request.id)) and found.thinking and found.text))
    found = evening.partial(asked.request.id)
    worker.join(PATIENCE_SECONDS)
    assert found is not None
    assert found.thinking.startswith("".join(TOKENS[:39]))
    assert replies(evening) == ["".join(TOKENS[:40])]


# -- the rules alone

AT = datetime.fromisoformat("2026-11-21T23:00:00+00:00")
#: Just long enough to be gone on with.
COUNTED = "One, two, three and four"


def events(*names: str) -> list[LlmRequestEvent]:
    """A name with a bar behind it is one with words: a worker's, not a person's."""
    return [
        LlmRequestEvent(number, AT, 1, Happening(name.rstrip("|")), 1, None, "why" if "|" in name else None)
        for number, name in enumerate(names)
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("queued", "claimed", "rescued|", "claimed"), True),
        (("queued", "claimed", "first_token", "rescued|", "retry_waits|", "due", "claimed"), True),
        (("queued", "claimed", "released|", "claimed"), True),
        (("queued", "claimed", "released|", "held", "released", "run_now", "claimed"), True),
        (("queued", "claimed", "retry_waits|", "due", "claimed"), False),
        (("queued", "claimed", "retry_waits|", "held", "released", "claimed"), False),
        (("queued", "claimed", "failed|", "retried", "claimed"), False),
        (("queued", "claimed", "released|", "model_changed", "claimed"), False),
        (("queued", "claimed"), False),
        ((), False),
    ],
)
def test_only_a_run_that_ended_by_no_fault_of_its_answer_was_broken_off(names: tuple[str, ...], expected: bool) -> None:
    assert was_broken_off(events(*names)) is expected


@pytest.mark.parametrize(
    ("partial", "account", "expected"),
    [
        (Partial(1, 2, f"{COUNTED} \n", ""), {"run": 2}, COUNTED),
        (Partial(1, 1, COUNTED, ""), {"run": 2, "resumed_run": 1}, COUNTED),
        (Partial(1, 1, COUNTED, ""), {"run": 2}, None),
        (Partial(1, 1, COUNTED, ""), {}, None),
        (Partial(1, 1, COUNTED[:-1] + " ", ""), {"run": 1}, None),
        (Partial(1, 1, " ", ""), {"run": 1}, None),
        (Partial(1, 1, COUNTED, "Counting."), {"run": 1}, None),
    ],
)
def test_a_partial_text_goes_with_the_prompt_that_it_answers(
    partial: Partial, account: dict[str, int], expected: str | None
) -> None:
    prompt = Prompt(1, "persona-first/1", ({"role": "user", "content": "Count."},), account, AT)
    found = beginning_of(partial, prompt)
    assert (found.text if isinstance(found, Beginning) else None) == expected


@pytest.mark.parametrize(
    ("rest", "expected"),
    [(" and five", f"{COUNTED} and five"), (" One, two", COUNTED), (f" {COUNTED} and fi", f"{COUNTED} and fi")],
)
def test_what_a_run_that_went_on_left_is_told_once(rest: str, expected: str) -> None:
    messages = ({"role": "user", "content": "Count."}, {"role": "assistant", "content": COUNTED})
    prompt = Prompt(1, "persona-first/1", messages, {"run": 3, "resumed_run": 2}, AT)
    found = beginning_of(Partial(1, 3, COUNTED + rest, ""), prompt)
    assert found is not None
    assert found.text == expected
    assert found.messages == messages[:1]


def test_what_repeats_the_beginning_has_begun_again() -> None:
    assert joined(COUNTED, " and five.") == f"{COUNTED} and five."
    assert joined(COUNTED, f" {COUNTED} and five.") == f"{COUNTED} and five."
