"""Making the calls of hooks: real commands and a real web server, what fails, what hangs, and what a crash leaves."""

import hashlib
import hmac
import json
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from forllm_server.clock import now as present
from forllm_server.db import Database
from forllm_server.errors import Conflict
from forllm_server.forum.editing import add_reply, delete_post
from forllm_server.forum.topics import delete_topic
from forllm_server.hooks import call_store, hook_store
from forllm_server.hooks.keeping import KEPT, LATEST, ask_test, call_again, clear_up, delete_hook
from forllm_server.hooks.model import Call, CallStatus, Hook
from forllm_server.jobs.hooking import LEASE_SLACK, HookRunner, rescue, take_next
from forllm_server.queue.identity import worker_identity
from tests.hooks.making import KEY, add, attempts, calls
from tests.support import outside
from tests.support.world import LOCAL_USER, World, make_world

GONE = "/".join([*worker_identity().split("/")[:2], "999999999", "1"])


@pytest.fixture
def world(database: Database, now: datetime) -> World:
    return make_world(database, now)


@pytest.fixture
def receiver() -> Iterator[outside.Hook]:
    with outside.Hook() as receiver:
        yield receiver


def reply(database: Database, world: World, text: str = "Mirror them.") -> int:
    with database.transaction() as connection:
        return add_reply(connection, owner_id=LOCAL_USER, parent_id=world.post_id, content=text, now=present()).id


def runner(database: Database, *, may_run_commands: bool = True) -> HookRunner:
    return HookRunner(database, KEY, may_run_commands=may_run_commands, forum_url="http://127.0.0.1:4773")


def perform(database: Database, **options: bool) -> int:
    """Make all that is due; for how many hooks there was something."""
    running = runner(database, **options)
    begun = running.tick()
    running.wait(20)
    return begun


def python(code: str) -> str:
    return f"{sys.executable} -c {shlex.quote(code)}"


def add_command(database: Database, code: str, **values: Any) -> Hook:
    return add(database, present(), command=python(code), **values)


def add_webhook(database: Database, url: str, **values: Any) -> Hook:
    return add(database, present(), url=url, **({"may_be_local": True} | values))


def only(database: Database) -> Call:
    (call,) = calls(database)
    return call


def test_a_command_gets_the_event_as_json_and_a_clean_environment(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORLLM_SECRET", "not for you")
    monkeypatch.setenv("PASSWORD", "not for you")
    code = "import json,os,sys; print(json.dumps([json.load(sys.stdin), dict(os.environ)]))"
    add_command(database, code, name="Tell")
    post_id = reply(database, world, "Grüße, $HOME; *")
    assert perform(database) == 1
    call = only(database)
    assert (call.status, call.attempts, call.problem) == (CallStatus.DONE, 1, None)
    (attempt,) = attempts(database, call)
    assert (attempt.is_ok, attempt.code, attempt.problem) == (True, 0, "")
    told, environment = json.loads(attempt.output)
    assert (told["event"], told["event_id"], told["hook"]["name"]) == ("reply.posted", call.event_id, "Tell")
    assert (told["topic"]["title"], told["topic"]["subforum_name"]) == ("ZFS or Btrfs?", "Homelab")
    assert (told["post"]["id"], told["post"]["content"], told["post"]["author"]) == (post_id, "Grüße, $HOME; *", "You")
    own = {name: value for name, value in environment.items() if name.startswith("FORLLM_")}
    assert own == {
        "FORLLM_EVENT": "reply.posted", "FORLLM_EVENT_ID": call.event_id, "FORLLM_URL": "http://127.0.0.1:4773",
    }  # fmt: skip
    assert "PASSWORD" not in environment


def test_a_webhook_gets_the_event_signed_and_its_answer_is_kept(
    database: Database, world: World, receiver: outside.Hook
) -> None:
    add_webhook(database, f"{receiver.url}/in", secret="a key")
    reply(database, world)
    perform(database)
    (posted,) = receiver.posted
    call = only(database)
    assert posted.headers["x-forllm-event"] == "reply.posted"
    assert posted.headers["x-forllm-event-id"] == call.event_id == json.loads(posted.body)["event_id"]
    at, _, digest = posted.headers["x-forllm-signature"].partition(",v1=")
    signed = at.removeprefix("t=").encode() + b"." + posted.body
    assert digest == hmac.new(b"a key", signed, hashlib.sha256).hexdigest()
    (attempt,) = attempts(database, call)
    assert (attempt.is_ok, attempt.code, attempt.output) == (True, 200, "said <b>so</b>")


@pytest.mark.parametrize(
    ("command", "options", "status", "problem"),
    [
        ("no-such-program-here --at all", {}, "failed", "no-such-program-here could not be started"),
        (python("import sys; print('why'); sys.exit(1)"), {}, "waiting", "failed with exit code 1"),
        (python("import time; time.sleep(60)"), {"timeout_seconds": 1}, "waiting", "it took longer than 1 s"),
        (python("raise SystemExit(3)"), {"most_attempts": 1}, "failed", "failed with exit code 3"),
    ],
)
def test_a_command_that_fails_is_tried_again_or_given_up(
    sqlite_database: Database, now: datetime, command: str, options: dict[str, Any], status: str, problem: str
) -> None:
    world = make_world(sqlite_database, now)
    add(sqlite_database, now, command=command, **options)
    reply(sqlite_database, world)
    perform(sqlite_database)
    call = only(sqlite_database)
    assert call.status.value == status
    assert problem in (call.problem or "")
    assert [attempt.problem for attempt in attempts(sqlite_database, call)] == [call.problem]


def test_a_hundred_megabytes_are_read_away_and_only_their_end_is_kept(sqlite_database: Database, now: datetime) -> None:
    world = make_world(sqlite_database, now)
    code = "[print('\\0' * 1_000_000, end='') for _ in range(100)]; print('the end')"
    add(sqlite_database, now, command=python(code))
    reply(sqlite_database, world)
    perform(sqlite_database)
    (attempt,) = attempts(sqlite_database, only(sqlite_database))
    assert (attempt.is_ok, attempt.is_truncated, len(attempt.output)) == (True, True, 16 * 1024)
    assert attempt.output.endswith("\N{REPLACEMENT CHARACTER}the end\n")


def test_a_large_text_holds_up_no_command_that_does_not_read(sqlite_database: Database, now: datetime) -> None:
    world = make_world(sqlite_database, now)
    add(sqlite_database, now, command=python("print('not interested')"))
    reply(sqlite_database, world, "word " * 50_000)
    perform(sqlite_database)
    assert only(sqlite_database).status is CallStatus.DONE


@pytest.mark.parametrize(
    ("answer", "status", "code", "problem"),
    [
        ((500, ""), "waiting", 500, "answered 500: said <b>so</b>"),
        ((404, ""), "failed", 404, "answered 404"),
        ((307, "Location: http://169.254.169.254/\r\n"), "failed", 307, "That is not followed"),
        ((0, ""), "waiting", None, "did not answer in time"),
    ],
)
def test_a_webhook_that_refuses_hangs_or_leads_elsewhere(
    sqlite_database: Database, now: datetime, answer: tuple[int, str], status: str, code: int | None, problem: str
) -> None:
    world = make_world(sqlite_database, now)
    with outside.Hook() as receiver:
        receiver.answers.append(answer)
        add_webhook(sqlite_database, receiver.url, timeout_seconds=1)
        reply(sqlite_database, world)
        perform(sqlite_database)
    call = only(sqlite_database)
    (attempt,) = attempts(sqlite_database, call)
    assert (call.status.value, attempt.code, attempt.is_ok) == (status, code, False)
    assert problem in attempt.problem
    assert len(receiver.posted) == 1


def test_a_webhook_reaches_no_network_of_ones_own_unless_that_is_ticked(
    sqlite_database: Database, now: datetime, receiver: outside.Hook
) -> None:
    world = make_world(sqlite_database, now)
    add_webhook(sqlite_database, f"http://127.0.0.1:{receiver.port}", may_be_local=False)
    add_webhook(sqlite_database, "http://localhost/", may_be_local=False)
    reply(sqlite_database, world)
    perform(sqlite_database)
    assert [call.status for call in calls(sqlite_database)] == [CallStatus.FAILED] * 2
    assert receiver.posted == []


def test_tries_come_at_growing_pauses_with_one_id_until_it_is_given_up_and_made_by_hand(
    database: Database, world: World, receiver: outside.Hook
) -> None:
    receiver.answers.extend([(500, "")] * 3)
    with time_machine.travel(present(), tick=False) as clock:
        add_webhook(database, receiver.url, most_attempts=3)
        reply(database, world)
        waits = []
        for _ in range(3):
            perform(database)
            call = only(database)
            waits.append(call.due_at and (call.due_at - present()).total_seconds())
            assert perform(database) == 0
            clock.shift(timedelta(minutes=5))
        assert waits == [60, 120, None]
        assert (call.status, call.attempts) == (CallStatus.FAILED, 3)
        with database.transaction() as connection:
            call_again(connection, call.id, present())
            with pytest.raises(Conflict):
                call_again(connection, call.id, present())
        perform(database)
    assert only(database).status is CallStatus.DONE
    assert [attempt.is_ok for attempt in attempts(database, call)] == [False, False, False, True]
    assert len({posted.headers["x-forllm-event-id"] for posted in receiver.posted}) == 1
    assert len({posted.body for posted in receiver.posted}) == 1


def test_commands_wait_for_a_process_that_may_run_them(
    sqlite_database: Database, now: datetime, receiver: outside.Hook
) -> None:
    world = make_world(sqlite_database, now)
    add(sqlite_database, now, command="true")
    add_webhook(sqlite_database, receiver.url)
    reply(sqlite_database, world)
    assert perform(sqlite_database, may_run_commands=False) == 1
    assert [call.status.value for call in calls(sqlite_database)] == ["waiting", "done"]
    assert perform(sqlite_database) == 1
    assert [call.status.value for call in calls(sqlite_database)] == ["done", "done"]


def test_what_was_deleted_meanwhile_is_not_handed_on(
    sqlite_database: Database, now: datetime, receiver: outside.Hook
) -> None:
    world = make_world(sqlite_database, now)
    add_webhook(sqlite_database, receiver.url)
    post_id = reply(sqlite_database, world, "Said too soon")
    with sqlite_database.transaction() as connection:
        delete_post(connection, post_id, now)
    reply(sqlite_database, world, "Said too late")
    perform(sqlite_database)
    first, second = (json.loads(posted.body) for posted in receiver.posted)
    assert (first["post"]["is_deleted"], first["post"]["content"]) == (True, "")
    assert second["post"]["content"] == "Said too late"
    reply(sqlite_database, world, "Gone with its topic")
    with sqlite_database.transaction() as connection:
        delete_topic(connection, world.topic_id, now)
    perform(sqlite_database)
    last = json.loads(receiver.posted[2].body)
    assert (last["topic_id"], last["topic"], last["post"]) == (world.topic_id, None, None)


def test_one_call_of_a_hook_is_under_way_at_a_time_in_the_order_of_the_events(database: Database, world: World) -> None:
    add(database, present(), command="true")
    add(database, present(), command="true")
    for number in range(3):
        reply(database, world, f"Reply {number}")
    taken = take_next(database, 1, by="me")
    assert taken is not None
    assert taken[1].id == 1
    assert take_next(database, 1, by="another") is None
    other = take_next(database, 2, by="another")
    assert other is not None
    assert other[1].id == 2
    with database.read() as connection:
        assert call_store.list_ready_hook_ids(connection, present(), tuple({taken[0].kind})) == []


def test_of_two_processes_one_takes_a_call(database: Database, world: World) -> None:
    add(database, present(), command="true")
    reply(database, world)
    found: list[Any] = []
    barrier = threading.Barrier(2)

    def take(name: str) -> None:
        barrier.wait()
        found.append(take_next(database, 1, by=name))

    threads = [threading.Thread(target=take, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(each is not None for each in found) == 1


def test_what_a_killed_process_had_taken_is_made_at_the_next_start_with_the_same_id(
    database: Database, world: World, receiver: outside.Hook
) -> None:
    add_webhook(database, receiver.url)
    reply(database, world)
    taken = take_next(database, 1, by=GONE)
    assert taken is not None
    assert perform(database) == 0
    assert rescue(database) == 1
    assert perform(database) == 1
    assert [posted.headers["x-forllm-event-id"] for posted in receiver.posted] == [taken[1].event_id]
    assert (only(database).status, only(database).attempts) == (CallStatus.DONE, 2)


def test_what_another_machine_had_taken_is_made_when_its_time_is_over(
    sqlite_database: Database, now: datetime, receiver: outside.Hook
) -> None:
    world = make_world(sqlite_database, now)
    with time_machine.travel(now, tick=False) as clock:
        add_webhook(sqlite_database, receiver.url, timeout_seconds=30)
        reply(sqlite_database, world)
        assert take_next(sqlite_database, 1, by="elsewhere/1/1/1") is not None
        assert rescue(sqlite_database) == 0
        clock.shift(timedelta(seconds=30) + LEASE_SLACK)
        assert perform(sqlite_database) == 1
    assert only(sqlite_database).status is CallStatus.DONE


def test_a_stop_ends_a_command_at_once_and_puts_it_back_without_counting(
    sqlite_database: Database, now: datetime, tmp_path: Any
) -> None:
    world = make_world(sqlite_database, now)
    began = tmp_path / "began"
    add(sqlite_database, now, command=python(f"open({str(began)!r}, 'w'); import time; time.sleep(60)"))
    reply(sqlite_database, world)
    running = runner(sqlite_database)
    running.start()
    deadline = time.monotonic() + 20
    while not began.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    stopped = time.monotonic()
    running.stop(5)
    assert time.monotonic() - stopped < 3
    call = only(sqlite_database)
    assert (call.status, call.attempts, attempts(sqlite_database, call)) == (CallStatus.WAITING, 0, [])
    with sqlite_database.read() as connection:
        assert hook_store.get_hook(connection, 1).busy_until is None


def test_a_hook_that_is_deleted_under_way_leaves_nothing(sqlite_database: Database, now: datetime) -> None:
    world = make_world(sqlite_database, now)
    add(sqlite_database, now, command=python("import time; time.sleep(0.4)"))
    reply(sqlite_database, world)
    running = runner(sqlite_database)
    assert running.tick() == 1
    time.sleep(0.2)
    with sqlite_database.transaction() as connection:
        delete_hook(connection, 1)
    running.wait(10)
    assert calls(sqlite_database) == []


def test_a_test_is_made_once(sqlite_database: Database, now: datetime, receiver: outside.Hook) -> None:
    receiver.answers.append((500, ""))
    add_webhook(sqlite_database, receiver.url)
    with sqlite_database.transaction() as connection:
        ask_test(connection, 1, present())
    perform(sqlite_database)
    assert json.loads(receiver.posted[0].body)["event"] == "test"
    assert only(sqlite_database).status is CallStatus.FAILED


def test_what_waited_for_a_week_is_given_up_and_what_ended_long_ago_is_forgotten(
    database: Database, world: World, now: datetime
) -> None:
    with time_machine.travel(now, tick=False) as clock:
        add(database, now, command="true")
        reply(database, world)
        clock.shift(LATEST + timedelta(seconds=1))
        with database.transaction() as connection:
            assert clear_up(connection, present()) == 1
        assert only(database).status is CallStatus.FAILED
        clock.shift(KEPT + timedelta(seconds=1))
        with database.transaction() as connection:
            assert clear_up(connection, present()) == 0
    assert calls(database) == []
